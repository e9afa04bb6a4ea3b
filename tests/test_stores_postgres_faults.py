"""Nonces in PostgreSQL when the server, the network or the disk fails: refused in time, and nothing fails open."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg_pool
import pytest
from parties import NOW, Clock, reason, refusal
from postgres_server import (
    PATIENCE,
    OpenedStore,
    PostgresServer,
    execute,
    postgres_store,
    shared_server,
)
from proxy import Proxy
from test_stores_postgres import claim

from rp_signing import Reason, StoreError, VerificationError
from rp_signing.stores.postgres import AsyncPostgresNonceStore, connect

SECONDS = 0.7
SLACK = 2.0


@pytest.fixture
def url() -> str:
    """What stands for an empty database."""
    return shared_server().schema()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of its own, to be stopped and starved."""
    with PostgresServer() as server:
        yield server


def warmed(url: str, **options: Any) -> OpenedStore:
    """A store whose one connection has been used."""
    store = postgres_store(url, timeout=SECONDS, size=1, **options)
    store.claim(claim(nonce="w" * 22), Clock())
    return store


def timed(call: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a call raised or gave, and how many seconds it took."""
    started = time.monotonic()
    try:
        told = call(*arguments)
    except VerificationError as error:
        told = error.reason
    return told, time.monotonic() - started


def retried(store: OpenedStore, nonce: str) -> int:
    """The token of an honest sender who tries the same bytes again for as long as the store is unavailable."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        told, _ = timed(store.claim, claim(nonce=nonce), Clock())
        if told != Reason.REPLAY_STORE_UNAVAILABLE:
            break
    assert not isinstance(told, Reason), told
    return int(told)


def test_a_server_that_is_stopped_is_unavailable(server: PostgresServer) -> None:
    """R13, R14: SIGSTOP on a warmed connection: refused in time; the honest retry of the same bytes gets through."""
    store = warmed(server.schema())
    server.pause()
    try:
        told, seconds = timed(store.claim, claim(), Clock())
    finally:
        server.resume()
    assert told == Reason.REPLAY_STORE_UNAVAILABLE
    assert seconds < SECONDS + SLACK
    retried(store, "n" * 22)
    assert reason(store.claim, claim(), Clock()) == Reason.REPLAYED
    store.close()


def test_an_event_loop_is_not_held_up(server: PostgresServer) -> None:
    """R14: the async store has the same deadline, and other coroutines go on meanwhile."""

    async def run() -> tuple[Any, float, int]:
        async with psycopg_pool.AsyncConnectionPool(server.schema(), min_size=1, max_size=1) as pool:
            store = AsyncPostgresNonceStore(pool, born=0, timeout=SECONDS)
            await store.aclaim(claim(nonce="w" * 22), Clock())
            server.pause()
            started, turns = time.monotonic(), 0
            claiming = asyncio.create_task(store.aclaim(claim(), Clock()))
            try:
                while not claiming.done():
                    await asyncio.wait([claiming], timeout=SECONDS / 10)
                    turns += 1
            finally:
                server.resume()
            error = claiming.exception()
            assert isinstance(error, VerificationError)
            return error.reason, time.monotonic() - started, turns

    told, seconds, turns = asyncio.run(run())
    assert (told, turns > 5) == (Reason.REPLAY_STORE_UNAVAILABLE, True)
    assert seconds < SECONDS + SLACK


def test_a_network_that_swallows_everything_is_unavailable(url: str) -> None:
    """R13: refused in time; the server frees what the lost client held, and the same bytes get through."""
    with Proxy(shared_server().port) as proxy:
        store = warmed(url.replace(f":{shared_server().port}/", f":{proxy.port}/"))
        proxy.lose_answers()
        told, seconds = timed(store.claim, claim(), Clock())
        assert told == Reason.REPLAY_STORE_UNAVAILABLE
        assert seconds < SECONDS + SLACK
        retried(store, "n" * 22)
        store.close()


def test_a_release_that_gets_no_answer_is_an_error(url: str) -> None:
    """R12: the caller is told that the claim may stand, in time."""
    with Proxy(shared_server().port) as proxy:
        store = warmed(url.replace(f":{shared_server().port}/", f":{proxy.port}/"))
        token = store.claim(claim(), Clock())
        proxy.hold()
        with pytest.raises(StoreError, match="could not be released: no answer within"):
            store.release(claim(), token)
        proxy.go()
        assert reason(store.claim, claim(), Clock()) == Reason.REPLAYED
        store.close()


@pytest.mark.parametrize(("how", "words"), [("statement_timeout", "no answer within"), ("cancelled", "canceling wait")])
def test_a_commit_without_its_standby_is_no_success(server: PostgresServer, how: str, words: str) -> None:
    """R6: a COMMIT that gave up waiting for its standby, by a timeout or by hand, succeeds; the claim is refused."""
    url = server.schema()
    store = postgres_store(
        f"{url}%20-cstatement_timeout%3D200", timeout=PATIENCE if how == "cancelled" else SECONDS, size=1
    )
    store.claim(claim(nonce="w" * 22), Clock())
    server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
    told: list[VerificationError] = []
    claiming = threading.Thread(target=lambda: told.append(refusal(store.claim, claim(), Clock())))
    try:
        wait_until(url, "SELECT current_setting('synchronous_standby_names') = 'nobody'")
        claiming.start()
        waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'COMMIT%'"
        wait_until(url, f"SELECT count(*) > 0 {waiting}")
        if how == "cancelled":
            execute(url, f"SELECT pg_cancel_backend(pid) {waiting}")
        claiming.join(PATIENCE)
    finally:
        server.execute("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    assert [(one.reason, words in one.detail) for one in told] == [(Reason.REPLAY_STORE_UNAVAILABLE, True)]
    # It stands nevertheless, with a token that nobody holds: the next copy takes it over, and no other.
    wait_until(url, "SELECT count(*) = 2 FROM rp_nonce")
    other = postgres_store(url)
    assert reason(other.claim, claim(), Clock()) == Reason.REPLAYED
    token = retried(store, "n" * 22)
    assert reason(store.claim, claim(), Clock()) == Reason.REPLAYED
    store.release(claim(), token)
    other.claim(claim(), Clock())
    assert reason(store.claim, claim(), Clock()) == Reason.REPLAYED
    other.close()
    store.close()


def wait_until(url: str, question: str) -> None:
    """Ask until the answer is yes."""
    until = time.monotonic() + PATIENCE
    while execute(url, question) != [(True,)]:
        assert time.monotonic() < until


def test_no_connection_in_time_is_unavailable(url: str) -> None:
    """R14: when every connection is busy, the claim is refused in time."""
    store = warmed(url)
    connection = store._pool.getconn()
    told, seconds = timed(store.claim, claim(), Clock())
    store._pool.putconn(connection)
    assert told == Reason.REPLAY_STORE_UNAVAILABLE
    assert seconds < SECONDS + SLACK
    store.claim(claim(), Clock())
    store.close()


@pytest.mark.parametrize(("state", "told"), [("53100", "replay_store_full"), ("58030", "replay_store_unavailable")])
def test_a_full_disk_has_a_reason_of_its_own(url: str, state: str, told: str) -> None:
    """R2: a server whose disk is full refuses as a full store; every other error of it is unavailable."""
    store = warmed(url)
    execute(
        url,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'no space left for %', NEW.nonce USING ERRCODE = '{state}'; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON rp_nonce FOR EACH ROW EXECUTE FUNCTION fail()",
    )
    error = refusal(store.claim, claim(), Clock())
    assert (error.reason, error.retry_after) == (told, 1)
    assert "PostgreSQL: no space left" in error.detail
    execute(url, "DROP TRIGGER fail ON rp_nonce")
    store.claim(claim(), Clock())
    store.close()


def test_a_server_that_was_killed_is_found_again(server: PostgresServer) -> None:
    """R14: after a crash of the server the store goes on by itself, with all that it had acknowledged."""
    store = warmed(server.schema())
    server.kill()
    assert timed(store.claim, claim(), Clock())[0] == Reason.REPLAY_STORE_UNAVAILABLE
    server.start()
    retried(store, "n" * 22)
    assert reason(store.claim, claim(nonce="w" * 22), Clock()) == Reason.REPLAYED
    store.close()


def test_the_doctor_names_a_careless_server() -> None:
    """R5, R6: a server that does not wait for its disk or its standby, and a standby itself, are named."""
    with PostgresServer({"fsync": "off", "full_page_writes": "off"}) as server:
        store = postgres_store(server.conninfo())
        assert [finding.split(":")[0] for finding in store.doctor()] == ["fsync is off", "full_page_writes is off"]
        with PostgresServer(copy_of=server) as standby:
            wait_until(server.conninfo(), "SELECT count(*) > 0 FROM pg_stat_replication")
            assert "synchronous_standby_names is empty" in store.doctor()[-1]
            store.close()
            wait_until(standby.conninfo(), "SELECT count(*) > 0 FROM pg_class WHERE relname = 'rp_nonce_store'")
            store._pool = connect(standby.conninfo())
            assert "this server is a standby" in store.doctor()[0]
            assert reason(store.claim, claim(), Clock()) == Reason.REPLAY_STORE_UNAVAILABLE
            store.close()


def test_what_cannot_be_reached_is_said(url: str) -> None:
    """R14: no server is a StoreError when the store is made; a closed pool refuses, and releases nothing."""
    with pytest.raises(StoreError, match="no nonce store can be made"):
        postgres_store("postgresql://postgres@127.0.0.1:1/none", timeout=0.3)
    store = postgres_store(url)
    token = store.claim(claim(), Clock())
    store.close()
    assert refusal(store.claim, claim(), Clock()).reason == Reason.REPLAY_STORE_UNAVAILABLE
    with pytest.raises(StoreError, match="could not be released"):
        store.release(claim(), token)
    with pytest.raises(StoreError, match="cannot be read"):
        len(store)


def test_the_window_is_looked_at_when_the_connection_is_there(url: str) -> None:
    """VER-11: a claim that waited for a connection until its second was over is refused, and leaves nothing."""
    store, clock = warmed(url), Clock()
    store._timeout = PATIENCE
    connection = store._pool.getconn()
    told: list[Any] = []
    claiming = threading.Thread(target=lambda: told.append(timed(store.claim, claim(), clock)[0]))
    claiming.start()
    while not store._pool.get_stats().get("requests_waiting"):
        assert claiming.is_alive()
    clock.now = NOW + 301
    store._pool.putconn(connection)
    claiming.join(PATIENCE)
    assert told == [Reason.TIMESTAMP_EXPIRED]
    assert len(store) == 1
    store.close()
