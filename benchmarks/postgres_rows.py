"""The stores on a disk, PostgreSQL and SQLite: time a claim, bytes a nonce, rows a second."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import psycopg
from claimants import claim
from postgres_server import OpenedStore, PostgresServer, execute, postgres_store

from rp_signing import Claim
from rp_signing.ingest.postgres import _INSERT, PostgresEventStore, _values
from rp_signing.ingest.store import ReceivedEvent, ReceivedRequest
from rp_signing.stores import postgres_claim
from rp_signing.stores.sqlite import SQLiteNonceStore

from .measure import Goal, Row, Work, in_turn, row_of

FEW, MANY = 10_000, 1_000_000
"""Live nonces of a small and of a large store."""

START = int(time.time())
"""Unix seconds at which all of this happens: nothing is dropped meanwhile."""

_KEY_BYTES = 8 + 16 + 22
_BATCH = 500
_THREADS, _EACH = 8, 50
_CLAIM = postgres_claim._CLAIM.encode()

# In the order in which requests come: later seconds later, and at random within one.
_FILL = """
INSERT INTO rp_nonce SELECT {start} - 299 + n * 300::bigint / {nonces}, repeat('a', 16),
    left(translate(encode(decode(md5(n::text), 'hex'), 'base64'), '+/', '-_'), 22), n
FROM generate_series(0, {nonces} - 1) AS n
"""


def _clock() -> float:
    return START


def _fresh() -> Claim:
    return claim(START, secrets.token_urlsafe(16))


def _filled(server: PostgresServer, nonces: int) -> tuple[str, OpenedStore]:
    """Give the URL of a database with so many live nonces, and a store of one connection."""
    url = server.schema()
    store = postgres_store(url, size=1)
    store.claim(_fresh(), _clock)
    execute(url, _FILL.format(start=START, nonces=nonces), "VACUUM ANALYZE rp_nonce", "CHECKPOINT")
    return url, store


def _claims(url: str, store: OpenedStore) -> Row:
    """Time a claim beside psycopg on one connection, with the commit looked at apart from the answer, and at once."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = psycopg.RawCursor(connection)

        def send() -> None:
            one = _fresh()
            cursor.execute(_CLAIM, (one.api_key_id, one.timestamp, one.nonce, 1), prepare=True).fetchone()

        def send_and_commit() -> None:
            with connection.transaction():
                send()

        works = {
            "ours": Work(lambda: store.claim(_fresh(), _clock), most=50),
            "floor": Work(send_and_commit, most=50),
            "psycopg, autocommit: no word between claim and commit": Work(send, most=50),
        }
        samples = in_turn(works, 4.0)
    rate = 1 / samples.ratio("ours", "floor")
    goals = [Goal("claims/s ≥ 90 % of the bare client", rate, 0.9, least=True)]
    note = f"{1 / samples.median('ours'):,.0f} claims/s on one connection, each on the server's disk"
    return row_of("PostgreSQL store, claim", samples, "psycopg: BEGIN, the same statement, COMMIT", goals, note)


def _last_hundredths(calls: dict[int, Callable[[], object]], rounds: int = 9, count: int = 300) -> dict[int, float]:
    """Time calls one by one, in turn; the median over the rounds of each one's 99th of a hundred, seconds."""
    seen: dict[int, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        spans: dict[int, list[float]] = {name: [] for name in calls}
        for _ in range(count):
            for name, call in calls.items():
                begun = perf_counter()
                call()
                spans[name].append(perf_counter() - begun)
        for name in calls:
            seen[name].append(quantiles(spans[name], n=100)[98])
    return {name: median(values) for name, values in seen.items()}


def _growth(kind: str, stores: dict[int, Any]) -> Row:
    """Compare the slowest claims among few and among many."""
    seen = _last_hundredths({live: lambda store=store: store.claim(_fresh(), _clock) for live, store in stores.items()})  # type: ignore[misc]
    ratio = seen[MANY] / seen[FEW]
    goals = [Goal(f"p99 as at {FEW:,} (≤ 1.5 ×)", ratio, 1.5)]
    note = "99th of a hundred claims, median of 9 rounds of 300, in turn"
    return Row(
        f"{kind} store, p99 at {MANY:,} live", seen[MANY], seen[FEW], ratio, f"{FEW:,} live", {}, goals, note=note
    )


def _size(kind: str, bytes_of_all: float, note: str) -> Row:
    each = bytes_of_all / MANY
    floor = "timestamp, api key id and nonce, plain"
    return Row(f"{kind} store, size", each, _KEY_BYTES, each / _KEY_BYTES, floor, unit="B", note=note)


def _insert() -> Iterator[Row]:
    """Time a batch of events beside one bare statement, and beside `executemany`."""
    plain = """INSERT INTO rp_event (request, received_at, api_key_id, live, trust, type, message_id, content)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (api_key_id, trust, message_id) DO NOTHING"""
    content = (
        '{"event":"Order Completed","properties":{"total":42.5,"currency":"EUR"},"type":"track","userId":"user-123"}'
    )
    with PostgresServer() as server, ExitStack() as stack:
        url = server.schema()
        store = PostgresEventStore(url)
        stack.callback(store.close)
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        cursor = psycopg.RawCursor(connection)

        batches: list[tuple[ReceivedRequest, list[ReceivedEvent]]] = []

        def prepare() -> None:
            events = [ReceivedEvent(secrets.token_hex(16), "track", content, None, None) for _ in range(_BATCH)]
            batches.append((ReceivedRequest(secrets.token_hex(16), "batch", START, "a" * 16, False, None), events))

        def bare() -> None:
            with connection.transaction():
                cursor.execute(_INSERT.encode(), _values(*batches.pop()), prepare=True)

        def many() -> None:
            request, events = batches.pop()
            shared = (1, START, request.api_key_id, False, "standard", "track")
            with connection.transaction(), connection.cursor() as plain_cursor:
                plain_cursor.executemany(plain, [(*shared, event.message_id, event.content) for event in events])

        calls = {"ours": lambda: store.store(*batches.pop()), "floor": bare, "executemany": many}
        busy = {}
        for name, call in calls.items():
            for _ in range(20):
                prepare()
            begun = process_time()
            for _ in range(20):
                call()
            busy[name] = (process_time() - begun) / 20
        samples = in_turn({name: Work(call, prepare, most=1) for name, call in calls.items()}, 4.0)
    goals = [Goal("more rows/s than executemany", samples.ratio("executemany", "ours"), 1.0, least=True)]
    rates = ", ".join(f"{name} {_BATCH / samples.median(name):,.0f}" for name in samples.seconds)
    times = ", ".join(f"{name} {seconds * 1e3:.1f}" for name, seconds in busy.items())
    note = f"rows/s: {rates}; ms of the client's processor a batch: {times}"
    yield row_of(f"PostgreSQL events, batch of {_BATCH}", samples, "psycopg, the same statement", goals, note)


def _postgres() -> Iterator[Row]:
    with PostgresServer() as server:
        small, large = _filled(server, FEW), _filled(server, MANY)
        yield _claims(*small)
        yield _growth("PostgreSQL", {FEW: small[1], MANY: large[1]})
        parts = (
            "SELECT pg_total_relation_size('rp_nonce'), pg_relation_size('rp_nonce'), pg_relation_size('rp_nonce_pkey')"
        )
        whole, table, index = execute(large[0], parts)[0]
        yield _size("PostgreSQL", whole, f"{table / MANY:.0f} B in the table, {index / MANY:.0f} B in the index")
        for _, store in (small, large):
            store.close()


def _file(folder: Path, nonces: int) -> SQLiteNonceStore:
    """Give a file with so many live nonces."""
    path = folder / f"{nonces}.db"
    store = SQLiteNonceStore(path, born=0)
    rows = ((START - 299 + n * 300 // nonces, "a" * 16, secrets.token_urlsafe(16), n) for n in range(nonces))
    with closing(sqlite3.connect(path)) as filling, filling:
        filling.executemany("INSERT INTO rp_nonce VALUES (?, ?, ?, ?)", rows)
    store._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return store


def _bare_file(path: Path) -> sqlite3.Connection:
    """Give a file with the table alone, as durable as the store's."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE nonce (timestamp INTEGER, api_key_id TEXT, nonce TEXT, token INTEGER,"
        " PRIMARY KEY (timestamp, api_key_id, nonce)) WITHOUT ROWID"
    )
    return database


def _together(store: SQLiteNonceStore, insert: Callable[[], object]) -> Row:
    """Compare eight threads that claim at once, and share commits, with the bare transactions one after another."""
    with ThreadPoolExecutor(_THREADS) as pool:

        def claim_some(_: int) -> None:
            for _ in range(_EACH):
                store.claim(_fresh(), _clock)

        def insert_all() -> None:
            for _ in range(_EACH * _THREADS):
                insert()

        works = {
            "ours": Work(lambda: list(pool.map(claim_some, range(_THREADS))), most=1),
            "floor": Work(insert_all, most=1),
        }
        samples = in_turn(works, 4.0)
    rates = {name: _EACH * _THREADS / samples.median(name) for name in works}
    ratio = 1 / samples.ratio("ours", "floor")
    goals = [Goal("≥ 1 × the claims/s", ratio, 1.0, least=True)]
    floor = "sqlite3: the bare transactions, one by one"
    note = "those who wait for the file share a commit"
    return Row(
        f"SQLite store, {_THREADS} threads",
        rates["ours"],
        rates["floor"],
        ratio,
        floor,
        {},
        goals,
        unit="/s",
        note=note,
    )


def _sqlite() -> Iterator[Row]:
    with TemporaryDirectory() as place, closing(_bare_file(Path(place) / "bare.db")) as bare:
        folder = Path(place)
        stores = {live: _file(folder, live) for live in (FEW, MANY)}
        size = (folder / f"{MANY}.db").stat().st_size

        def insert() -> None:
            one = _fresh()
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT OR IGNORE INTO nonce VALUES (?, ?, ?, 1)", (one.timestamp, one.api_key_id, one.nonce))
            bare.execute("COMMIT")

        works = {"ours": Work(lambda: stores[MANY].claim(_fresh(), _clock), most=50), "floor": Work(insert, most=50)}
        samples = in_turn(works, 3.0)
        note = f"{1 / samples.median('ours'):,.0f} claims/s, each on the disk"
        yield row_of("SQLite store, claim", samples, "sqlite3: BEGIN IMMEDIATE, INSERT, COMMIT", [], note)
        yield _together(stores[MANY], insert)
        yield _growth("SQLite", stores)
        yield _size("SQLite", size, "one api key; the write-ahead log beside it grows to about 4 MB")
        for store in stores.values():
            store.close()


def rows() -> Iterator[Row]:
    """Measure the rows of this file."""
    yield from _postgres()
    yield from _insert()
    yield from _sqlite()
