"""Redis and Valkey in trouble: lost answers, a stopped server, full memory, a kill, replicas."""

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import floor
from typing import Any

import pytest
import redis
from parties import nonces, reason, refusal
from proxy import Proxy
from redis_trials import BEGUN, LIFE, _begin, alone, call_of, in_tag, request, server, store, taken
from store_claims import claim
from valkey_server import DURABLE, HOST, Valkey, free_port, redis_store, until

from rp_signing import Claim, Reason, StoreError, VerificationError
from rp_signing.stores.redis import AsyncRedisNonceStore, RedisNonceStore
from rp_signing.stores.redis_script import Keys

__all__ = ["_begin", "alone", "server", "store"]


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
