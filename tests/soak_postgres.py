"""PostgreSQL under fire: servers and clients that are killed, stopped, and cut off."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from claimants import Load, kill_clients, race, row, sent_until_told, told
from postgres_server import OpenedStore, PostgresServer, execute, postgres_store, shared_server
from proxy import Proxy
from soak_part import Advance, Part, Row

from rp_signing import Reason

# Its warnings of servers that are gone would go through the progress bar.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

SECONDS = 1.0
"""How long these stores wait for a server, so that a round is short."""

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


PARTS = [
    Part("postgres-race", "one claim, one winner, over processes", 5_000, 100, race_for_a_table, "nonces"),
    Part("postgres-killed-server", "what was acknowledged outlives the server", 100, 1, kill_servers, "kills"),
    Part("postgres-killed-client", "what was acknowledged outlives the client", 100, 2, kill_users, "kills"),
    Part("postgres-stopped", "a stopped server is refused in time and costs nobody a request", 100, 1, stop, "rounds"),
    Part("postgres-black-hole", "a network that swallows all does the same", 100, 1, black_hole, "rounds"),
]
