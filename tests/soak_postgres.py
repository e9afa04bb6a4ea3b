"""PostgreSQL under fire: servers and clients that are killed, stopped, cut off, and failed over."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import psycopg
from claimants import Load, claim, kill_clients, race, row, sent_until_told, told
from event_store_kinds import event
from postgres_server import PATIENCE, OpenedStore, PostgresServer, execute, postgres_store, shared_server
from proxy import Proxy
from soak_part import Advance, Part, Row

from rp_signing import Claim, Reason
from rp_signing.ingest.postgres import PostgresEventStore
from rp_signing.ingest.store import ReceivedRequest
from rp_signing.stores import postgres_claim

# Its warnings of servers that are gone would go through the progress bar.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

SECONDS = 1.0
"""How long these stores wait for a server, so that a round is short."""

Cluster = tuple[PostgresServer, list[PostgresServer], list[Proxy]]

CARELESS = {"synchronous_commit": "off", "wal_writer_delay": "10s"}


def race_for_a_table(nonces: int, advance: Advance) -> list[Row]:
    """Let eight processes claim the same nonces."""
    return race(postgres_store, shared_server().schema(), nonces, advance)


def kill_users(kills: int, advance: Advance) -> list[Row]:
    """Kill processes that claim."""
    return kill_clients(postgres_store, shared_server().schema(), kills, advance)


def kill_servers(kills: int, advance: Advance) -> list[Row]:
    """Kill a server whose commits do not wait for its disk while four threads claim; claim again what it had taken."""
    replayed, acknowledged = 0, 0
    with PostgresServer(CARELESS) as server:
        url = server.conninfo()
        for _ in range(kills):
            store = postgres_store(url, timeout=SECONDS)
            load = Load(partial(store.claim, clock=time.time))
            load.wait_for(100)
            server.kill()
            load.end()
            store.close()
            server.start()
            again = postgres_store(url)
            acknowledged += len(load.acknowledged)
            replayed += told(again, load.acknowledged)[Reason.REPLAYED]
            again.close()
            advance(1)
        # What people write first: a row, committed as the server is set to.
        execute(url, "CREATE TABLE naive (nonce int)", "CHECKPOINT")
        execute(url, *[f"INSERT INTO naive VALUES ({number})" for number in range(100)])  # noqa: S608
        server.kill()
        server.start()
        kept = execute(url, "SELECT count(*) FROM naive")[0][0]
    work = f"{kills:,} kills of a server with synchronous_commit off:"
    return [
        row(f"{work} of {acknowledged:,} acknowledged nonces, replayable", acknowledged - replayed),
        Row("one kill, plain INSERTs: of 100 rows, lost", "some", f"{100 - kept:,}", kept < 100),
    ]


def cut_off(
    rounds: int, advance: Advance, store: OpenedStore, cut: Callable[[], None], heal: Callable[[], None], what: str
) -> list[Row]:
    """Cut a store off while four threads claim; heal it, and send again what was acknowledged, and what was not."""
    again, copies, refused, slowest = Counter[str](), Counter[str](), 0, 0.0
    for _ in range(rounds):
        load = Load(partial(store.claim, clock=time.time))
        load.wait_for(20)
        cut()
        load.wait_until_refused()
        heal()
        again += sent_until_told(store, load.refused)
        copies += sent_until_told(store, [*load.acknowledged, *load.refused])
        refused += len(load.refused)
        slowest = max(slowest, load.slowest)
        advance(1)
    store.close()
    work = f"{rounds:,} × {what}:"
    in_time = slowest < 10
    return [
        Row(f"{work} slowest of {refused:,} refusals", "under 10 s", f"{slowest:.1f} s", in_time),
        row(f"{work} refused requests that get through when they are sent again", again["taken"], wanted=refused),
        row(f"{work} copies taken", copies["taken"]),
    ]


def stop(rounds: int, advance: Advance) -> list[Row]:
    """Stop every process of the server, and let them go on."""
    with PostgresServer() as server:
        store = postgres_store(server.conninfo(), timeout=SECONDS)
        return cut_off(rounds, advance, store, server.pause, server.resume, "SIGSTOP of the server")


def black_hole(rounds: int, advance: Advance) -> list[Row]:
    """Let the network swallow every answer on the connections that are open."""
    server = shared_server()
    with Proxy(server.port) as proxy:
        store = postgres_store(server.schema().replace(f":{server.port}/", f":{proxy.port}/"), timeout=SECONDS)
        return cut_off(rounds, advance, store, proxy.lose_answers, lambda: None, "black hole")


def drop_beside_claims(rounds: int, advance: Advance) -> list[Row]:
    """Let a claim begin before a drop and go on after it; beside it the statement without FOR SHARE."""
    locking, plain = postgres_claim._CLAIM, postgres_claim._CLAIM.replace("FOR SHARE", "")
    assert locking != plain
    url = shared_server().schema()
    store = postgres_store(url)
    again = Counter[str]()
    for number in range(rounds):
        for statement in (locking, plain):
            old = claim(1_000_000_000, "n" * 22)._replace(api_key_id=f"{statement is plain:x}{number:015x}")
            store.claim(old, lambda: 1_000_000_000)
            again[statement] += _claimed_beside_a_drop(url, statement, old)
        advance(1)
    store.close()
    return [
        row(f"{rounds:,} claims that began before a drop: taken a second time", again[locking]),
        Row("the same without FOR SHARE", f"{rounds:,}", f"{again[plain]:,}", again[plain] == rounds),
    ]


def _claimed_beside_a_drop(url: str, statement: str, old: Claim) -> int:
    """Claim with a snapshot from before a drop is committed, going on when it is; gives 1 when the nonce was taken."""
    told: list[Any] = []
    with psycopg.connect(url) as claiming, psycopg.connect(url) as dropping:

        def send() -> None:
            values = (old.api_key_id, old.timestamp, old.nonce, 1)
            told.append(psycopg.RawCursor(claiming).execute(statement.encode(), values).fetchone())
            claiming.commit()

        dropped = psycopg.RawCursor(dropping).execute(postgres_claim._DROP.encode(), (old.timestamp + 301, 300))
        assert dropped.rowcount
        late = threading.Thread(target=send)
        late.start()
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {claiming.info.backend_pid}"  # noqa: S608
        until_it_is(url, waiting, [(1,)])
        dropping.commit()
        late.join(PATIENCE)
    return int(told[0][3])


def until_it_is(url: str, question: str, answer: list[Any]) -> None:
    """Ask until the answer is this one."""
    until = time.monotonic() + PATIENCE
    while execute(url, question) != answer:
        assert time.monotonic() < until


@contextmanager
def standbys(
    names: str, delays: tuple[float, ...]
) -> Iterator[tuple[PostgresServer, list[PostgresServer], list[Proxy]]]:
    """A primary with standbys whose links take so many seconds; gives it, them, and the links."""
    with ExitStack() as stack:
        primary = stack.enter_context(PostgresServer())
        links = [stack.enter_context(Proxy(primary.port, delay)) for delay in delays]
        copies = [stack.enter_context(PostgresServer(copy_of=primary, through=link.port)) for link in links]
        quoted = names % ", ".join(copy.name for copy in copies) if names else ""
        primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{quoted}'", "SELECT pg_reload_conf()")
        asked = "SELECT current_setting('synchronous_standby_names'), count(*) FROM pg_stat_replication"
        until_it_is(primary.conninfo(), asked, [(quoted, len(copies))])
        yield primary, copies, links


def fail_over(tries: int, advance: Advance) -> list[Row]:
    """Kill a primary, make the standby that is further the primary, and look for all that was acknowledged."""
    rows = []
    for names, delays in (("ANY 1 (%s)", (0.05, 0.1)), ("", (0.1,))):
        acknowledged, lost, replayable = 0, 0, 0
        for _ in range(tries):
            with standbys(names, delays) as (primary, copies, links):
                kept = _acknowledged(primary, links)
                heir = max(copies, key=lambda one: int(one.execute(_RECEIVED)[0][0]))
                heir.execute("SELECT pg_promote(true)")
                store, nonces = PostgresEventStore(heir.conninfo()), postgres_store(heir.conninfo())
                there = {row.message_id for row in store.scan()}
                acknowledged += len(kept)
                lost += sum(one.nonce not in there for one in kept)
                replayable += told(nonces, kept)["taken"]
                store.close()
                nonces.close()
            if names:
                advance(1)
        work = f"{tries:,} failovers, {len(delays)} standbys, synchronous_standby_names '{names and 'ANY 1 (…)'}':"
        if names:
            rows.append(row(f"{work} of {acknowledged:,} acknowledged events, lost", lost))
            rows.append(row(f"{work} of their nonces, replayable", replayable))
        else:
            seen = f"{lost:,}, {replayable:,}"
            work = f"{work} of {acknowledged:,} events and nonces, lost"
            rows.append(Row(work, "some", seen, lost > 0 and replayable > 0))
    return rows


_RECEIVED = "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')"


def _acknowledged(primary: PostgresServer, links: list[Proxy]) -> list[Claim]:
    """What a primary had acknowledged when it was killed, with its links."""
    store = PostgresEventStore(primary.conninfo(), timeout=SECONDS)

    def keep(one: Claim) -> None:
        request = ReceivedRequest(one.nonce, "track", one.timestamp, one.api_key_id, False, one)
        store.store(request, [event(one.nonce)])

    load = Load(keep)
    load.wait_for(40)
    primary.kill()
    for link in links:
        link.die()
    load.end()
    store.close()
    return load.acknowledged


PARTS = [
    Part("postgres-race", "one claim, one winner, over processes", 5_000, 100, race_for_a_table, "nonces"),
    Part("postgres-killed-server", "what was acknowledged outlives the server", 100, 1, kill_servers, "kills"),
    Part("postgres-killed-client", "what was acknowledged outlives the client", 100, 2, kill_users, "kills"),
    Part("postgres-stopped", "a stopped server is refused in time and costs nobody a request", 100, 1, stop, "rounds"),
    Part("postgres-black-hole", "a network that swallows all does the same", 100, 1, black_hole, "rounds"),
    Part("postgres-drop", "a drop beside a claim opens nothing", 100, 3, drop_beside_claims, "rounds"),
    Part("postgres-failover", "a failover loses nothing that a standby acknowledged", 20, 1, fail_over, "failovers"),
]
