"""The client's connections: one pool, threads, forks, green threads, event loops, proxies."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from recorded import URL, VARIABLES, Wire
from scripted import API_KEY, SECRET, answering, receipt, reply
from served import serving

from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keys import Keyring
from rp_signing.sdk import AsyncRetainPixel, ClientUnusable, RetainPixel
from rp_signing.sdk.prepared import prepare_check

SETTINGS: Any = {"api_key": API_KEY, "secret": SECRET}
TESTS = Path(__file__).parent


class Counting:
    """An application that counts the connections that its requests came over."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.peers: set[Any] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Note who asks, and go on."""
        if scope["type"] == "http":
            self.peers.add(tuple(scope["client"]))
        await self.inner(scope, receive, send)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLiteEventStore]:
    """Where events are stored."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    store = SQLiteEventStore(tmp_path / "events.db")
    yield store
    store.close()


@pytest.fixture
def app(store: SQLiteEventStore) -> Counting:
    """An endpoint that counts connections."""
    return Counting(Ingest(Keyring.of({API_KEY: [SECRET]}), store))


@pytest.fixture
def url(app: Counting) -> Iterator[str]:
    """Where it is served."""
    with serving(app) as url:
        yield url


def descriptors() -> int:
    """How many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_a_thousand_calls_share_a_connection(app: Counting, url: str, store: SQLiteEventStore) -> None:
    """1,000 calls go over one connection, and no file descriptor is left over."""
    with RetainPixel(**SETTINGS, base_url=url) as client:
        client.track(user_id="u", event="E")
        before = descriptors()
        assert sum(client.track(user_id="u", event="E").stored for _ in range(999)) == 999
        assert descriptors() <= before
    assert len(app.peers) == 1
    assert len(store) == 1000


def test_a_thousand_awaited_calls_share_a_connection(app: Counting, url: str, store: SQLiteEventStore) -> None:
    """The same for asyncio."""

    async def send() -> None:
        async with AsyncRetainPixel(**SETTINGS, base_url=url) as client:
            await client.track(user_id="u", event="E")
            before = descriptors()
            assert sum([(await client.track(user_id="u", event="E")).stored for _ in range(999)]) == 999
            assert descriptors() <= before

    asyncio.run(send())
    assert len(app.peers) == 1
    assert len(store) == 1000


def test_fifty_threads_share_a_client(url: str, store: SQLiteEventStore) -> None:
    """50 threads at once send through one client, and every event is stored once."""
    start = threading.Barrier(50)
    with RetainPixel(**SETTINGS, base_url=url) as client, ThreadPoolExecutor(50) as threads:

        def send(n: int) -> int:
            start.wait(30)
            return sum(client.track(user_id=f"u-{n}", event="E").stored for _ in range(4))

        assert sum(threads.map(send, range(50))) == len(store) == 200
        # No more than these are kept for later.
        assert len(client._way(prepare_check())._pool.connections) <= 20


def test_a_client_goes_on_working_after_a_fork(app: Counting, url: str, store: SQLiteEventStore) -> None:
    """A child sends over connections of its own, and the parent over its own as before, at the same time."""
    with RetainPixel(**SETTINGS, base_url=url) as client:
        client.track(user_id="u", event="before")
        results = _in_a_child(lambda: [client.track(user_id="u", event="child").stored for _ in range(20)])
        assert [client.track(user_id="u", event="parent").stored for _ in range(20)] == results() == [1] * 20
    assert len(store) == 41
    assert len(app.peers) == 2


def test_a_client_that_was_handed_in_and_used_is_refused_after_a_fork() -> None:
    """Nobody but its maker can make it anew: used before the fork, it is an error; not used, it is the child's."""
    used = RetainPixel(**SETTINGS, base_url=URL, transport=Wire().transport)
    fresh = RetainPixel(**SETTINGS, base_url=URL, transport=Wire().transport)
    used.track(user_id="u", event="E")

    def child() -> Any:
        try:
            used.track(user_id="u", event="E", message_id="m")
        except ClientUnusable as error:
            return str(error), error.message_ids, fresh.track(user_id="u", event="E").stored

    said, message_ids, stored = _in_a_child(child)()
    assert "before the fork" in said
    assert (message_ids, stored) == (["m"], 1)
    for client in (used, fresh):
        client.close()


def _in_a_child(work: Any) -> Any:
    """Run this in a forked process; gives what waits for its result."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=lambda: theirs.send(work()))
    process.start()
    theirs.close()

    def result() -> Any:
        try:
            assert ours.poll(30)
            return ours.recv()
        finally:
            process.join(30)
            ours.close()

    return result


GREEN = """
from gevent import monkey; monkey.patch_all()
import gevent, sys
from rp_signing.sdk import IngestUnavailable, RetainPixel
with RetainPixel(api_key=sys.argv[1], secret=sys.argv[2], base_url=sys.argv[3]) as client:
    jobs = [gevent.spawn(client.track, user_id=f"u-{n}", event="E") for n in range(40)]
    gevent.joinall(jobs, timeout=30, raise_error=True)
    print(sum(job.value.stored for job in jobs))
"""


def test_green_threads_share_a_client(url: str, store: SQLiteEventStore) -> None:
    """Under gevent, patched, 40 green threads send through one client."""
    command = [sys.executable, "-W", "ignore", "-c", GREEN, API_KEY, SECRET, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "40\n", done.stderr
    assert len(store) == 40


def test_a_proxy_is_used() -> None:
    """With proxy= the request goes to the proxy, whole URL and all, and its time is limited all the same."""
    with answering(reply(202, receipt())) as proxy:
        with RetainPixel(**SETTINGS, base_url="http://ingest.invalid", proxy=proxy.url) as client:
            assert client.track(user_id="u", event="E").stored == 1
        asyncio.run(_through(proxy.url))
    assert [request.path for request in proxy.arrived] == ["http://ingest.invalid/v1/track"] * 2


async def _through(proxy: str) -> None:
    async with AsyncRetainPixel(**SETTINGS, base_url="http://ingest.invalid", proxy=proxy) as client:
        await client.track(user_id="u", event="E")


@pytest.mark.parametrize("kind", [RetainPixel, AsyncRetainPixel])
def test_arguments_of_connections_are_checked(kind: Any) -> None:
    """What cannot go together, or is of the wrong type, is named at construction."""
    settings = {**SETTINGS, "base_url": URL}
    context = ssl.create_default_context()
    kind(**settings, verify=context)
    kind(**settings, verify=False)
    for name, value in (("verify", False), ("proxy", "http://proxy.invalid")):
        with pytest.raises(ValueError, match=f"{name}= is for the connections"):
            kind(**settings, **{name: value, "transport": Wire().transport})
    with pytest.raises(TypeError, match=r"verify= must be a bool or an ssl\.SSLContext, not str; .*cafile="):
        kind(**settings, verify="ca.pem")
    with pytest.raises(ValueError, match="must be like http://") as caught:
        kind(**settings, proxy="gopher://user:hush@x")
    assert "hush" not in str(caught.value)
    with pytest.raises(TypeError, match="timeout= must be a number of seconds, not str"):
        kind(**settings, timeout="15")
    with pytest.raises(TypeError, match=f"{kind.__name__}\\(\\) takes no colour=; it takes api_key"):
        kind(**settings, colour="red")


@pytest.mark.parametrize("kind", [RetainPixel, AsyncRetainPixel])
def test_flush_says_that_there_is_nothing_to_flush(kind: Any) -> None:
    """Who comes from an SDK with a queue is told that every call has been sent; the error has what every error has."""
    with pytest.raises(ClientUnusable, match="every call has already been sent") as caught:
        kind(**SETTINGS, base_url=URL).flush()
    error = caught.value
    assert (error.retryable, error.retry_after, error.message_ids, error.prepared) == (False, None, [], None)


def test_a_closed_http_client_is_told() -> None:
    """A client whose http_client= was closed by its maker says so, and holds the events."""
    http_client = httpx2.Client(transport=Wire().transport)
    http_client.close()
    with pytest.raises(ClientUnusable, match="http_client= is closed") as caught:
        RetainPixel(**SETTINGS, base_url=URL, http_client=http_client).track(user_id="u", event="E", message_id="m")
    assert caught.value.message_ids == ["m"]


def test_a_client_that_was_handed_in_sends_as_it_was_set_up() -> None:
    """Its headers, cookies and hooks are those of every request; hooks see the answers, and nothing signed is lost."""
    seen: list[Any] = []
    kept = reply(202, receipt(), Set_Cookie="sticky=2")

    async def aseen(it: Any) -> None:
        seen.append(it)

    with answering(kept) as server:
        settings: Any = {"headers": {"X-Tenant": "t"}, "cookies": {"a": "1"}}
        hooks: Any = {"request": [seen.append], "response": [seen.append]}
        with httpx2.Client(**settings, event_hooks=hooks) as http_client:
            client = RetainPixel(**SETTINGS, base_url=server.url, http_client=http_client)
            assert [client.track(user_id="u", event="E").trust for _ in range(2)] == ["high"] * 2

        async def send() -> None:
            hooks = {"request": [aseen], "response": [aseen]}
            async with httpx2.AsyncClient(**settings, event_hooks=hooks) as http_client:
                client = AsyncRetainPixel(**SETTINGS, base_url=server.url, http_client=http_client)
                for _ in range(2):
                    await client.track(user_id="u", event="E")

        asyncio.run(send())
    assert [type(one) for one in seen] == [httpx2.Request, httpx2.Response] * 4
    for first, second in (server.arrived[:2], server.arrived[2:]):
        assert first.headers["x-tenant"] == second.headers["x-tenant"] == "t"
        assert first.headers["cookie"] == "a=1"
        assert set(second.headers["cookie"].split("; ")) == {"a=1", "sticky=2"}
        assert "x-rp-signature" in first.headers


def test_a_way_that_was_handed_in_is_checked() -> None:
    """A transport or client of the other kind, or of httpx, is named at construction, and so are both at once."""
    with httpx.Client() as older, pytest.raises(TypeError, match=r"be an httpx2\.Client, not httpx\.Client"):
        RetainPixel(**SETTINGS, base_url=URL, http_client=older)  # type: ignore[arg-type]
    for kind, other in ((RetainPixel, "Async"), (AsyncRetainPixel, "")):
        make: Any = kind
        for name, value in (("http_client", f"{other}Client"), ("transport", f"{other}HTTPTransport")):
            with pytest.raises(TypeError, match=f"{name}= must be an httpx2"):
                make(**SETTINGS, base_url=URL, **{name: getattr(httpx2, value)()})
