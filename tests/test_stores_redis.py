"""What Redis and Valkey promise beside the contract of test_stores.py: clocks, records, lost answers, memory, replicas.

Every server is real. Its clock is this machine's; where a test needs the two clocks apart, the caller's is moved.
"""

import asyncio
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import floor
from typing import Any

import pytest
import redis
from parties import Clock, nonces, reason, refusal
from proxy import Proxy
from test_stores import claim
from valkey_server import DURABLE, HOST, Valkey, ValkeyCluster, free_port, redis_store, until

from rp_signing import Claim, Reason, StoreError, VerificationError
from rp_signing.replay import Window
from rp_signing.stores.redis import AsyncRedisNonceStore, RedisNonceStore
from rp_signing.stores.redis_script import CLAIM, Keys

LIFE = 300 + 60 + 120
NARROW = Window(30, 20)
BEGUN = Clock()
"""When the test that runs began, whole seconds: the same request is made a second later just as it was."""


@pytest.fixture(autouse=True)
def _begin() -> None:
    """Look at the clock once a test."""
    BEGUN.now = floor(time.time())


@pytest.fixture(scope="module")
def alone() -> Iterator[Valkey]:
    """One server for all tests that leave it as it was."""
    with Valkey() as server:
        yield server


@pytest.fixture
def server(alone: Valkey) -> Valkey:
    """That server, with nothing in it."""
    alone.command("FLUSHALL")
    return alone


@pytest.fixture
def store(server: Valkey) -> Iterator[RedisNonceStore]:
    """A store that nothing was accepted before."""
    opened = redis_store(server)
    yield opened
    opened.close()


def request(number: int = 0, ahead: int = 0, **options: Any) -> Claim:
    """A claim of a request that was signed when the test began, or so many seconds later."""
    return claim(floor(BEGUN()) + ahead, f"{number:022d}", **options)


def in_tag(tag: int, count: int) -> list[Claim]:
    """Claims whose nonces fall into one of the 256 parts."""
    draw, keys = nonces(), Keys("rp")
    found: list[Claim] = []
    while len(found) < count:
        one = claim(floor(BEGUN()), draw())
        if keys.of(one)[0] == tag:
            found.append(one)
    return found


def call_of(one: Claim, deadline: int = 2**53) -> tuple[Any, ...]:
    """The call of the script for a claim, with a token that does not change."""
    number, name = Keys("rp").of(one)
    now = floor(BEGUN())
    return CLAIM.call((Keys("rp").tags[number], name), one.timestamp, b"12345678", now, 300, 60, deadline, 300, 60, 0)


def record(server: Valkey, one: Claim) -> dict[str, int]:
    """What stands beside a nonce."""
    told = server.command("HGETALL", Keys("rp").tags[Keys("rp").of(one)[0]])
    return {name.decode(): int(value) for name, value in told.items()}


def taken(store: RedisNonceStore, claims: list[Claim]) -> Counter[str]:
    """What becomes of claims that are made one after the other."""
    told = Counter[str]()
    for one in claims:
        try:
            store.claim(one, time.time)
            told["taken"] += 1
        except VerificationError as error:
            told[error.reason] += 1
    return told


# Clocks and lifetimes


@pytest.mark.parametrize(("off", "told"), [(62, "behind"), (-62, "ahead of")])
def test_clocks_that_are_apart_are_refused(store: RedisNonceStore, off: int, told: str) -> None:
    """R16: a caller whose clock is over 60 s off the server's is refused, and told by how much and which way."""
    clock = Clock(floor(time.time()) + off)
    error = refusal(store.claim, claim(floor(clock.now)), clock)
    assert error.reason == Reason.REPLAY_STORE_UNAVAILABLE
    assert f"clock is 62 s {told} this verifier's" in error.detail.replace("61", "62").replace("63", "62")
    for near in (58, -58):
        store.claim(request(near + 100), Clock(floor(time.time()) + near))
    assert len(store) == 2


def test_a_nonce_lives_from_its_claim(store: RedisNonceStore, server: Valkey) -> None:
    """R1, R16: past + future + 120 s from the claim, wherever in the window the timestamp lies, by no one's date."""
    for number, ahead in enumerate((-299, 0, 59)):
        one = request(number, ahead)
        store.claim(one, time.time)
        left = server.command("PTTL", Keys("rp").of(one)[1])
        assert (LIFE - 5) * 1000 < left <= LIFE * 1000


def test_a_clock_that_ran_ahead_opens_nothing(store: RedisNonceStore, server: Valkey) -> None:
    """R15: what a server's clock that ran ahead could have dropped is refused, until it is trusted again."""
    one = request()
    store.claim(one, time.time)
    server.command(
        "HSET", Keys("rp").tags[Keys("rp").of(one)[0]], "top", floor(time.time()) + 400
    )  # where its clock has stood
    server.command("DEL", Keys("rp").of(one)[1])  # what it dropped then
    error = refusal(store.claim, one, time.time)
    assert error.reason == Reason.TIMESTAMP_FORGOTTEN
    assert 30 <= (error.retry_after or 0) <= 41
    assert "had run ahead" in store.doctor()[1]
    store.trust_clock()
    assert reason(store.claim, one, time.time) == Reason.TIMESTAMP_FORGOTTEN
    assert record(server, one)["top"] <= time.time() + 1


def test_every_tag_hears_of_a_clock_that_runs_ahead(store: RedisNonceStore, server: Valkey) -> None:
    """R16: one claim that is refused for the clocks leaves its mark beside every nonce, and none lies too high."""
    now = floor(time.time())
    refusal(store.claim, claim(now - 400), Clock(now - 400))
    marks = {int(server.command("HGET", tag, "through")) for tag in Keys("rp").tags}
    assert marks <= {now - 300, now - 299, now - 298}
    store.claim(request(1, -290), time.time)


# The window


def test_a_larger_window_is_refused_at_construction(store: RedisNonceStore, server: Valkey) -> None:
    """R1: the store remembers its window: a verifier with a larger one is told both; a smaller one is taken."""
    for window, words in (((301, 60), "301 s back and 60 s"), ((300, 61), "300 s back and 61 s")):
        with pytest.raises(StoreError, match=f"{words} ahead, but the store remembers for 300 s back and 60 s ahead"):
            redis_store(server, past=window[0], future=window[1])
    redis_store(server, past=10, future=0).close()


def test_a_larger_window_is_refused_in_the_claim(store: RedisNonceStore) -> None:
    """R1: a claim under a window that is larger than the recorded one is refused, with both in the detail."""
    error = refusal(store.claim, request(window=Window(3600, 60)), time.time)
    assert error.reason == Reason.REPLAY_STORE_UNAVAILABLE
    assert "takes 3,600 s back" in error.detail
    assert "for 300 and 60 s" in error.detail


def test_a_window_that_is_raised_opens_nothing(server: Valkey) -> None:
    """R1: new nonces live longer at once; the window follows an old lifetime later; what died before is refused."""
    store = redis_store(server, past=30, future=20)
    old, wide = request(1, window=NARROW), Window(400, 20)
    store.claim(old, time.time)
    due = store.raise_window(400, 20)
    assert abs(due - (time.time() + 30 + 20 + 120)) < 3
    assert f"400 s back and 20 s ahead from {due} on" in store.doctor()[0]
    assert reason(store.claim, request(2, window=wide), time.time) == Reason.REPLAY_STORE_UNAVAILABLE
    new = request(3, window=NARROW)
    store.claim(new, time.time)
    assert server.command("TTL", Keys("rp").of(new)[1]) > 400
    # One lifetime later: the clock stays, the record is moved back by it.
    for tag in Keys("rp").tags:
        server.command("HSET", tag, "due", floor(BEGUN()))
    assert reason(store.claim, request(1, -30 - 61, window=wide), time.time) == Reason.TIMESTAMP_FORGOTTEN
    store.claim(request(1, -30 - 40, window=wide), time.time)
    assert reason(store.claim, old, time.time) == Reason.REPLAYED
    assert store.raise_window(100, 10) >= 0
    store.close()


# The records


def test_a_flush_under_a_running_verifier_opens_nothing(store: RedisNonceStore, server: Valkey) -> None:
    """R9: a record that is gone is made anew, born then by the latest clock there may be; `born=0` counts no more."""
    copies = [request(number, ahead) for number, ahead in enumerate(range(-100, 60, 7))]
    assert taken(store, copies) == {"taken": len(copies)}
    server.command("FLUSHALL")
    assert taken(store, copies) == {Reason.SIGNED_BEFORE_START: len(copies)}
    error = refusal(store.claim, request(), time.time)
    assert error.retry_after in (120, 121, 122)
    assert abs(record(server, copies[0])["born"] - time.time() - 60) < 3


def test_a_part_that_was_lost_is_born_anew(store: RedisNonceStore, server: Valkey) -> None:
    """R9: where some records are gone, `born=0` does not count, and the nonces beside the others are still taken."""
    lost, kept = in_tag(7, 2), in_tag(8, 2)
    assert taken(store, [lost[0], kept[0]]) == {"taken": 2}
    names = Keys("rp")
    server.command("DEL", names.tags[7], names.of(lost[0])[1])
    again = redis_store(server, born=0)
    assert taken(again, [*lost, *kept]) == {Reason.SIGNED_BEFORE_START: 2, Reason.REPLAYED: 1, "taken": 1}
    again.close()
    server.command("DEL", names.tags[0], names.tags[1])  # the first of them, which knows that all were made
    redis_store(server, born=0).close()
    assert {record(server, in_tag(tag, 1)[0])["born"] > 0 for tag in (0, 1)} == {True}


def test_a_store_that_another_is_still_making_is_finished(store: RedisNonceStore, server: Valkey) -> None:
    """R9: two verifiers that start at once make one store, born when the first of them said."""
    names = Keys("rp").tags
    server.command("DEL", *names[100:])
    server.command("HDEL", names[0], "whole")
    again = redis_store(server, born=None)
    assert taken(again, [request(number) for number in range(50)]) == {"taken": 50}
    again.close()


def test_a_new_store_is_born_when_it_is_told(server: Valkey) -> None:
    """R9: up to born + future everything is refused, with the seconds to wait; the next second is taken."""
    now = floor(time.time())
    store = redis_store(server, now - 10 + 0.9)
    error = refusal(store.claim, claim(now + 50), Clock(now))
    assert (error.reason, error.retry_after) == (Reason.SIGNED_BEFORE_START, 51)
    store.claim(claim(now + 51), Clock(now))
    store.close()


# Answers that are lost, servers that stall


def test_a_try_whose_answer_was_lost_knows_itself(server: Valkey) -> None:
    """R13: the nonce was used up and the answer lost: the second try finds its own token, and a copy is a replay."""
    with Proxy(server.port) as proxy:
        client = redis.Redis(host=HOST, port=proxy.port)
        store = RedisNonceStore(client, born=0, timeout=0.3)
        proxy.lose_answers()
        token = store.claim(request(), time.time)
        assert server.command("GET", Keys("rp").of(request())[1]) == token
        assert len(store) == 1
        assert reason(store.claim, request(), time.time) == Reason.REPLAYED
        store.close()


def test_a_claim_that_was_refused_unanswered_frees_its_copy(server: Valkey) -> None:
    """R13: no answer came in either try, but the nonce was used up: one later copy gets through, the next does not."""
    with Proxy(server.port) as proxy:
        store = RedisNonceStore(redis.Redis(host=HOST, port=proxy.port), born=0, timeout=0.2)
        one = request()
        store.claim(request(1), time.time)
        proxy.lose_answers()
        proxy.refuse()
        assert reason(store.claim, one, time.time) == Reason.REPLAY_STORE_UNAVAILABLE
        assert server.command("EXISTS", Keys("rp").of(one)[1]) == 1
        proxy.refuse(False)
        store.claim(one, time.time)
        assert reason(store.claim, one, time.time) == Reason.REPLAYED
        store.close()


def test_a_stopped_server_is_refused_in_time(server: Valkey) -> None:
    """R13, R14: a warmed connection to a stopped server is given up, and what it held uses no nonce up later."""
    store = redis_store(server, timeout=0.2)
    one, begun = request(), time.monotonic()
    store.claim(request(1), time.time)
    server.pause()
    try:
        assert reason(store.claim, one, time.time) == Reason.REPLAY_STORE_UNAVAILABLE
        assert time.monotonic() - begun < 2
    finally:
        server.resume()
    until(lambda: server.command("PING"))
    assert len(store) == 1
    store.claim(one, time.time)
    assert reason(store.claim, one, time.time) == Reason.REPLAYED
    store.close()


def test_a_black_hole_is_refused_in_time(server: Valkey) -> None:
    """R14: a connection that swallows everything is given up, and the same bytes get through when it is healed."""
    with Proxy(server.port) as proxy:
        store = RedisNonceStore(redis.Redis(host=HOST, port=proxy.port), born=0, timeout=0.2)
        one, begun = request(), time.monotonic()
        proxy.hold()
        assert reason(store.claim, one, time.time) == Reason.REPLAY_STORE_UNAVAILABLE
        with pytest.raises(StoreError, match="the claim stands"):
            store.release(one, b"12345678")
        assert time.monotonic() - begun < 4
        proxy.go()
        until(lambda: server.command("PING"))
        store.claim(one, time.time)
        store.close()


def test_a_late_claim_is_not_executed(store: RedisNonceStore, server: Valkey) -> None:
    """R13: the script does nothing after its deadline, by the server's clock."""
    one, now = request(), floor(BEGUN())
    call = call_of(one, deadline=(now - 1) * 1_000_000)
    assert server.command(*call)[0] == b"late"
    assert len(store) == 0


def test_a_client_that_tries_again_does_not_delay(server: Valkey) -> None:
    """R13: the client's own retries and timeouts do not count: a server that is gone is refused at once."""
    with Valkey() as other:
        store = redis_store(other)
        other.kill()
        begun = time.monotonic()
        assert reason(store.claim, request(), time.time) == Reason.REPLAY_STORE_UNAVAILABLE
        assert time.monotonic() - begun < 1
        store.close()
        with pytest.raises(StoreError, match="no nonce store: ConnectionError"):
            redis_store(other)


def test_a_server_that_forgot_the_script_is_told_again(store: RedisNonceStore, server: Valkey) -> None:
    """A server that was restarted, or flushed of scripts, costs one more round, and no claim."""
    token = store.claim(request(1), time.time)
    for step in (lambda: store.claim(request(2), time.time), lambda: store.release(request(1), token)):
        server.command("SCRIPT", "FLUSH")
        step()
    assert taken(store, [request(2), request(1)]) == {Reason.REPLAYED: 1, "taken": 1}


def test_a_cancelled_claim_leaves_no_answer_behind(server: Valkey) -> None:
    """A claim that is cancelled closes its connection: the next one reads its own answer."""

    async def run() -> list[Any]:
        async with server.async_client() as client:
            store = AsyncRedisNonceStore(client, born=0, timeout=1.0)
            await store.aclaim(request(1), time.time)
            server.pause()
            waiting = [asyncio.ensure_future(store.aclaim(request(n), time.time)) for n in range(2, 6)]
            await asyncio.wait(waiting, timeout=0.1)
            for one in waiting:
                one.cancel()
            ended = await asyncio.gather(*waiting, return_exceptions=True)
            server.resume()
            again = [request(n) for n in (1, 10, 11)] * 2
            told = await asyncio.gather(*(store.aclaim(one, time.time) for one in again), return_exceptions=True)
            await store.aclose()
            return [*map(type, ended), Counter(getattr(one, "reason", "taken") for one in told)]

    *ended, told = asyncio.run(run())
    assert set(ended) == {asyncio.CancelledError}
    assert told == {"taken": 2, Reason.REPLAYED: 4}


# Memory


def test_a_full_server_refuses(server: Valkey) -> None:
    """R2: at maxmemory claims are refused, every nonce that was taken is still a replay, and room lets go on."""
    store, draw = redis_store(server), nonces()
    server.command("CONFIG", "SET", "maxmemory", server.command("INFO", "memory")["used_memory"] + 300_000)
    try:
        made: list[Claim] = []
        told: Any = None
        while not isinstance(told, VerificationError):
            made.append(claim(floor(BEGUN()), draw()))
            (told,) = store.claim_many(made[-1:], time.time)
        assert (told.reason, told.status) == (Reason.REPLAY_STORE_FULL, 503)
        assert len(made) > 100
        assert taken(store, made[:-1]) == {Reason.REPLAYED: len(made) - 1}
        server.command("CONFIG", "SET", "maxmemory", 0)
        store.claim(made[-1], time.time)
    finally:
        server.command("CONFIG", "SET", "maxmemory", 0)
        store.close()


def test_a_server_that_evicts_is_not_used(server: Valkey, store: RedisNonceStore) -> None:
    """R2: a policy that drops live nonces is refused at construction, and named by the doctor when it is set later."""
    server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    redis_store(server).close()  # without a bound nothing is evicted
    server.command("CONFIG", "SET", "maxmemory", 100_000_000)
    try:
        with pytest.raises(StoreError, match=r"maxmemory-policy allkeys-lru: .* set noeviction"):
            redis_store(server)
        assert any("maxmemory-policy allkeys-lru" in sentence for sentence in store.doctor())
    finally:
        server.command("CONFIG", "SET", "maxmemory", 0)
        server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert not any("maxmemory" in sentence for sentence in store.doctor())


def test_one_sender_cannot_fill_the_server(server: Valkey) -> None:
    """R3: an api key that has used up its share is refused with 429, its replays are told as such, others go on."""
    store = redis_store(server, share=25_600)
    mine = in_tag(9, 102)
    assert taken(store, mine[:100]) == {"taken": 100}
    error = refusal(store.claim, mine[100], time.time)
    assert (error.reason, error.status) == (Reason.REPLAY_KEY_FULL, 429)
    assert LIFE - 5 < (error.retry_after or 0) <= LIFE
    assert reason(store.claim, mine[0], time.time) == Reason.REPLAYED
    store.claim(mine[101]._replace(api_key_id="b" * 16), time.time)
    assert len(store) == 101
    store.close()


# What survives


def test_a_durable_server_is_killed_and_remembers() -> None:
    """R4: with appendonly and appendfsync always a killed server comes back with every nonce, and nothing to say."""
    with Valkey(*DURABLE) as server:
        store = redis_store(server)
        one = request()
        token = store.claim(one, time.time)
        server.kill()
        assert reason(store.claim, one, time.time) == Reason.REPLAY_STORE_UNAVAILABLE
        server.start()
        assert reason(store.claim, one, time.time) == Reason.REPLAYED
        assert store.doctor() == [
            f"The window is 300 s back and 60 s ahead; a nonce is kept for {LIFE} s after its claim."
        ]
        store.release(one, token)
        assert len(store) == 0
        store.close()


def test_connections_that_died_in_the_pool_cost_no_claim() -> None:
    """R14: after a restart every idle connection is dead: the first claim finds that out and gets through."""
    with Valkey(*DURABLE) as server, ThreadPoolExecutor(5) as pool:
        store = redis_store(server)
        server.pause()
        waiting = [pool.submit(store.claim, request(number), time.time) for number in range(5)]
        until(lambda: sum(one.running() for one in waiting) == 5)
        server.resume()
        assert all(isinstance(one.result(), bytes) for one in waiting)
        server.kill()
        server.start()
        store.claim(request(6), time.time)
        store.close()


def test_the_doctor_says_what_would_be_lost(store: RedisNonceStore, server: Valkey) -> None:
    """R4: a server that writes nothing down, or not at once, is told, a sentence each."""
    assert "has appendonly no: killed, it forgets" in " ".join(store.doctor())
    with Valkey("--appendonly", "yes") as other:
        second = redis_store(other)
        assert "has appendfsync everysec" in " ".join(second.doctor())
        second.close()


def test_a_replica_is_waited_for(server: Valkey) -> None:
    """R5: `replicas=1` refuses while none acknowledges, leaves the nonce free, and then has it on the replica."""
    store = redis_store(server, replicas=1, timeout=0.5)
    plain = redis_store(server)
    error = refusal(store.claim, request(1), time.time)
    assert (error.reason, error.detail[-9:]) == (Reason.REPLAY_STORE_UNAVAILABLE, "0 have it")
    assert len(plain) == 0
    assert "has 0 replicas, and 1 have to acknowledge" in " ".join(store.doctor())
    with server.replica() as replica:
        until(replica.follows)
        one = request(2)
        store.claim(one, time.time)
        assert replica.command("EXISTS", Keys("rp").of(one)[1]) == 1
        assert "has replicas, but claims do not wait" in " ".join(plain.doctor())
        replica.pause()
        assert reason(store.claim, request(3), time.time) == Reason.REPLAY_STORE_UNAVAILABLE
        assert len(plain) == 1
        replica.resume()
        with pytest.raises(StoreError, match="is a replica"):
            redis_store(replica)
    until(lambda: server.command("INFO", "replication")["connected_slaves"] == 0)
    store.close()
    plain.close()


def test_a_second_try_is_waited_for(server: Valkey, store: RedisNonceStore) -> None:
    """R5, R13: a try that finds its own token writes it again, so that WAIT speaks of this connection."""
    with server.replica() as replica:
        until(replica.follows)
        replica.pause()
        call = call_of(request())
        for _ in range(2):
            with server.client(single_connection_client=True) as client:
                before = client.info("replication")["master_repl_offset"]
                assert isinstance(client.execute_command(*call), int)
                assert client.info("replication")["master_repl_offset"] > before
                assert client.wait(1, 50) == 0
        replica.resume()
    until(lambda: server.command("INFO", "replication")["connected_slaves"] == 0)


def test_a_server_that_becomes_a_replica_refuses(store: RedisNonceStore, server: Valkey) -> None:
    """R14: a demoted primary refuses claims, and is asked again on a new connection."""
    server.command("REPLICAOF", HOST, free_port())
    try:
        assert reason(store.claim, request(1), time.time) == Reason.REPLAY_STORE_UNAVAILABLE
    finally:
        server.command("REPLICAOF", "NO", "ONE")
    store.claim(request(1), time.time)


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


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": 5},
        {"replicas": -1},
        {"past": -1},
        {"share": 1000},
        {"prefix": "a:b"},
        {"prefix": ""},
    ],
)
def test_arguments_are_checked(options: dict[str, Any]) -> None:
    """An argument that makes no sense is a ValueError, before any server is asked."""
    for store, client in ((RedisNonceStore, redis.Redis()), (AsyncRedisNonceStore, redis.asyncio.Redis())):
        with pytest.raises(ValueError, match=r"must be"):
            store(client, **options)  # type: ignore[operator]


def test_another_kind_of_client_is_refused() -> None:
    """The client has to be redis-py's, and fit the store."""
    for store, client in ((RedisNonceStore, redis.asyncio.Redis()), (AsyncRedisNonceStore, redis.Redis())):
        with pytest.raises(ValueError, match=r"takes a redis\."):
            store(client)  # type: ignore[operator]


def test_the_async_store_is_for_an_event_loop(server: Valkey) -> None:
    """`verify` with an async store is refused, and so is a second event loop: nothing else comes out."""

    async def one(store: AsyncRedisNonceStore) -> Any:
        return (await store.aclaim_many([request()], time.time))[0]

    store = AsyncRedisNonceStore(server.async_client(), born=0)
    assert reason(store.claim, request(), time.time) == Reason.REPLAY_STORE_UNAVAILABLE
    with pytest.raises(StoreError, match="arelease"):
        store.release(request(), b"")

    async def once() -> None:
        assert isinstance(await one(store), bytes)
        assert await store.raise_window(10, 10) == 0
        assert len(await store.doctor()) == 2
        await store.trust_clock()
        await store.arelease(request(), b"12345678")
        await store.aclose()

    asyncio.run(once())
    told = asyncio.run(one(store))
    assert told.reason == Reason.REPLAY_STORE_UNAVAILABLE
    assert "another" in told.detail


def test_a_forked_child_is_refused_in_an_event_loop(server: Valkey) -> None:
    """R8: an async store that a fork took along refuses in the child."""

    async def run(store: AsyncRedisNonceStore, number: int) -> Any:
        (told,) = await store.aclaim_many([request(number)], time.time)
        return told

    store = AsyncRedisNonceStore(server.async_client(), born=0)

    async def parent() -> Any:
        await run(store, 1)
        await store.aclose()

    asyncio.run(parent())
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that threads and fork do not mix is what this shows
        child = os.fork()
    if not child:
        try:
            os.write(writing, asyncio.run(run(store, 2)).detail.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert "was forked" in told.read()


def test_an_async_store_without_a_server_refuses() -> None:
    """R14: the first claim opens the store; while that fails, claims are refused."""

    async def run() -> Any:
        async with redis.asyncio.Redis(host=HOST, port=free_port()) as client:
            return await AsyncRedisNonceStore(client).aclaim_many([request()], time.time)

    (told,) = asyncio.run(run())
    assert (told.reason, "no nonce store" in told.detail) == (Reason.REPLAY_STORE_UNAVAILABLE, True)


def test_coroutines_share_the_connections(server: Valkey) -> None:
    """R10: 300 claims at once, more than there are connections, of 100 nonces: each is taken once, none is lost."""

    async def run() -> Counter[str]:
        async with server.async_client(max_connections=5) as client:
            store = AsyncRedisNonceStore(client, born=0)
            one = [request(number % 100) for number in range(300)]
            told = await asyncio.gather(*(store.aclaim(each, time.time) for each in one), return_exceptions=True)
            await store.aclose()
            return Counter(getattr(each, "reason", "taken") for each in told)

    assert asyncio.run(run()) == {"taken": 100, Reason.REPLAYED: 200}


def test_no_password_is_told(server: Valkey) -> None:
    """A store that cannot log in says so, without the secret."""
    client = redis.Redis.from_url(f"redis://someone:very-secret@{HOST}:{server.port}/0")
    with pytest.raises(StoreError, match="AuthenticationError") as caught:
        RedisNonceStore(client)
    told: BaseException | None = caught.value
    while told is not None:
        assert "very-secret" not in repr(told) + str(told)
        told = told.__cause__ or told.__context__


def test_stores_with_other_prefixes_do_not_meet(server: Valkey) -> None:
    """Two stores on one server are two, each with a prefix of its own."""
    stores = [redis_store(server, prefix=prefix) for prefix in ("one", "two")]
    for store in stores:
        store.claim(request(), time.time)
        assert len(store) == 1
        store.close()


def test_a_missing_extra_is_named() -> None:
    """Without redis-py the import says which line to type."""
    code = "import sys; sys.modules['redis'] = None\nimport rp_signing.stores.redis"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError" in done.stderr
    assert "pip install 'rp-signing[redis]'" in done.stderr
