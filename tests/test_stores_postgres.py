"""What nonces in PostgreSQL promise beside the contract of test_stores.py: transactions, drops, tables, doctor."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from parties import NOW, Clock, reason
from postgres_server import PATIENCE, execute, postgres_store, shared_server

from rp_signing import Claim, Reason
from rp_signing.replay import Window
from rp_signing.stores import postgres_claim
from rp_signing.stores.findings import NO_RECORD
from rp_signing.stores.postgres import PostgresNonceStore, connect

WIDE = Window(100_000, 60)


def claim(timestamp: int = NOW, nonce: str = "n" * 22, api_key_id: str = "a" * 16, window: Window = Window()) -> Claim:  # noqa: B008  # immutable
    """A claim as the gate makes it."""
    return Claim(api_key_id, None, timestamp, nonce, 2, "d" * 64, "k" * 16, "sha256=" + "0" * 64, False, False, window)


@pytest.fixture
def url() -> str:
    """What stands for an empty database."""
    return shared_server().schema()


@pytest.fixture
def store(url: str) -> Iterator[PostgresNonceStore]:
    """A store that nothing was accepted before."""
    store = postgres_store(url)
    yield store
    store.close()


def drop(connection: psycopg.Connection[Any], now: int, past: int = 300) -> int:
    """What a claim does at that time before it claims, on a connection of the test's own; gives how many went."""
    return psycopg.RawCursor(connection).execute(postgres_claim._DROP.encode(), (now, past)).rowcount


def wait_for_a_lock(url: str) -> None:
    """Come back when somebody waits for a lock of the test's own connection."""
    until = time.monotonic() + PATIENCE
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%rp_forgotten%'"
    while execute(url, waiting) == [(0,)]:
        assert time.monotonic() < until


def test_a_drop_beside_a_claim_with_an_older_snapshot(url: str, store: PostgresNonceStore) -> None:
    """R1: a claim that began before a drop, and goes on after it, does not put the dropped nonce in again."""
    store.claim(claim(), Clock())
    told: list[Reason] = []
    late = threading.Thread(target=lambda: told.append(reason(store.claim, claim(window=WIDE), Clock(NOW + 5))))
    with psycopg.connect(url) as dropping:
        assert drop(dropping, NOW + 301) == 1
        late.start()
        wait_for_a_lock(url)
        dropping.commit()
        late.join(PATIENCE)
    assert told == [Reason.TIMESTAMP_FORGOTTEN]
    assert len(store) == 0


def test_a_drop_leaves_alone_what_is_being_claimed(url: str, store: PostgresNonceStore) -> None:
    """R1: while a claim of an old timestamp is under way, its lane is not dropped, and nobody waits."""
    store.claim(claim(), Clock())
    store.claim(claim(NOW - 256), Clock())
    impatient = f"{url}%20-clock_timeout%3D1000"
    with psycopg.connect(url) as claiming, psycopg.connect(impatient, autocommit=True) as dropping:
        values = ("a" * 16, NOW, "m" * 22, 1)
        psycopg.RawCursor(claiming).execute(postgres_claim._CLAIM.encode(), values)
        assert drop(dropping, NOW + 5000) == 1
        assert execute(url, "SELECT timestamp FROM rp_nonce") == [(NOW,)]
        claiming.commit()
        assert drop(dropping, NOW + 5000) == 2
        assert drop(dropping, NOW + 5000) == 0


def test_a_look_for_what_is_old_reads_no_live_nonce(url: str, store: PostgresNonceStore) -> None:
    """R20: looking for what may be dropped costs the same among ten nonces and among millions: it is found by index."""
    with psycopg.connect(f"{url}%20-cenable_seqscan%3Doff%20-cenable_bitmapscan%3Doff") as looking:
        statement = f"EXPLAIN {postgres_claim._DROP}".encode()
        plan = psycopg.RawCursor(looking).execute(statement, (NOW, 300)).fetchall()
    assert [line for (line,) in plan if "Index Cond" in line and '"timestamp" <' in line]


def test_drops_do_not_wait_for_one_another(url: str, store: PostgresNonceStore) -> None:
    """Two that drop at once share the work: what one holds, or a release, the other leaves."""
    for key in "ab":
        store.claim(claim(api_key_id=key * 16), Clock())
    impatient = f"{url}%20-clock_timeout%3D1000"
    with psycopg.connect(url) as first, psycopg.connect(impatient, autocommit=True) as second:
        assert drop(first, NOW + 301) == 2
        assert drop(second, NOW + 301) == 0
        first.rollback()
        psycopg.RawCursor(first).execute(b"DELETE FROM rp_nonce WHERE api_key_id = repeat('a', 16)")
        assert drop(second, NOW + 301) == 1
        first.rollback()
        assert drop(second, NOW + 301) == 1


def test_a_claim_drops_a_few_rows_at_a_time(url: str, store: PostgresNonceStore) -> None:
    """R20: a claim drops a thousand rows at the most; the next ones go on until all is done, then once a second."""
    store.claim(claim(NOW - 1), Clock())
    old = f"INSERT INTO rp_nonce SELECT {NOW - 9} + n %% 9, repeat('a', 16), n, n FROM generate_series(1, %s) n"  # noqa: S608
    execute(url, old % 2400)
    left = []
    for number in range(4):
        store.claim(claim(NOW + 301, f"{number:022d}"), Clock(NOW + 301))
        left.append(len(store) - number - 1)
    assert left == [1401, 401, 0, 0]
    execute(url, old % 1)
    store.claim(claim(NOW + 301, "y" * 22), Clock(NOW + 301))
    assert len(store) == 6
    store.claim(claim(NOW + 302), Clock(NOW + 302))
    assert len(store) == 6


def test_a_clock_that_runs_ahead_of_the_server_drops_nothing(store: PostgresNonceStore) -> None:
    """R15: dropping goes by the smaller of the caller's clock and the server's own."""
    now = int(time.time())
    store.claim(claim(now), Clock(now))
    store.claim(claim(now + 9000), Clock(now + 9000))
    assert len(store) == 2
    assert reason(store.claim, claim(now), Clock(now)) == Reason.REPLAYED
    store.claim(claim(now, "m" * 22), Clock(now))


@pytest.mark.parametrize(("default", "inside"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_a_claim_is_committed_durably(url: str, store: PostgresNonceStore, default: str, inside: str) -> None:
    """R6: whatever `synchronous_commit` is by default, in a claim and in a release it is `on` or more."""
    execute(
        url,
        "CREATE TABLE seen (setting text)",
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$",
        "CREATE TRIGGER see AFTER INSERT OR DELETE ON rp_nonce FOR EACH ROW EXECUTE FUNCTION see()",
    )
    careless = postgres_store(f"{url}%20-csynchronous_commit%3D{default}")
    careless.release(claim(), careless.claim(claim(), Clock()))
    careless.close()
    assert execute(url, "SELECT * FROM seen") == [(inside,), (inside,)]


def test_odd_defaults_do_no_harm(url: str) -> None:
    """A session that is read-only and serializable by default, and prepares nothing, claims like any other."""
    store = postgres_store(
        f"{url}%20-cdefault_transaction_read_only%3Don%20-cdefault_transaction_isolation%3Dserializable"
        "%20-cclient_encoding%3DLATIN1"
    )
    store._pool.kwargs["prepare_threshold"] = None  # type: ignore[index, call-overload]
    store._pool.check()
    store.claim(claim(), Clock())
    assert reason(store.claim, claim(), Clock()) == Reason.REPLAYED
    store.close()


def test_prepared_statements_may_get_lost(url: str) -> None:
    """A pool that discards all when a connection comes back costs no claim."""
    pool = connect(url, size=1)
    pool._reset = lambda connection: connection.pgconn.exec_(b"DISCARD ALL")
    store = PostgresNonceStore(pool, born=0)
    for number in range(5):
        store.claim(claim(nonce=f"{number:022d}"), Clock())
    assert len(store) == 5
    pool.close()


def test_refusals_cost_no_connection(url: str) -> None:
    """After refusals of every kind the one connection of the pool is still the first one, and goes on."""
    store = postgres_store(url, size=1)
    store.claim(claim(), Clock())
    told = [reason(store.claim, claim(), Clock()) for _ in range(20)]
    told += [reason(store.claim, claim(NOW + 99), Clock())]
    assert Counter(told) == {Reason.REPLAYED: 20, Reason.TIMESTAMP_FUTURE: 1}
    store.claim(claim(nonce="m" * 22), Clock())
    assert store._pool.get_stats()["connections_num"] == 1
    store.close()


@pytest.mark.parametrize("emptied", ["rp_nonce", "rp_forgotten", "rp_nonce, rp_forgotten", "rp_forgotten CASCADE"])
def test_a_truncated_table_forgets_nothing_in_silence(url: str, store: PostgresNonceStore, emptied: str) -> None:
    """R9, WIN-6: TRUNCATE, by whoever wants room, makes every store refuse until one is opened, which is born then."""
    now = int(time.time())
    store.claim(claim(now), Clock(now))
    execute(url, f"TRUNCATE {emptied}")
    assert reason(store.claim, claim(now), Clock(now)) == Reason.REPLAY_STORE_UNAVAILABLE
    assert NO_RECORD in store.doctor()
    again = postgres_store(url, born=None)
    for one in (store, again):
        assert reason(one.claim, claim(now), Clock(now)) == Reason.SIGNED_BEFORE_START
    again.close()


def test_stores_are_made_at_once(url: str) -> None:
    """Any number of processes may find an empty database at the same time: its tables are made once."""
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda _: postgres_store(url, size=1), range(6)))
    stores[0].claim(claim(), Clock())
    assert [reason(store.claim, claim(), Clock()) for store in stores] == [Reason.REPLAYED] * 6
    for store in stores:
        store.close()


def test_the_tables_outlive_the_store(url: str, store: PostgresNonceStore) -> None:
    """R7, R9: opened again, a store refuses what it took, and `born` counts no more."""
    token = store.claim(claim(), Clock())
    again = postgres_store(url, born=NOW)
    assert reason(again.claim, claim(), Clock()) == Reason.REPLAYED
    again.release(claim(), token)
    again.claim(claim(), Clock())
    again.close()


@pytest.mark.parametrize("lost", ["rp_nonce", "rp_forgotten", "rp_nonce_store"])
def test_a_table_that_is_gone_is_not_made_in_silence(url: str, store: PostgresNonceStore, lost: str) -> None:
    """R9: under a running store it makes every claim refused; the next store makes it anew and is born then."""
    store.claim(claim(), Clock())
    execute(url, f"DROP TABLE {lost}")
    assert reason(store.claim, claim(), Clock()) == Reason.REPLAY_STORE_UNAVAILABLE
    born = 0 if lost != "rp_nonce_store" else None
    again = postgres_store(url, born=born)
    now = time.time()
    assert reason(again.claim, claim(int(now)), Clock(now)) == Reason.SIGNED_BEFORE_START
    again.close()


def test_a_lost_record_refuses(url: str, store: PostgresNonceStore) -> None:
    """R9: without the record of its birth nothing is claimed, and the doctor says so."""
    execute(url, "TRUNCATE rp_nonce_store")
    assert reason(store.claim, claim(), Clock()) == Reason.REPLAY_STORE_UNAVAILABLE
    assert len(store) == 0
    assert "born is gone" in "".join(store.doctor())


def test_the_doctor_finds_nothing_wrong(store: PostgresNonceStore) -> None:
    """A store that is well has no findings, and nothing to put right."""
    store.claim(claim(), Clock())
    assert store.doctor() == []
    assert store.clear_future() == 0


def test_the_doctor_names_what_is_wrong(url: str, store: PostgresNonceStore) -> None:
    """A clock that ran ahead, an unlogged table, commits that may be lost, clocks apart: a sentence each."""
    now = int(time.time())
    store.claim(claim(now), Clock(now))
    execute(url, f"UPDATE rp_forgotten SET through = {now + 500} WHERE lane = 2")  # noqa: S608
    execute(url, "ALTER TABLE rp_nonce SET UNLOGGED")
    careless = postgres_store(f"{url}%20-csynchronous_commit%3Doff")
    findings = careless.doctor(now)
    assert [words in findings[place] for place, words in enumerate(("unlogged", "is off by default", "up to 500 s"))]
    assert len(findings) == 3
    assert " s ahead" in careless.doctor(now - 60)[2]  # 60, and what has passed since
    careless.close()
    assert reason(store.claim, claim(now + 60, "m" * 22), Clock(now)) == Reason.TIMESTAMP_FORGOTTEN
    assert store.clear_future(now) == 1
    assert reason(store.claim, claim(now + 60, "m" * 22), Clock(now)) == Reason.TIMESTAMP_FORGOTTEN
    store.claim(claim(now + 61, "m" * 22), Clock(now + 1))


def test_a_missing_extra_is_named() -> None:
    """Without psycopg, the line to type is said."""
    for module in ("stores.postgres", "ingest.postgres"):
        code = f"import sys; sys.modules['psycopg'] = None; import rp_signing.{module}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "pip install 'rp-signing[postgres]'" in done.stderr.splitlines()[-1]
