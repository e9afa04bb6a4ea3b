"""What the event store in PostgreSQL promises beside the contract of test_event_store.py."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from event_store_kinds import MAC, claim_of, event, received
from parties import NOW, Clock, refusal
from postgres_server import PATIENCE, PostgresServer, execute, shared_server

from rp_signing import Reason, StoreError, VerificationError
from rp_signing.ingest.postgres import PostgresEventStore
from rp_signing.ingest.store import MessageIdConflict, ReceivedEvent, Stored
from rp_signing.stores.postgres import PostgresNonceStore, connect

SECONDS = 0.7


@pytest.fixture
def clock() -> Clock:
    """The clock of sender and store."""
    return Clock()


@pytest.fixture
def url() -> str:
    """What stands for an empty database."""
    return shared_server().schema()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[PostgresEventStore]:
    """A new event store."""
    store = PostgresEventStore(url, clock)
    yield store
    store.close()


def failing(url: str, when: str, then: str) -> None:
    """Make the database do something of its own with certain events."""
    execute(
        url,
        f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {then}; END $$",
        f"CREATE TRIGGER fail BEFORE INSERT ON rp_event FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION fail()",
    )


def all_at_once(store: PostgresEventStore, batches: list[list[ReceivedEvent]]) -> list[Any]:
    """What became of batches that are stored by a thread each, all starting together."""
    start = threading.Barrier(len(batches))

    def send(number: int) -> Any:
        start.wait()
        try:
            return store.store(received(number), batches[number])
        except VerificationError as error:
            return error.reason

    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(send, range(len(batches))))


def test_batches_in_other_orders_do_not_block_one_another(store: PostgresEventStore) -> None:
    """EVT-8: batches with the same names, in any order, at the same time: each event is stored once."""
    names = [f"m-{number:03d}" for number in range(200)]
    for turn in range(5):
        batch = [event(f"{turn}{name}") for name in names]
        outcomes = all_at_once(store, [batch, batch[::-1], batch[100:] + batch[:100], batch[::-1]])
        assert (sum(one.stored for one in outcomes), sum(one.duplicates for one in outcomes)) == (200, 600)
    assert len(store) == 1_000


def test_one_name_at_the_same_time(store: PostgresEventStore) -> None:
    """EVT-8: of several contents under one messageId one is stored, and the others are refused whole."""
    for turn in range(5):
        batches = [[event(f"{turn}-own-{n}"), event(f"{turn}", f"[{n % 2}]")] for n in range(6)]
        told = Counter(all_at_once(store, batches))
        assert told == {Stored(2, 0): 1, Stored(1, 1): 2, Reason.MESSAGE_ID_CONFLICT: 3}
    assert len(store) == 5 * 4


def test_a_conflict_that_arrives_while_it_is_stored(url: str, store: PostgresEventStore) -> None:
    """EVT-5: a batch that has waited for another one's commit sees what that stored, and leaves nothing."""
    failing(url, "NEW.message_id = 'slow'", "PERFORM pg_sleep(0.3); RETURN NEW")
    told: list[Any] = []
    first = threading.Thread(target=lambda: told.append(store.store(received(1), [event("m"), event("slow")])))
    first.start()
    while execute(url, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != [(1,)]:
        assert first.is_alive()
    with pytest.raises(MessageIdConflict) as caught:
        store.store(received(2), [event("x"), event("m", "[]")])
    first.join(PATIENCE)
    assert told == [Stored(2, 0)]
    assert caught.value.indexes == [1]
    assert len(store) == 2


def test_a_failure_leaves_nothing(url: str, store: PostgresEventStore, clock: Clock) -> None:
    """EVT-5: when one event of many cannot be written, nothing is, and the nonce can be used again."""
    failing(url, "NEW.message_id = 'm-30'", "RAISE EXCEPTION 'no' USING ERRCODE = '53100'")
    claim = claim_of("a", clock)
    batch = [event(f"m-{number}", "{}", MAC) for number in range(50)]
    error = refusal(store.store, received(1, claim), batch)
    assert (error.reason, error.status, error.retry_after) == (Reason.EVENT_STORE_UNAVAILABLE, 503, 1)
    execute(url, "DROP TRIGGER fail ON rp_event")
    assert execute(url, "SELECT (SELECT count(*) FROM rp_request), (SELECT count(*) FROM rp_nonce)") == [(0, 0)]
    assert store.store(received(1, claim), batch) == Stored(50, 0)


def test_an_event_that_is_neither_stored_nor_there_is_refused(url: str, store: PostgresEventStore) -> None:
    """Nothing is called a duplicate of a row that is not there."""
    failing(url, "NEW.message_id = 'gone'", "RETURN NULL")
    assert refusal(store.store, received(1), [event("m"), event("gone")]).reason is Reason.EVENT_STORE_UNAVAILABLE
    assert len(store) == 0


def test_nonces_that_were_lost_alone_are_not_forgotten_in_silence(url: str, store: PostgresEventStore) -> None:
    """WIN-6: where events are, nonces that have to be made anew are born now."""
    execute(url, "DROP TABLE rp_nonce, rp_forgotten, rp_nonce_store")
    assert refusal(store.store, received(1, claim_of("a", Clock())), []).reason is Reason.EVENT_STORE_UNAVAILABLE
    now = Clock(time.time())
    again = PostgresEventStore(url, now)
    assert refusal(again.store, received(1, claim_of("a", now)), [event("m")]).reason is Reason.SIGNED_BEFORE_START
    again.close()


def test_nonces_of_both_stores_are_the_same(url: str, store: PostgresEventStore, clock: Clock) -> None:
    """WIN-9: a middleware that keeps nonces in the database of the events refuses what the endpoint took."""
    claim = claim_of("a", clock)
    store.store(received(1, claim), [event("m", "{}", MAC)])
    with connect(url) as pool:
        nonces = PostgresNonceStore(pool)
        assert refusal(nonces.claim, claim, clock).reason is Reason.REPLAYED
        nonces.claim(claim_of("b", clock), clock)
        assert refusal(store.store, received(2, claim_of("b", clock)), [event("n")]).reason is Reason.REPLAYED
        borrowing = PostgresEventStore(pool, clock)
        borrowing.close()
        assert len(nonces) == 2


def test_a_server_that_is_stopped_is_unavailable() -> None:
    """R14: SIGSTOP: refused in time; the sender tries again with the same events, and they are stored once."""
    with PostgresServer() as server:
        store = PostgresEventStore(server.schema(), timeout=SECONDS)
        store.store(received(1), [event("warm")])
        server.pause()
        started = time.monotonic()
        told = refusal(store.store, received(2), [event("m")])
        seconds = time.monotonic() - started
        server.resume()
        assert (told.reason, seconds < SECONDS + 2) == (Reason.EVENT_STORE_UNAVAILABLE, True)
        while execute(server.conninfo(), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'") != [(1,)]:
            assert time.monotonic() < started + PATIENCE
        assert len(store) == 1
        assert store.store(received(3), [event("m")]) == Stored(1, 0)
        store.close()


def test_a_commit_without_its_standby_is_no_success(clock: Clock) -> None:
    """R6: events that no standby has are not acknowledged; the same bytes, sent again, are taken as duplicates."""
    claim = claim_of("a", clock)
    with PostgresServer({"statement_timeout": "300"}) as server:
        store = PostgresEventStore(server.conninfo(), clock, timeout=SECONDS)
        server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
        while server.execute("SELECT current_setting('synchronous_standby_names')") != [("nobody",)]:
            assert store
        assert refusal(store.store, received(1, claim), [event("m")]).reason is Reason.EVENT_STORE_UNAVAILABLE
        server.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
        while server.execute("SELECT current_setting('synchronous_standby_names')") != [("",)]:
            assert store
        assert store.store(received(2, claim), [event("m")]) == Stored(0, 1)
        assert refusal(store.store, received(3, claim), [event("m")]).reason is Reason.REPLAYED
        store.close()


def test_a_database_in_another_encoding_is_refused() -> None:
    """Events are any text; a database that cannot hold it is refused when the store is made."""
    server = shared_server()
    server.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    with pytest.raises(StoreError, match="LATIN1"):
        PostgresEventStore(server.conninfo("latin"))


def test_a_place_that_is_none_is_refused() -> None:
    """A server that is not there is a StoreError when the store is made."""
    with pytest.raises(StoreError, match="no event store can be made"):
        PostgresEventStore("postgresql://postgres@127.0.0.1:1/none", timeout=0.3)


def test_the_doctor_names_what_is_wrong(url: str, store: PostgresEventStore) -> None:
    """A lost record and a clock that ran ahead are each a sentence, as in the nonce store; so are clocks apart."""
    ahead = f"INSERT INTO rp_forgotten VALUES ('0123456789abcdef', 0, {NOW + 500})"  # noqa: S608
    execute(url, ahead, "DELETE FROM rp_nonce_store")
    findings = store.doctor()
    assert "born is gone" in findings[0]
    assert "clock is" in findings[1]
    assert "0123456789abcdef were dropped up to 500 s in the future" in findings[2]
