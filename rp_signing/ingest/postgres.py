"""Events, their evidence and the nonces of their requests in one PostgreSQL database (SPEC §9)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from math import floor
from typing import Any, TypeVar

from ..errors import Reason, StoreError, VerificationError
from ..replay import Clock
from ..stores.postgres_claim import Claims, words
from ..stores.postgres_link import TIMEOUT, Exchange, Failure, Flow, Pool, Row, Steps, connect, converse
from ..stores.postgres_tables import create_tables, looking, make_alone
from .store import MessageIdConflict, ReceivedEvent, ReceivedRequest, Stored, StoredEvent, StoredRequest

__all__ = ["PostgresEventStore"]

_T = TypeVar("_T")

_FORKED = "this process was forked from the one that opened the store"
_READING = "the event store cannot be read"
_READ_SECONDS = 300.0
_PAGE = 1_000

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS rp_request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id text NOT NULL,
    route text NOT NULL,
    received_at bigint NOT NULL,
    api_key_id text NOT NULL,
    trust text NOT NULL,
    signature text,
    sent_key_id text,
    key_id text,
    timestamp bigint,
    nonce text,
    length bigint,
    digest text
)
""",
    """
CREATE TABLE IF NOT EXISTS rp_event (
    id bigserial PRIMARY KEY,
    request bigint NOT NULL REFERENCES rp_request (id),
    received_at bigint NOT NULL,
    api_key_id text COLLATE "C" NOT NULL,
    key_id text,
    live boolean NOT NULL,
    trust text COLLATE "C" NOT NULL,
    type text NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    integrity_signature text,
    content text NOT NULL,
    UNIQUE (api_key_id, trust, message_id)
)
""",
)
_THERE = "SELECT count(*) FROM pg_class WHERE relname IN ('rp_event', 'rp_request') AND pg_table_is_visible(oid)"

# All events in one statement. They are numbered as they came and written in the order of their names: two batches that
# hold the same names then never wait for one another in a circle.
_INSERT = """
WITH brought AS (
    INSERT INTO rp_request (request_id, route, received_at, api_key_id, trust,
                            signature, sent_key_id, key_id, timestamp, nonce, length, digest)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id, received_at, api_key_id, trust
), numbered AS MATERIALIZED (
    SELECT nextval('rp_event_id_seq') AS id, event.*
    FROM unnest($14::text[], $15::text[], $16::text[], $17::text[], $18::text[])
        AS event (key_id, type, message_id, integrity_signature, content)
)
INSERT INTO rp_event (id, request, received_at, api_key_id, key_id, live, trust, type, message_id,
                      integrity_signature, content)
SELECT numbered.id, brought.id, received_at, api_key_id, key_id, $13::boolean, trust, type, message_id,
       integrity_signature, content
FROM brought, numbered ORDER BY message_id COLLATE "C", numbered.id
ON CONFLICT (api_key_id, trust, message_id) DO NOTHING
"""
_FIRST = """
SELECT message_id, content FROM rp_event WHERE api_key_id = $1 AND trust = $2 AND message_id = ANY ($3::text[])
"""
_SELECT = """
SELECT e.id, e.message_id, e.type, e.content, e.integrity_signature, e.api_key_id, e.key_id, e.live, e.trust,
       e.received_at,
       r.request_id, r.route, r.received_at, r.api_key_id, r.trust,
       r.signature, r.sent_key_id, r.key_id, r.timestamp, r.nonce, r.length, r.digest
FROM rp_event AS e LEFT JOIN rp_request AS r ON r.id = e.request
WHERE e.id > $1::bigint AND ($2::text IS NULL OR e.api_key_id = $2) AND ($3::text IS NULL OR e.trust = $3)
  AND ($4::bigint IS NULL OR e.received_at >= $4) AND ($5::bigint IS NULL OR e.received_at <= $5)
ORDER BY e.id LIMIT $6::bigint
"""
_LAST_VERIFIED = "SELECT key_id, max(received_at) FROM rp_request WHERE key_id IS NOT NULL GROUP BY key_id"
_NUMBERS = frozenset({0, 9, 12, 18, 20})
_LIVE = 7


class PostgresEventStore:
    """Keeps events in PostgreSQL, for any number of machines (`rp_signing.ingest.store.EventStore`).

    Nonces are in the same database, and a nonce is claimed by the transaction that stores the events; tables that are
    made together need no waiting time (SPEC WIN-6, ``born = 0``). What was acknowledged survives the death of the
    server, and the loss of the machine with ``synchronous_standby_names``. Refuses after a fork.

    Rows are numbered before they are committed. Of requests that are stored at the same time, the higher number may be
    seen first: who follows the store reads the last seconds again.

    Args:
        where: the URL of a database (``postgresql://…``), in UTF-8; or a pool, which whoever made it closes
            (`rp_signing.stores.postgres.PostgresNonceStore` says what it has to be).
        clock: gives Unix seconds, for the claim; `time.time` when None.
        timeout: seconds within which a request is stored, or refused.
        read_only: make no table and write nothing, so that a role that may only SELECT will do; `store` then refuses.

    Raises:
        StoreError: the database cannot be reached, or the tables cannot be made; or it was to be read, and holds no
            event store.
        ModuleNotFoundError: psycopg is not installed (when this module is imported).
    """

    def __init__(
        self, where: str | Pool, clock: Clock | None = None, *, timeout: float = TIMEOUT, read_only: bool = False
    ) -> None:
        self._clock = clock
        self._read_only = read_only
        self._timeout = timeout
        self._process = os.getpid()
        self._claims = Claims()
        self._owned = isinstance(where, str)
        self._pool = connect(where, seconds=timeout) if isinstance(where, str) else where
        try:
            if read_only:
                self._told(_finding, _READING, timeout)
            else:
                self._told(_making, "no event store can be made in PostgreSQL", timeout)
        except BaseException:
            self.close()
            raise

    def store(self, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> Stored:
        """Claim the nonce and store the events (`rp_signing.ingest.store.EventStore.store` says what is raised)."""
        if os.getpid() != self._process:
            raise _unavailable(_FORKED)
        if self._read_only:
            raise _unavailable("the event store was opened to read alone")
        try:
            return converse(self._pool, self._timeout, lambda exchange: self._storing(exchange, request, events))
        except Failure as error:
            raise _unavailable(f"PostgreSQL: {words(error)}") from error

    def _storing(self, exchange: Exchange, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> Steps[Stored]:
        claim = None if request.claimed else request.claim
        if claim is None:
            exchange.begin()
            stored = yield from _write(exchange, request, events)
            yield from exchange.commit()
            return stored
        yield from self._claims.drop(exchange, claim, self._now)
        exchange.begin()
        token = yield from self._claims.within(exchange, claim, self._now)
        stored = yield from _write(exchange, request, events)
        yield from self._claims.commit(exchange, claim, token)
        return stored

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
        rows = self._read(_SELECT, after, api_key_id, trust, since, until, limit)
        return [_event(row) for row in rows]

    def scan(self, after: int = 0) -> Iterator[StoredEvent]:
        """Give every event with a higher row number, a page at a time."""
        while page := self.find(after=after, limit=_PAGE):
            yield from page
            after = page[-1].row_id

    def last_verified(self) -> dict[str, int]:
        """Give when each key id last verified a request (`rp_signing.ingest.store.EventStore.last_verified`)."""
        return {str(key_id): int(received_at or 0) for key_id, received_at in self._read(_LAST_VERIFIED)}

    def doctor(self) -> list[str]:
        """Say what is wrong with the database and its server, a sentence each."""
        return self._told(looking(self._now()), _READING, _READ_SECONDS)

    def close(self) -> None:
        """Close the connections, unless the pool is somebody else's."""
        if self._owned:
            self._pool.close()

    def __len__(self) -> int:
        return int(self._read("SELECT count(*) FROM rp_event")[0][0] or 0)

    def _read(self, text: str, *values: object) -> list[Row]:
        def flow(exchange: Exchange) -> Steps[list[Row]]:
            exchange.begin("READ ONLY")
            answer, _ = yield from exchange.run((text, values), ("COMMIT", ()))
            return answer.rows

        return self._told(flow, _READING, _READ_SECONDS)

    def _told(self, flow: Flow[_T], failed: str, seconds: float) -> _T:
        if os.getpid() != self._process:
            raise StoreError(_FORKED)
        try:
            return converse(self._pool, seconds, flow)
        except Failure as error:
            raise StoreError(f"{failed}: {words(error)}") from error

    def _now(self) -> float:
        return (self._clock or time.time)()


def _tables_are_there(exchange: Exchange) -> Steps[bool]:
    encoding, there = yield from exchange.run(("SHOW server_encoding", ()), (_THERE, ()))
    if encoding.rows[0][0] != "UTF8":
        raise StoreError(f"the database is in {encoding.rows[0][0]}; events are kept in one in UTF8")
    return there.rows[0][0] == "2"


def _finding(exchange: Exchange) -> Steps[None]:
    exchange.begin("READ ONLY")
    if not (yield from _tables_are_there(exchange)):
        raise StoreError(
            "the database holds no event store: the tables rp_event and rp_request are not where this role looks"
        )
    yield from exchange.run(("COMMIT", ()))


def _making(exchange: Exchange) -> Steps[None]:
    exchange.begin()
    # Events without their nonces have lost these; where both are new, nothing was accepted.
    old = yield from _tables_are_there(exchange)
    yield from create_tables(exchange, floor(time.time()) if old else 0)
    if not old:
        yield from make_alone(exchange)
        yield from exchange.run(*((text, ()) for text in _TABLES))
    yield from exchange.commit()


def _write(exchange: Exchange, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> Steps[Stored]:
    (written,) = yield from exchange.run((_INSERT, _values(request, events)))
    if written.changed < len(events):
        yield from _refuse_other_content(exchange, request, events)
    return Stored(written.changed, len(events) - written.changed)


def _values(request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> list[object]:
    columns = ("key_id", "type", "message_id", "integrity_signature", "content")
    return [
        *StoredRequest.of(request),
        "true" if request.live else "false",
        *(_array([getattr(event, column) for event in events]) for column in columns),
    ]


def _array(values: Sequence[str | None]) -> str:
    """Write an array as PostgreSQL reads it."""
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _refuse_other_content(exchange: Exchange, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> Steps[None]:
    """Tell duplicates from conflicts: what stands in the table now, from before or from this batch, came first."""
    names = _array([event.message_id for event in events])
    (answer,) = yield from exchange.run((_FIRST, (request.api_key_id, request.trust, names)))
    first = {message_id: content for message_id, content in answer.rows}  # noqa: C416 - rows have any length
    if not all(event.message_id in first for event in events):
        raise _unavailable("an event that stood in the way has been deleted meanwhile")
    conflicts = [index for index, event in enumerate(events) if first[event.message_id] != event.content]
    if conflicts:
        raise MessageIdConflict(conflicts)


def _event(row: Row) -> StoredEvent:
    values: list[Any] = [
        int(value) if index in _NUMBERS and value is not None else value for index, value in enumerate(row)
    ]
    values[_LIVE] = values[_LIVE] == "t"
    request = None if values[10] is None else StoredRequest(*values[10:])
    return StoredEvent._make((*values[:10], request))


def _unavailable(detail: str) -> VerificationError:
    return VerificationError(Reason.EVENT_STORE_UNAVAILABLE, detail)
