"""What the event store in a SQLite file promises beside the contract of test_event_store.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_store_kinds import MAC, claim_of, event, received
from parties import NOW, Clock, refusal

from rp_signing import Reason, StoreError
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.ingest.store import Stored


@pytest.fixture
def clock() -> Clock:
    """The clock of sender and store."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store's file is."""
    return tmp_path / "events.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[SQLiteEventStore]:
    """A new event store."""
    store = SQLiteEventStore(path, clock)
    yield store
    store.close()


def test_the_file_is_set_to_keep_what_it_acknowledges(store: SQLiteEventStore) -> None:
    """The journal is WAL and every commit is synced."""
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_store_that_fails_refuses(store: SQLiteEventStore, path: Path, clock: Clock) -> None:
    """An error of SQLite is event_store_unavailable with Retry-After, and the nonce is not used up."""
    claim = claim_of("a", clock)
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE rp_event RENAME TO elsewhere")
    error = refusal(store.store, received(1, claim), [event("m", "{}", MAC)])
    assert (error.reason, error.status, error.retry_after) == (Reason.EVENT_STORE_UNAVAILABLE, 503, 1)
    with pytest.raises(StoreError, match="cannot be read"):
        store.find()
    with database:
        database.execute("ALTER TABLE elsewhere RENAME TO rp_event")
    database.close()
    assert store.store(received(1, claim), [event("m", "{}", MAC)]) == Stored(1, 0)


def test_a_full_disk_refuses_and_writes_nothing(store: SQLiteEventStore, clock: Clock) -> None:
    """When the file cannot grow, the batch is refused whole and its nonce can be used again."""
    claim = claim_of("a", clock)
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages + 2}")
    batch = [event(f"m-{number}", '"' + "x" * 4_000 + '"', MAC) for number in range(50)]
    assert refusal(store.store, received(1, claim), batch).reason is Reason.EVENT_STORE_UNAVAILABLE
    assert len(store) == 0
    store._database.execute("PRAGMA max_page_count = 100000")
    assert store.store(received(1, claim), batch) == Stored(50, 0)


def test_a_place_that_takes_no_file_is_refused(tmp_path: Path) -> None:
    """A folder that is not there, or a file that is no database, is a StoreError when the store is made."""
    with pytest.raises(StoreError, match="cannot be opened"):
        SQLiteEventStore(tmp_path / "none" / "events.db")
    (tmp_path / "text").write_text("no database, but long enough to be read as the head of one" * 10)
    with pytest.raises(StoreError):
        SQLiteEventStore(tmp_path / "text")


def test_the_doctor_names_what_is_wrong(store: SQLiteEventStore, path: Path) -> None:
    """A clock that ran ahead, a lost record and another journal mode are each a sentence."""
    store._database.execute("INSERT INTO rp_forgotten VALUES ('0123456789abcdef', ?)", (NOW + 500,))
    store._database.execute("DELETE FROM rp_nonce_store")
    store._database.execute("PRAGMA journal_mode = DELETE")
    findings = "\n".join(store.doctor())
    assert "0123456789abcdef were dropped up to 500 s in the future" in findings
    assert "when the nonce store was born is gone" in findings
    assert "delete, not wal" in findings


def test_text_that_is_no_utf8_is_read_and_shown(store: SQLiteEventStore, path: Path) -> None:
    """A row that somebody spoiled stops neither find nor scan."""
    store.store(received(1), [event("m")])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE rp_event SET content = CAST(x'22ff22' AS TEXT)")
    database.close()
    assert store.find()[0].content == '"\\xff"'
