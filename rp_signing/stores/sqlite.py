"""Nonces in a SQLite file: for several processes on one machine, and through restarts (SPEC §7)."""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from math import floor
from typing import TypeVar

from ..errors import Reason, StoreError, VerificationError
from ..replay import FUTURE, Claim, Clock
from .findings import NO_RECORD, clock_ran_ahead
from .sqlite_commit import GroupCommit
from .sqlite_file import Database, Transaction, open_database

__all__ = ["SQLiteNonceStore", "claim_within", "create_tables", "failure_reason", "findings"]

_ROWS_A_CLAIM = 10_000
_SYNCHRONOUS_FULL = 2
_FORKED = "this process was forked from the one that opened the store"
_READING = "the nonce store cannot be read"

_T = TypeVar("_T")

_TABLES = """
CREATE TABLE IF NOT EXISTS rp_nonce (
    timestamp INTEGER NOT NULL, api_key_id TEXT NOT NULL, nonce TEXT NOT NULL, token INTEGER NOT NULL,
    PRIMARY KEY (timestamp, api_key_id, nonce)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rp_forgotten (
    api_key_id TEXT NOT NULL PRIMARY KEY, through INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rp_nonce_store (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1), born INTEGER NOT NULL) STRICT;
"""
# What a claim has to know, asked at once: a question costs more than its answer.
_RECORD = """
SELECT (SELECT through FROM rp_forgotten WHERE api_key_id = ?), (SELECT born FROM rp_nonce_store),
       EXISTS (SELECT 1 FROM rp_nonce WHERE timestamp <= ?)
"""


class SQLiteNonceStore:
    """Remembers nonces in a file that several processes of one machine may share.

    What was acknowledged survives the death of a process and, by ``synchronous=FULL``, of the machine. Refuses after a
    fork: make one store in each process. Refuses when the file or its ``-shm`` has been removed or replaced under it,
    or its ``-wal`` removed, until it is opened anew. Emptying ``rp_nonce`` by hand is forgetting: empty all three
    tables, or remove the file.

    Args:
        path: the file; made, and born then, where there is none.
        born: Unix seconds for a file that has to be made: every timestamp up to ``born + future`` is refused, because
            a file that was lost could have taken it. None: now. 0 states that nothing was accepted earlier.

    Raises:
        StoreError: the file cannot be opened or made, or the path names none, as ``:memory:`` does.
    """

    def __init__(self, path: str | os.PathLike[str], born: float | None = None) -> None:
        self._process = os.getpid()
        second = floor(time.time() if born is None else born)  # what is no number makes no file
        self._database = open_database(path)
        self._commits = GroupCommit(self._database)
        try:
            create_tables(self._database, second)
        except sqlite3.Error as error:
            self._database.close()
            raise StoreError(f"no nonce store can be made in {os.fspath(path)}: {error}") from error

    def claim(self, claim: Claim, clock: Clock) -> int:
        """Use the nonce up (`rp_signing.replay.NonceStore.claim`, which says what is raised)."""
        if os.getpid() != self._process:
            raise VerificationError(Reason.REPLAY_STORE_UNAVAILABLE, _FORKED)
        try:
            return self._commits.run(lambda: claim_within(self._database, claim, clock))
        except sqlite3.Error as error:
            raise VerificationError(failure_reason(error), f"SQLite: {error}") from error

    def release(self, claim: Claim, token: int) -> None:
        """Give a nonce back (`rp_signing.replay.NonceStore.release`)."""
        if os.getpid() != self._process:
            raise StoreError(f"{_FORKED}; the claim stands")
        try:
            self._commits.run(
                lambda: self._database.execute(
                    "DELETE FROM rp_nonce WHERE timestamp = ? AND api_key_id = ? AND nonce = ? AND token = ?",
                    (claim.timestamp, claim.api_key_id, claim.nonce, token),
                )
            )
        except sqlite3.Error as error:
            raise StoreError(f"the nonce could not be released: {error}") from error

    async def aclaim(self, claim: Claim, clock: Clock) -> int:
        """Do what `claim` does, in a thread."""
        return await asyncio.to_thread(self.claim, claim, clock)

    async def arelease(self, claim: Claim, token: int) -> None:
        """Do what `release` does, in a thread."""
        await asyncio.to_thread(self.release, claim, token)

    def doctor(self, now: float | None = None) -> list[str]:
        """Say what is wrong with the file, a sentence each; an empty list when nothing is.

        Args:
            now: Unix seconds; the time when None.

        Raises:
            StoreError: the file cannot be read.
        """
        return self._told(lambda: findings(self._database, time.time() if now is None else now), _READING)

    def clear_future(self, now: float | None = None, future: int = FUTURE) -> int:
        """Lower each ``forgotten_through`` that a clock which ran ahead has left to `now` + `future`.

        Until then everything is still refused. Later, a request that was dated ahead and taken by that clock could
        come again.

        Returns:
            How many api keys it was lowered for.

        Raises:
            StoreError: the file cannot be written.
        """
        through = floor(time.time() if now is None else now) + future
        statement = "UPDATE rp_forgotten SET through = ?1 WHERE through > ?1"
        return self._told(
            lambda: self._database.execute(statement, (through,)).rowcount, "the file cannot be put right"
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __len__(self) -> int:
        counted = self._told(lambda: self._database.execute("SELECT count(*) FROM rp_nonce").fetchone(), _READING)
        return int(counted[0])

    def _told(self, ask: Callable[[], _T], failed: str) -> _T:
        if os.getpid() != self._process:
            raise StoreError(_FORKED)
        try:
            with self._commits.lock:
                return ask()
        except sqlite3.Error as error:
            raise StoreError(f"{failed}: {error}") from error


def create_tables(database: Database, born: int) -> None:
    """Make the tables where there are none; `born` (Unix seconds) counts only then."""
    with Transaction(database):
        for statement in _TABLES.split(";"):
            database.execute(statement)
        database.execute("INSERT OR IGNORE INTO rp_nonce_store (only, born) VALUES (1, ?)", (born,))


def claim_within(database: sqlite3.Connection, claim: Claim, clock: Clock) -> int:
    """Use the nonce up inside the caller's open transaction (`rp_signing.replay.NonceStore.claim`).

    The write lock is held, so the clock that is read here is the one of the claim.
    """
    now = claim.judge_again(clock)
    last = now - claim.window.past - 1
    through, born, doomed = database.execute(_RECORD, (claim.api_key_id, last)).fetchone()
    if doomed:
        _forget(database, last)
        through, born, _ = database.execute(_RECORD, (claim.api_key_id, last)).fetchone()
    if born is None:
        raise VerificationError(Reason.REPLAY_STORE_UNAVAILABLE, "the store has lost its record of when it was born")
    claim.window.judge_memory(claim.timestamp, through or 0, now)
    claim.window.judge_birth(claim.timestamp, born, now)
    token = secrets.randbits(63)
    added = database.execute(
        "INSERT OR IGNORE INTO rp_nonce (timestamp, api_key_id, nonce, token) VALUES (?, ?, ?, ?)",
        (claim.timestamp, claim.api_key_id, claim.nonce, token),
    )
    if added.rowcount != 1:
        raise VerificationError(Reason.REPLAYED, "this nonce was used before: an earlier copy arrived")
    return token


def findings(database: Database, now: float) -> list[str]:
    """Say what is wrong with the nonces and their file, a sentence each; `now` in Unix seconds."""
    fault = database.misplaced()
    found = [] if fault is None else [f"{fault}: everything is refused until the store is opened anew"]
    found += [
        f"SQLite finds damage: {row[0]}" for row in database.execute("PRAGMA quick_check").fetchall() if row[0] != "ok"
    ]
    (journal,) = database.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = database.execute("PRAGMA synchronous").fetchone()
    if database.execute("SELECT born FROM rp_nonce_store").fetchone() is None:
        found.append(NO_RECORD)
    if journal != "wal":
        found.append(f"the journal mode is {journal}, not wal: readers and the writer wait for one another")
    if synchronous < _SYNCHRONOUS_FULL:
        found.append("synchronous is not FULL: a power cut loses the last nonces")
    ahead = database.execute(
        "SELECT api_key_id, through FROM rp_forgotten WHERE through >= ? ORDER BY api_key_id", (floor(now),)
    ).fetchall()
    return found + [clock_ran_ahead(through - floor(now), api_key_id) for api_key_id, through in ahead]


def failure_reason(error: sqlite3.Error) -> Reason:
    """Tell a full disk from every other failure."""
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return Reason.REPLAY_STORE_FULL if full else Reason.REPLAY_STORE_UNAVAILABLE


def _forget(database: sqlite3.Connection, last: int) -> None:
    """Drop what is no later than `last`, a few rows at a time; what is dropped is remembered first (SPEC WIN-5)."""
    doomed = database.execute(
        "SELECT api_key_id, timestamp FROM rp_nonce WHERE timestamp <= ? ORDER BY timestamp LIMIT ?",
        (last, _ROWS_A_CLAIM),
    ).fetchall()
    database.executemany(
        "INSERT INTO rp_forgotten (api_key_id, through) VALUES (?, ?)"
        " ON CONFLICT (api_key_id) DO UPDATE SET through = max(through, excluded.through)",
        dict(doomed).items(),  # ordered by timestamp: the last one of each api key stays
    )
    database.execute(
        "DELETE FROM rp_nonce WHERE (timestamp, api_key_id, nonce) IN"
        " (SELECT timestamp, api_key_id, nonce FROM rp_nonce WHERE timestamp <= ? ORDER BY timestamp LIMIT ?)",
        (last, _ROWS_A_CLAIM),
    )
