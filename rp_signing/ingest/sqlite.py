"""Events, their evidence and the nonces of their requests in one SQLite file (SPEC §9)."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..canonical import canonicalize
from ..errors import Reason, StoreError, VerificationError
from ..replay import Clock
from ..stores.sqlite import claim_within, create_tables, findings
from ..stores.sqlite_commit import GroupCommit
from ..stores.sqlite_file import Database, Transaction, open_database
from ..stores.sqlite_read import ReadDatabase, open_to_read
from .store import MessageIdConflict, ReceivedEvent, ReceivedRequest, Stored, StoredEvent, StoredRequest

__all__ = ["SQLiteEventStore"]

_PAGE = 1_000
_LOG_PAGES = 4_000
"""Pages of 4,096 bytes that the log may hold, 16 MB: what many batches change is then copied once. With SQLite's own
1,000, a sixth fewer rows are stored."""
_OWN_TABLES = 2

_TABLES = """
CREATE TABLE IF NOT EXISTS rp_request (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    route TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    api_key_id TEXT NOT NULL,
    trust TEXT NOT NULL,
    signature TEXT,
    sent_key_id TEXT,
    key_id TEXT,
    timestamp INTEGER,
    nonce TEXT,
    length INTEGER,
    digest TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS rp_event (
    id INTEGER PRIMARY KEY,
    request INTEGER NOT NULL REFERENCES rp_request (id),
    received_at INTEGER NOT NULL,
    api_key_id TEXT NOT NULL,
    key_id TEXT,
    live INTEGER NOT NULL,
    trust TEXT NOT NULL,
    type TEXT NOT NULL,
    message_id TEXT NOT NULL,
    integrity_signature TEXT,
    content TEXT NOT NULL,
    UNIQUE (api_key_id, trust, message_id)
) STRICT;
"""

_INSERT_REQUEST = """
INSERT INTO rp_request (request_id, route, received_at, api_key_id, trust,
                        signature, sent_key_id, key_id, timestamp, nonce, length, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_INSERT_EVENT = """
INSERT INTO rp_event (request, received_at, api_key_id, key_id, live, trust, type, message_id,
                      integrity_signature, content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (api_key_id, trust, message_id) DO NOTHING
"""

_SELECT = """
SELECT e.id, e.message_id, e.type, e.content, e.integrity_signature, e.api_key_id, e.key_id, e.live, e.trust,
       e.received_at,
       r.request_id, r.route, r.received_at, r.api_key_id, r.trust,
       r.signature, r.sent_key_id, r.key_id, r.timestamp, r.nonce, r.length, r.digest
FROM rp_event AS e LEFT JOIN rp_request AS r ON r.id = e.request
WHERE e.id > ?1 AND (?2 IS NULL OR e.api_key_id = ?2) AND (?3 IS NULL OR e.trust = ?3)
  AND (?4 IS NULL OR e.received_at >= ?4) AND (?5 IS NULL OR e.received_at <= ?5)
ORDER BY e.id LIMIT ?6
"""

_THERE = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('rp_event', 'rp_request')"
_LAST_VERIFIED = "SELECT key_id, max(received_at) FROM rp_request WHERE key_id IS NOT NULL GROUP BY key_id"


class SQLiteEventStore:
    """Keeps events in a file that several processes of one machine may share (`rp_signing.ingest.store.EventStore`).

    Nonces are in the same file, and a nonce is claimed by the transaction that stores the events: what a lost file
    could let back in was lost with it, so a new one needs no waiting time (SPEC WIN-6, ``born = 0``). What was
    acknowledged survives the death of a process and, by ``synchronous=FULL``, of the machine. Refuses after a fork.

    Args:
        path: the file; made where there is none.
        clock: gives Unix seconds, for the claim; `time.time` when None.
        read_only: change nothing, neither the file nor its folder; `store` then refuses. Others may write meanwhile.

    Raises:
        StoreError: the file cannot be opened or made, or the path names none, as ``:memory:`` does; or it was to be
            read, and is not there or holds no event store.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock | None = None, *, read_only: bool = False) -> None:
        self._clock = clock
        self._process = os.getpid()
        self._database: Database = open_to_read(path) if read_only else open_database(path)
        self._commits = GroupCommit(self._database)
        # A person may have spoiled the file: text that is no UTF-8 is then shown, and fails the audit, for no
        # canonical form has such a backslash in it.
        self._database.text_factory = _text
        try:
            if read_only:
                self._look_for_tables(path)
            else:
                self._make_tables(path)
        except StoreError:
            self._database.close()
            raise

    def _look_for_tables(self, path: str | os.PathLike[str]) -> None:
        with self._reading():
            (there,) = self._database.execute(_THERE).fetchone()
        if there != _OWN_TABLES:
            raise StoreError(
                f"{os.fspath(path)} holds no event store: the tables rp_event and rp_request are not there"
            )

    def _make_tables(self, path: str | os.PathLike[str]) -> None:
        try:
            self._database.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            create_tables(self._database, 0)
            with Transaction(self._database):
                for statement in _TABLES.split(";"):
                    self._database.execute(statement)
        except sqlite3.Error as error:
            raise StoreError(f"no event store can be made in {os.fspath(path)}: {error}") from error

    def store(self, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> Stored:
        """Claim the nonce and store the events (`rp_signing.ingest.store.EventStore.store` says what is raised)."""
        if os.getpid() != self._process:
            raise _unavailable("this process was forked from the one that opened the store")
        try:
            return self._commits.run(lambda: self._write(request, events))
        except sqlite3.Error as error:
            raise _unavailable(f"SQLite: {error}") from error

    def _write(self, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> Stored:
        if request.claim is not None and not request.claimed:
            claim_within(self._database, request.claim, self._now)
        number = self._database.execute(_INSERT_REQUEST, StoredRequest.of(request)).lastrowid
        shared = (number, request.received_at, request.api_key_id)
        kind = (int(request.live), request.trust)
        written = self._database.executemany(
            _INSERT_EVENT,
            [
                (*shared, event.key_id, *kind, event.type, event.message_id, event.integrity_signature, event.content)
                for event in events
            ],
        ).rowcount
        if written < len(events):
            self._refuse_other_content(request, events)
        return Stored(written, len(events) - written)

    def _refuse_other_content(self, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> None:
        """Tell duplicates from conflicts: what stands in the table now, from before or from this batch, came first."""
        names = canonicalize([event.message_id for event in events]).decode()
        first = dict(
            self._database.execute(
                "SELECT message_id, content FROM rp_event WHERE api_key_id = ? AND trust = ?"
                " AND message_id IN (SELECT value FROM json_each(?))",
                (request.api_key_id, request.trust, names),
            ).fetchall()
        )
        conflicts = [index for index, event in enumerate(events) if first[event.message_id] != event.content]
        if conflicts:
            raise MessageIdConflict(conflicts)

    def find(
        self,
        api_key_id: str | None = None,
        trust: str | None = None,
        since: int | None = None,
        until: int | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[StoredEvent]:
        """Give events in the order of storing (`rp_signing.ingest.store.EventStore.find`)."""
        with self._reading():
            rows = self._database.execute(_SELECT, (after, api_key_id, trust, since, until, limit)).fetchall()
        return [_event(row) for row in rows]

    def scan(self, after: int = 0) -> Iterator[StoredEvent]:
        """Give every event with a higher row number, a page at a time, so that writers wait for no reader."""
        while page := self.find(after=after, limit=_PAGE):
            yield from page
            after = page[-1].row_id

    def last_verified(self) -> dict[str, int]:
        """Give when each key id last verified a request (`rp_signing.ingest.store.EventStore.last_verified`)."""
        with self._reading():
            return dict(self._database.execute(_LAST_VERIFIED).fetchall())

    def doctor(self) -> list[str]:
        """Say what is wrong with the file, a sentence each; of one opened to read, SQLite hides the settings."""
        with self._reading():
            return findings(self._database, self._now())

    def close(self) -> None:
        """Close the file."""
        with self._commits.lock:
            self._database.close()

    def __len__(self) -> int:
        with self._reading():
            (count,) = self._database.execute("SELECT count(*) FROM rp_event").fetchone()
        return int(count)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        if os.getpid() != self._process:
            raise StoreError("this process was forked from the one that opened the store")
        try:
            with self._commits.lock:
                yield
                if isinstance(self._database, ReadDatabase):
                    self._database.judge_reading()
        except sqlite3.Error as error:
            raise StoreError(f"the event store cannot be read: {error}") from error

    def _now(self) -> float:
        return (self._clock or time.time)()


def _event(row: tuple[Any, ...]) -> StoredEvent:
    request = None if row[10] is None else StoredRequest(*row[10:])
    return StoredEvent._make((*row[:7], bool(row[7]), *row[8:10], request))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _unavailable(detail: str) -> VerificationError:
    return VerificationError(Reason.EVENT_STORE_UNAVAILABLE, detail)
