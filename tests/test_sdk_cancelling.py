"""A call of the asynchronous client that is cancelled: at once, with nothing secret, and the client works on."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from called import EVENT, HEAD
from scripted import API_KEY, PATIENCE, SECRET, Arrived, answering, receipt, reply
from tracking import collected, tracked

from rp_signing.sdk import AsyncRetainPixel

__all__ = ["tracked"]

WAYS: list[Callable[[], dict[str, Any]]] = [
    dict,
    lambda: {"http_client": httpx2.AsyncClient()},
    lambda: {"transport": httpx2.AsyncHTTPTransport()},
]


class Stalling:
    """Answers the first request by a start and nothing more, every other one whole."""

    def __init__(self, start: bytes) -> None:
        self.start = start
        self.arrived = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def __call__(self, request: Arrived, connection: socket.socket, over: threading.Event) -> None:
        """Answer one request."""
        if self.arrived.is_set():
            reply(202, receipt())(request, connection, over)
            return
        connection.sendall(self.start)
        self.loop.call_soon_threadsafe(self.arrived.set)
        over.wait(PATIENCE)


async def ended(start: bytes, cancel: Callable[[Any, Stalling], Any], make: Callable[[], dict[str, Any]]) -> Any:
    """Give what a cancelled call ends with; the same client then sends another event."""
    way = make()
    script = Stalling(start)
    with answering(script) as server:
        async with AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=server.url, **way) as client:
            error = await cancel(client, script)
            assert (await client.track(**EVENT)).stored == 1
        if "http_client" in way:
            await way["http_client"].aclose()
    return error


async def by_its_task(client: AsyncRetainPixel, script: Stalling) -> BaseException:
    """Cancel the task of a call."""
    task = asyncio.create_task(client.track(**EVENT))
    await script.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return caught.value


async def by_a_timeout(client: AsyncRetainPixel, script: Stalling) -> BaseException:
    """Let a timeout of the caller's own end a call."""

    async def late() -> None:
        async with asyncio.timeout(PATIENCE) as limit:
            call = asyncio.create_task(client.track(**EVENT))
            await script.arrived.wait()
            limit.reschedule(asyncio.get_running_loop().time())
            await call

    with pytest.raises(TimeoutError) as caught:
        await late()
    return caught.value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("start", [b"", HEAD + b"\r\n{"])
@pytest.mark.parametrize("cancel", [by_its_task, by_a_timeout])
def test_a_cancelled_call_ends_and_brings_nothing_along(
    cancel: Any, start: bytes, way: Callable[[], dict[str, Any]], tracked: list[str]
) -> None:
    """It ends as it was told to, without the HTTP client's frames, which hold the headers; the client sends on."""
    text = collected(asyncio.run(ended(start, cancel, way)), tracked)
    assert "CancelledError" in text
    assert "rp_signing/sdk" in text
    for hidden in (API_KEY, SECRET, "site-packages/httpx2", "site-packages/httpcore2"):
        assert hidden not in text
