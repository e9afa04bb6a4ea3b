"""The store in Valkey: time a claim, alone, in hundreds on a cluster, with a replica; bytes a nonce."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
from math import floor
from typing import Any

import redis
from claimants import claim
from valkey_server import HOST, Valkey, ValkeyCluster, until

from rp_signing import Claim
from rp_signing.stores.redis import RedisNonceStore
from rp_signing.stores.redis_script import CLAIM, Keys

from .measure import Goal, Row, Work, in_turn, row_of
from .postgres_rows import FEW, MANY, _last_hundredths, _size

_HUNDRED = 100
_KEYS = Keys("rp")
_LATER = 2**53
"""Microseconds; a deadline that never comes."""


def _fresh() -> Claim:
    return claim(floor(time.time()), secrets.token_urlsafe(16))


def _arguments(one: Claim) -> tuple[Any, ...]:
    """Give what `CLAIM` is run with, its keys first, as a user of redis-py would hand it over."""
    number, name = _KEYS.of(one)
    values = (one.timestamp, secrets.token_bytes(8), floor(time.time()), *one.window, _LATER, *one.window, 0)
    return _KEYS.tags[number], name, *values


def _bare(client: Any) -> Callable[[], object]:
    """Give one claim by the client alone."""
    return lambda: client.evalsha(CLAIM.sha, 2, *_arguments(_fresh()))


def _alone(server: Valkey) -> Row:
    store = RedisNonceStore(server.client(single_connection_client=True), born=0)
    client = server.client(single_connection_client=True)
    works = {
        "ours": Work(lambda: store.claim(_fresh(), time.time), most=100),
        "floor": Work(_bare(client), most=100),
    }
    samples = in_turn(works, 4.0)
    store.close()
    client.close()
    rate = 1 / samples.ratio("ours", "floor")
    goals = [Goal("claims/s ≥ 90 % of the bare client", rate, 0.9, least=True)]
    note = f"{1 / samples.median('ours'):,.0f} claims/s on one connection"
    return row_of("Valkey store, claim", samples, "redis-py: the same EVALSHA", goals, note)


def _clustered() -> Row:
    with ValkeyCluster(size=3) as cluster:
        client = redis.RedisCluster(HOST, cluster.servers[0].port)
        store = RedisNonceStore(client, born=0)

        def ours() -> None:
            told = store.claim_many([_fresh() for _ in range(_HUNDRED)], time.time)
            assert all(isinstance(one, bytes) for one in told)

        def theirs() -> None:
            with client.pipeline() as pipeline:
                for _ in range(_HUNDRED):
                    pipeline.execute_command("EVALSHA", CLAIM.sha, 2, *_arguments(_fresh()))
                assert all(isinstance(one, int) for one in pipeline.execute())

        samples = in_turn({"ours": Work(ours, most=5), "floor": Work(theirs, most=5)}, 4.0)
        store.close()
        client.close()
    rate = 1 / samples.ratio("ours", "floor")
    goals = [Goal("≥ 1.5 × redis-py's cluster pipeline", rate, 1.5, least=True)]
    note = f"{_HUNDRED / samples.median('ours'):,.0f} claims/s, a hundred at a time, three primaries"
    return row_of("Valkey cluster, 100 claims", samples, "redis-py's cluster pipeline", goals, note)


def _replicated(server: Valkey) -> Row:
    with server.replica() as replica:
        until(replica.follows)
        plain, safe = (RedisNonceStore(server.client(), born=0, replicas=number) for number in (0, 1))
        works = {
            "ours": Work(lambda: safe.claim(_fresh(), time.time), most=100),
            "floor": Work(lambda: plain.claim(_fresh(), time.time), most=100),
        }
        samples = in_turn(works, 4.0)
        plain.close()
        safe.close()
    rate = 1 / samples.ratio("ours", "floor")
    goals = [Goal("≥ 0.5 of the claims/s without", rate, 0.5, least=True)]
    note = f"{1 / samples.median('ours'):,.0f} claims/s on one connection, each on a replica too"
    return row_of("Valkey store, replicas=1", samples, "replicas=0", goals, note)


def _fill(server: Valkey, store: RedisNonceStore, nonces: int) -> int:
    """Claim so many nonces; gives the bytes that they take."""
    before = server.command("INFO", "memory")["used_memory"]
    for _ in range(nonces // 1_000):
        told = store.claim_many([_fresh() for _ in range(1_000)], time.time)
        assert all(isinstance(one, bytes) for one in told)
    return int(server.command("INFO", "memory")["used_memory"] - before)


def _large() -> Iterator[Row]:
    with Valkey() as few_server, Valkey() as many_server:
        stores = {
            FEW: RedisNonceStore(few_server.client(), born=0),
            MANY: RedisNonceStore(many_server.client(), born=0),
        }
        _fill(few_server, stores[FEW], FEW)
        taken = _fill(many_server, stores[MANY], MANY)
        seen = _last_hundredths({live: partial(_claim, store) for live, store in stores.items()})
        for store in stores.values():
            store.close()
    ratio = seen[MANY] / seen[FEW]
    goals = [Goal(f"p99 as at {FEW:,} (≤ 1.5 ×)", ratio, 1.5)]
    note = "99th of a hundred claims, median of 9 rounds of 300, in turn"
    work = f"Valkey store, p99 at {MANY:,} live"
    yield Row(work, seen[MANY], seen[FEW], ratio, f"{FEW:,} live", {}, goals, note=note)
    yield _size("Valkey", taken, f"used_memory at {MANY:,} nonces of one api key, with its token and its expiry")


def _claim(store: RedisNonceStore) -> None:
    store.claim(_fresh(), time.time)


def rows() -> Iterator[Row]:
    """Measure the rows of this file."""
    with Valkey() as server:
        yield _alone(server)
        yield _replicated(server)
    yield _clustered()
    yield from _large()
