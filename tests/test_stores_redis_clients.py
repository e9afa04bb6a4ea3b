"""How a store of Redis is made, and who may use it: event loops, forks, passwords, prefixes."""

import asyncio
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from typing import Any

import pytest
import redis
from parties import reason
from redis_trials import _begin, alone, request, server
from valkey_server import HOST, Valkey, free_port, redis_store

from rp_signing import Reason, StoreError
from rp_signing.stores.redis import AsyncRedisNonceStore, RedisNonceStore

__all__ = ["_begin", "alone", "server"]


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
            store = AsyncRedisNonceStore(client, born=0, timeout=4)  # a busy machine needs it
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
