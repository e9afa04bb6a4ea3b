"""Redis under fire: servers and clients that are killed, stopped, cut off, flushed, filled, and failed over."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from math import floor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import redis
from proxy import Proxy
from redis_load import PATIENCE, Load, cut_off, requests, row, told
from soak_part import Advance, Part, Row
from store_claims import claim
from valkey_server import DURABLE, HOST, Valkey, redis_store, until

from rp_signing import Reason, VerificationError
from rp_signing.stores.redis import RedisNonceStore

PROCESSES = 8


def compete(port: int, start: float, nonces: int) -> list[int]:
    """Claim all the nonces of a race, in a process of its own; gives the numbers of those that were won."""
    store = RedisNonceStore(redis.Redis(host=HOST, port=port), timeout=4)
    won = []
    for number in range(nonces):
        try:
            store.claim(claim(floor(start), f"{number:022d}"), time.time)
            won.append(number)
        except VerificationError as error:
            if error.reason != Reason.REPLAYED:
                raise
    store.close()
    return won


def race(nonces: int, advance: Advance) -> list[Row]:
    """Let eight processes claim the same nonces, 5,000 at a time."""
    times = Counter[int]()
    with Valkey() as server, ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as racers:
        for done in range(0, nonces, 5000):
            some = min(5000, nonces - done)
            redis_store(server).close()
            start = time.time()
            runs = [racers.submit(compete, server.port, start, some) for _ in range(PROCESSES)]
            times.update(Counter(number for run in runs for number in run.result()).values())
            times[0] += some - len({number for run in runs for number in run.result()})
            server.command("FLUSHALL")
            advance(some)
    twice = sum(number for taken, number in times.items() if taken > 1)
    work = f"{nonces:,} nonces claimed by {PROCESSES} processes each"
    return [row(f"{work}: taken twice", twice), row(f"{work}: never taken", times[0])]


def kill_servers(kills: int, advance: Advance) -> list[Row]:
    """Kill a server that writes everything down while four threads claim, and claim again what was acknowledged."""
    replayed, acknowledged = 0, 0
    with Valkey(*DURABLE) as server:
        store = redis_store(server, timeout=PATIENCE)
        for _ in range(kills):
            load = Load(store)
            until(lambda load=load: len(load.acknowledged) > 50)  # type: ignore[misc]
            server.kill()
            load.end()
            server.start()
            acknowledged += len(load.acknowledged)
            replayed += told(store, load.acknowledged)[Reason.REPLAYED]
            advance(1)
        store.close()
    work = f"{kills:,} kills of a server with appendfsync always: of {acknowledged:,} acknowledged nonces, replayable"
    return [row(work, acknowledged - replayed)]


CLIENT = """
import sys
sys.path.insert(0, sys.argv[2])
from soak_redis import *
store = RedisNonceStore(redis.Redis(host=HOST, port=int(sys.argv[1])))
for number in range(100_000):
    one = claim(int(sys.argv[3]), f"{number:011d}{sys.argv[4]:0>11}")
    store.claim(one, time.time)
    print(one.nonce, flush=True)
"""


def kill_clients(kills: int, advance: Advance) -> list[Row]:
    """Kill a client while it claims, and claim again what it said was acknowledged."""
    replayed, acknowledged = 0, 0
    with Valkey() as server:
        store = redis_store(server)
        for number in range(kills):
            now = floor(time.time())
            arguments = (str(server.port), str(Path(__file__).parent), str(now), str(number))
            with subprocess.Popen([sys.executable, "-c", CLIENT, *arguments], stdout=subprocess.PIPE) as client:
                assert client.stdout is not None
                lines = [client.stdout.readline() for _ in range(50)]
                client.kill()
                lines += client.stdout.readlines()
            whole = [line.decode().strip() for line in lines if line.endswith(b"\n")]
            acknowledged += len(whole)
            replayed += told(store, [claim(now, nonce) for nonce in whole])[Reason.REPLAYED]
            advance(1)
        store.close()
    return [row(f"{kills:,} kills of a client: of {acknowledged:,} nonces, replayable", acknowledged - replayed)]


def stop(rounds: int, advance: Advance) -> list[Row]:
    """Stop the server, and let it go on."""
    with Valkey() as server:

        def heal() -> None:
            server.resume()
            until(lambda: server.command("PING"))

        return cut_off(
            rounds, advance, redis_store(server, timeout=PATIENCE), server.pause, heal, "SIGSTOP of the server"
        )


def black_hole(rounds: int, advance: Advance) -> list[Row]:
    """Let the connection swallow everything, and pass it on late."""
    with Valkey() as server, Proxy(server.port) as proxy:
        store = RedisNonceStore(redis.Redis(host=HOST, port=proxy.port), born=0, timeout=PATIENCE)

        def heal() -> None:
            proxy.go()
            until(lambda: server.command("PING"))

        return cut_off(rounds, advance, store, proxy.hold, heal, "black hole")


def flush(rounds: int, advance: Advance) -> list[Row]:
    """Flush the server under a running verifier, and send copies of everything."""
    copies = Counter[str]()
    with Valkey() as server:
        for _ in range(rounds):
            server.command("FLUSHALL")
            store, some = redis_store(server), requests(100)
            assert told(store, some) == {"taken": 100}
            server.command("FLUSHALL")
            copies += told(store, some)
            store.close()
            advance(1)
    return [row(f"{rounds:,} flushes: of {100 * rounds:,} copies, refused as signed_before_start",
                copies[Reason.SIGNED_BEFORE_START], wanted=100 * rounds)]  # fmt: skip


def run_ahead(nonces: int, advance: Advance) -> list[Row]:
    """Let the server's clock be 400 s ahead of the verifier's, as the verifier sees it, then agree again."""
    some = requests(nonces)
    with Valkey() as server:
        store = redis_store(server)
        assert told(store, some) == {"taken": nonces}
        behind = [one._replace(timestamp=one.timestamp - 400) for one in some]
        apart = Counter(getattr(one, "reason", "taken") for one in store.claim_many(behind, lambda: time.time() - 400))
        copies = told(store, some)
        store.close()
    advance(nonces)
    return [
        row("server's clock 400 s ahead: claims refused", apart[Reason.REPLAY_STORE_UNAVAILABLE], wanted=nonces),
        row("server's clock right again: copies taken", copies["taken"]),
    ]


def fill(nonces: int, advance: Advance) -> list[Row]:
    """Give a server room for fewer nonces than are claimed: one that refuses, and beside it one that evicts."""
    some, rows = requests(nonces), []
    for policy in ("noeviction", "allkeys-lru"):
        with Valkey() as server:
            store = redis_store(server)
            room = server.command("INFO", "memory")["used_memory"] + nonces * 100
            server.command("CONFIG", "SET", "maxmemory-policy", policy)
            server.command("CONFIG", "SET", "maxmemory", room)
            outcomes: list[Any] = []
            for start in range(0, nonces, 100):
                outcomes += store.claim_many(some[start : start + 100], time.time)
            taken = [one for one, outcome in zip(some, outcomes, strict=True) if isinstance(outcome, bytes)]
            copies = told(store, taken)
            if policy == "noeviction":
                refusals = Counter(one.reason for one in outcomes if isinstance(one, VerificationError))
                rows.append(row("server full: refused claims that say so", refusals[Reason.REPLAY_STORE_FULL],
                                wanted=nonces - len(taken)))  # fmt: skip
                rows.append(row(f"server full: copies taken, of {len(taken):,}", copies["taken"]))
            else:
                named = any("maxmemory-policy allkeys-lru" in sentence for sentence in store.doctor())
                work = f"the same with allkeys-lru: copies taken, of {len(taken):,}; the doctor names it"
                seen = f"{copies['taken']:,}, {'named' if named else 'silent'}"
                rows.append(Row(work, "some, named", seen, named and bool(copies["taken"])))
            store.close()
    advance(nonces)
    return rows


@contextmanager
def lagging() -> Iterator[tuple[Valkey, Valkey, Proxy]]:
    """A primary and a replica whose link takes 50 ms and dies with the primary."""
    with Valkey() as primary, Proxy(primary.port, delay=0.05) as link, primary.replica(through=link.port) as replica:
        until(replica.follows)
        yield primary, replica, link


def fail_over(nonces: int, advance: Advance) -> list[Row]:
    """Kill a primary, make its lagging replica the primary, and send copies of all that was acknowledged."""
    rows = []
    for replicas in (0, 1):
        with lagging() as (primary, replica, link):
            store = redis_store(primary, replicas=replicas, timeout=2)
            some, acknowledged = requests(nonces), []
            for start in range(0, nonces, 100):
                part = some[start : start + 100]
                outcomes = store.claim_many(part, time.time)
                acknowledged += [one for one, outcome in zip(part, outcomes, strict=True) if isinstance(outcome, bytes)]
            primary.kill()
            link.die()
            replica.command("REPLICAOF", "NO", "ONE")
            heir = redis_store(replica)
            lost = told(heir, acknowledged)["taken"]
            store.close()
            heir.close()
        work = (
            f"failover to a replica 50 ms behind, replicas={replicas}: replayable of {len(acknowledged):,} acknowledged"
        )
        rows.append(row(work, lost) if replicas else Row(work, "some", f"{lost:,}", lost > 0))
    advance(nonces)
    return rows


PARTS = [
    Part("redis-race", "one claim, one winner, over processes", 5_000, 200, race, "nonces"),
    Part("redis-killed-server", "what was acknowledged outlives the server", 100, 3, kill_servers, "kills"),
    Part("redis-killed-client", "what was acknowledged outlives the client", 100, 2, kill_clients, "kills"),
    Part("redis-stopped", "a stopped server is refused in time and costs nobody a request", 100, 3, stop, "rounds"),
    Part("redis-black-hole", "a connection that swallows all does the same", 100, 3, black_hole, "rounds"),
    Part("redis-flushed", "a flush under a running verifier opens nothing", 1_000, 10, flush, "flushes"),
    Part("redis-clock", "a server's clock that runs ahead opens nothing", 100_000, 1_000, run_ahead, "nonces"),
    Part("redis-full", "a full server refuses", 100_000, 2_000, fill, "nonces"),
    Part("redis-failover", "a failover loses nothing that a replica acknowledged", 20_000, 2_000, fail_over, "nonces"),
]
