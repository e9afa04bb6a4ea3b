"""Redis and Valkey as a cluster, and at an address that moves."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import redis
from proxy import Proxy
from redis_trials import _begin, request, taken
from valkey_server import HOST, Valkey, ValkeyCluster, redis_store, until

from rp_signing import Reason, StoreError, VerificationError
from rp_signing.stores.redis import AsyncRedisNonceStore, RedisNonceStore

__all__ = ["_begin"]


def test_an_address_that_moves_is_followed() -> None:
    """R5: a demoted primary costs its connection: the next one goes where the address then leads, and knows all."""
    with Valkey() as first, Proxy(first.port) as address, first.replica() as second:
        until(second.follows)
        store = RedisNonceStore(redis.Redis(host=HOST, port=address.port), born=0, replicas=1)
        store.claim(request(1), time.time)
        second.command("REPLICAOF", "NO", "ONE")
        first.command("REPLICAOF", HOST, second.port)
        until(first.follows)
        address.lead_to(second.port)
        assert taken(store, [request(1), request(2)]) == {Reason.REPLAYED: 1, "taken": 1}
        store.close()


def test_an_address_that_moves_is_followed_in_an_event_loop() -> None:
    """R5: the async sibling gives a demoted primary's connection up as well."""
    with Valkey() as first, Proxy(first.port) as address, first.replica() as second:
        until(second.follows)

        async def run() -> Counter[str]:
            async with redis.asyncio.Redis(host=HOST, port=address.port) as client:
                store = AsyncRedisNonceStore(client, born=0, replicas=1)
                told = await store.aclaim_many([request(1)], time.time)
                second.command("REPLICAOF", "NO", "ONE")
                first.command("REPLICAOF", HOST, second.port)
                until(first.follows)
                address.lead_to(second.port)
                told += await store.aclaim_many([request(1), request(2)], time.time)
                await store.aclose()
                return Counter(getattr(one, "reason", "taken") for one in told)

        assert asyncio.run(run()) == {"taken": 2, Reason.REPLAYED: 1}


# Cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[ValkeyCluster]:
    """Three primaries with a replica each."""
    with ValkeyCluster() as started:
        yield started


def test_a_cluster_takes_each_nonce_once(cluster: ValkeyCluster) -> None:
    """R10: the nonces of one api key lie on all primaries; of a batch with copies each is taken once, in order."""
    store = redis_store(cluster, prefix="batch")
    batch = [request(number % 100) for number in range(200)]
    told = store.claim_many(batch, time.time)
    assert [isinstance(one, bytes) for one in told] == [True] * 100 + [False] * 100
    assert {one.reason for one in told if isinstance(one, VerificationError)} == {Reason.REPLAYED}
    held = [len(server.command("KEYS", "{batch:*}:*")) for server in cluster.servers[:3]]
    assert sum(held) == len(store) == 100
    assert min(held) > 15
    store.release(batch[0], told[0])
    assert len(store) == 99
    store.close()


def test_a_cluster_in_an_event_loop(cluster: ValkeyCluster) -> None:
    """R10: the async sibling finds the nonces of the other, and takes a batch the same way."""
    first = redis_store(cluster, prefix="loop")
    first.claim(request(1), time.time)

    async def run() -> Counter[str]:
        async with cluster.async_client() as client:
            store = AsyncRedisNonceStore(client, prefix="loop")
            told = await store.aclaim_many([request(1), *(request(n % 10) for n in range(10, 30))], time.time)
            assert await store.count() == 10
            await store.aclose()
            return Counter(getattr(one, "reason", "taken") for one in told)

    assert asyncio.run(run()) == {"taken": 9, Reason.REPLAYED: 12}
    first.close()


def test_a_failover_of_a_cluster_is_followed(cluster: ValkeyCluster) -> None:
    """R5: when a replica has become the primary, claims find it, and what it was sent is still a replay."""
    store = redis_store(cluster, prefix="failover", replicas=1)
    before = [request(number) for number in range(40)]
    assert all(isinstance(one, bytes) for one in store.claim_many(before, time.time))
    heir = cluster.servers[3]
    heir.command("CLUSTER FAILOVER")
    until(lambda: heir.command("INFO", "replication")["role"] == "master")
    until(cluster.servers[0].follows)
    assert {getattr(one, "reason", None) for one in store.claim_many(before, time.time)} == {Reason.REPLAYED}
    assert all(isinstance(one, bytes) for one in store.claim_many([request(n) for n in range(50, 90)], time.time))
    store.close()


def test_a_client_that_does_not_know_the_cluster_is_told(cluster: ValkeyCluster) -> None:
    """A plain client on a node of a cluster is refused when the store is made."""
    with cluster.servers[1].client() as client, pytest.raises(StoreError, match="MovedError"):
        RedisNonceStore(client)


# Construction, and words
