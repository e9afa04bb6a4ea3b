"""Writers to a SQLite file that wait for one another share a commit, and each keeps its own fate."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from rp_signing import Reason, VerificationError
from rp_signing.stores.sqlite_commit import GroupCommit
from rp_signing.stores.sqlite_file import Database, open_database

Write = Callable[[], Any]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A file with one table of two columns; the second must be in the first when a transaction is committed."""
    made = open_database(tmp_path / "numbers.db")
    made.execute("PRAGMA foreign_keys = ON")
    made.execute(
        "CREATE TABLE number (n INTEGER PRIMARY KEY, of INTEGER REFERENCES number DEFERRABLE INITIALLY DEFERRED)"
    )
    yield made
    made.close()


def numbers(database: Database) -> list[int]:
    """What is in the file."""
    return [row[0] for row in database.execute("SELECT n FROM number ORDER BY n")]


def adding(database: Database, number: int, of: int | None = None) -> Write:
    """Write a number, and give it."""

    def write() -> int:
        database.execute("INSERT INTO number VALUES (?, ?)", (number, of))
        return number

    return write


def failing(database: Database, number: int, error: Exception) -> Write:
    """Write a number, and fail."""

    def write() -> None:
        adding(database, number)()
        raise error

    return write


def refusing(database: Database, error: Exception) -> Write:
    """Write nothing, as a claim of a used nonce does, and fail."""

    def write() -> None:
        database.execute("INSERT OR IGNORE INTO number SELECT n, of FROM number")
        raise error

    return write


def at_once(database: Database, writes: list[Write]) -> tuple[list[Future[Any]], list[str]]:
    """Run these as a group: all wait for the lock before it is given; and every statement that SQLite ran."""
    commits, statements = GroupCommit(database), []
    database.set_trace_callback(statements.append)
    with ThreadPoolExecutor(len(writes)) as pool, commits.lock:
        answers = []
        for count, write in enumerate(writes, 1):
            answers.append(pool.submit(commits.run, write))
            deadline = monotonic() + 30
            while len(commits._waiting) < count:
                assert monotonic() < deadline
    database.set_trace_callback(None)
    return answers, statements


def test_those_who_wait_share_one_commit(database: Database) -> None:
    """Eight writers that wait for the file are committed once, and each gets its own answer."""
    answers, statements = at_once(database, [adding(database, number) for number in range(8)])
    assert [answer.result() for answer in answers] == numbers(database) == list(range(8))
    assert statements.count("COMMIT") == 1


def test_a_writer_alone_costs_what_it_did(database: Database) -> None:
    """One writer costs what it cost without any other: one transaction of its own."""
    answers, statements = at_once(database, [adding(database, 1)])
    assert answers[0].result() == 1
    assert [statement.split()[0] for statement in statements] == ["BEGIN", "INSERT", "COMMIT"]


def test_a_refusal_that_wrote_nothing_shares_the_commit(database: Database) -> None:
    """A replay among others costs them nothing: one transaction, no savepoint, and its refusal."""
    refusal = VerificationError(Reason.REPLAYED, "seen before")
    writes = [adding(database, 1), refusing(database, refusal), adding(database, 3)]
    answers, statements = at_once(database, writes)
    assert [answer.exception() for answer in answers] == [None, refusal, None]
    assert numbers(database) == [1, 3]
    assert [statement.split()[0] for statement in statements] == ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]


def test_a_refusal_undoes_its_own_part_alone(database: Database) -> None:
    """What a refused writer wrote is gone, and what stood before and after it in the group is there, once."""
    refusal = VerificationError(Reason.REPLAYED, "seen before")
    answers, _ = at_once(database, [adding(database, 1), failing(database, 2, refusal), adding(database, 3)])
    assert [answer.exception() for answer in answers] == [None, refusal, None]
    assert [answers[0].result(), answers[2].result()] == numbers(database) == [1, 3]


def test_each_sees_what_those_before_it_wrote(database: Database) -> None:
    """The second of two equal writers finds the first one's row, though neither was committed when they came."""

    def count() -> int:
        seen: int = database.execute("SELECT count(*) FROM number").fetchone()[0]
        adding(database, seen)()
        return seen

    answers, _ = at_once(database, [count, count, count])
    assert [answer.result() for answer in answers] == [0, 1, 2]


@pytest.mark.parametrize("error", [ZeroDivisionError(), sqlite3.OperationalError("disk I/O error")])
def test_what_fails_otherwise_fails_alone(database: Database, error: Exception) -> None:
    """An error that is no refusal fails its own writer; the others of the group are stored."""
    answers, _ = at_once(database, [adding(database, 1), failing(database, 2, error), adding(database, 3)])
    assert [answer.exception() for answer in answers] == [None, error, None]
    assert numbers(database) == [1, 3]


def test_what_ends_the_transaction_fails_alone(database: Database) -> None:
    """Even where SQLite itself has rolled back the whole transaction, the others are stored, once."""

    def roll_back() -> None:
        database.execute("INSERT OR ROLLBACK INTO number VALUES (1, NULL)")

    answers, _ = at_once(database, [adding(database, 1), roll_back, adding(database, 3)])
    assert isinstance(answers[1].exception(), sqlite3.IntegrityError)
    assert answers[0].result() == 1
    assert answers[2].result() == 3
    assert numbers(database) == [1, 3]


def test_nobody_is_answered_before_the_commit(database: Database) -> None:
    """Where the commit fails, it fails for all of the group, the refused one too, and nothing is stored."""
    refusal = VerificationError(Reason.REPLAYED, "seen before")
    dangling = adding(database, 2, of=99)
    answers, _ = at_once(database, [adding(database, 1), dangling, refusing(database, refusal)])
    assert [type(answer.exception()) for answer in answers] == [sqlite3.IntegrityError] * 3
    assert numbers(database) == []


def test_where_no_transaction_begins_all_are_told_at_once(database: Database, tmp_path: Path) -> None:
    """A file that is gone is found out once, not once for each who waits."""
    (tmp_path / "numbers.db").rename(tmp_path / "elsewhere.db")
    answers, statements = at_once(database, [adding(database, number) for number in range(4)])
    assert all("removed or replaced" in str(answer.exception()) for answer in answers)
    assert statements.count("BEGIN IMMEDIATE") == 1


def test_an_interrupted_leader_leaves_nobody_waiting(database: Database) -> None:
    """When the one who commits is interrupted, the others get an error and are not stored."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    answers, _ = at_once(database, [adding(database, 1), interrupted, adding(database, 3)])
    assert all(answer.exception() is not None for answer in answers)
    assert numbers(database) == []
