"""`RetainPixel` and `AsyncRetainPixel`: two thin shells around what prepares events and reads answers.

Each call has been sent, and answered, when it returns. Nothing is queued, retried, redirected or sent in a thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self, Unpack

import httpx2

from .connections import AsyncConnections, Connections, connection_options
from .deadline import Deadline
from .errors import ClientUnusable
from .handed_in import AsyncHandedIn, HandedIn, check_handed_in
from .prepared import Members, Outgoing, Prepared, prepare_check
from .reply import MAX_REPLY, Receipt, Reply
from .sender import TIMEOUT, Sender, Settings

if TYPE_CHECKING:
    import asyncio

    from .prepare import Event

__all__ = ["CONNECT_TIMEOUT", "TIMEOUT", "AsyncRetainPixel", "RetainPixel"]

CONNECT_TIMEOUT = 5.0
"""Seconds to connect."""

_ANOTHER_LOOP = "the client made its connections on another event loop"


class RetainPixel(Sender):
    """Sends events, signed where there is a secret. Safe to share between threads.

    ::

        with RetainPixel(api_key="rpx_test_…", secret="rps_test_…", base_url="https://ingest.example") as client:
            receipt = client.track(user_id="user-123", event="Order Completed", properties={"total": 49.9})

    Every call returns a `Receipt` or raises `NotDelivered`, of which each kind names a cause; what it raises holds the
    events in ``.prepared``. What ends a call from outside, such as the time limit of a worker, is raised as it came.
    `track`, `identify` and `group` take, by name: ``user_id``, ``anonymous_id``, ``event``,
    ``group_id``, ``properties``, ``traits``, ``context``, ``timestamp``, ``message_id`` (see `Members`).

    Args:
        api_key: its text; left out, the environment variable RETAINPIXEL_API_KEY.
        secret: a `Secret` or its text; left out, RETAINPIXEL_HMAC_SECRET; without either, events are sent unsigned,
            which the log says once, when the client is made. None or empty is refused: it is what a missing variable
            gives.
        base_url: such as ``https://ingest.example``; left out, RETAINPIXEL_BASE_URL.
        timeout: seconds that a call may take in all, 5 of them to connect; to look a name up, the system takes its own
            time, unless within asyncio.
        http_client: an ``httpx2.Client`` to send with, its hooks, headers and cookies included; whoever made it
            closes it.
        transport: an ``httpx2.BaseTransport`` to send with; closed with this client.
        proxy: its URL, such as ``http://proxy.example:3128``; left out, what the environment says (HTTP_PROXY,
            HTTPS_PROXY, ALL_PROXY, NO_PROXY).
        verify: an `ssl.SSLContext`; left out, the system's authorities, or those of SSL_CERT_FILE or SSL_CERT_DIR;
            False takes any certificate, so that anybody between reads along.
        clock: gives Unix seconds; `time.time` when None.
        nonce: gives a fresh nonce, 22 to 64 of ``A-Z a-z 0-9 _ -``; random when None.

    Raises:
        ValueError, TypeError: an argument or variable makes no sense; the message names it, never a secret's text.
    """

    def __init__(
        self,
        *,
        http_client: httpx2.Client | None = None,
        transport: httpx2.BaseTransport | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(settings)
        handed_in = check_handed_in((http_client, httpx2.Client), (transport, httpx2.BaseTransport))
        self._options = connection_options(settings, handed_in, self._endpoint.parsed)
        self._closes = http_client is None
        if http_client is None and transport is not None:
            http_client = httpx2.Client(transport=transport)
        self._handed_in = None if http_client is None else HandedIn(self._endpoint.url, http_client)
        # By process: over the sockets that a fork shares, two processes would get each other's answers.
        self._ways: dict[int, Connections | HandedIn] = {}
        if self._handed_in is None:
            self._ways[os.getpid()] = self._made()

    def _made(self) -> Connections | HandedIn:
        if network := self._network():
            return HandedIn(self._endpoint.url, httpx2.Client(transport=network))
        return Connections(self._endpoint.parsed, self._options)

    def _network(self) -> httpx2.BaseTransport | None:
        """Give what takes the place of connections; None: nothing does."""
        return None

    def _way(self, prepared: Prepared) -> Connections | HandedIn:
        """Give what requests of this process go over."""
        process = os.getpid()
        if process not in self._ways:
            if self._handed_in is not None and self._ways:
                text = "nothing was sent: http_client= or transport= was used before the fork; make a client a process"
                raise ClientUnusable(text, prepared=prepared)
            made = self._handed_in or self._made()
            if self._ways.setdefault(process, made) is not made:
                made.close()
        return self._ways[process]

    def track(self, *, event: str, group_id: str | None = None, **members: Unpack[Members]) -> Receipt:
        """Send that somebody did something: `event`, 1 to 256 characters."""
        return self.send(self._prepare("track", event=event, group_id=group_id, **members))

    def identify(self, *, event: str | None = None, group_id: str | None = None, **members: Unpack[Members]) -> Receipt:
        """Send what is known of a user: ``traits``."""
        return self.send(self._prepare("identify", event=event, group_id=group_id, **members))

    def group(self, *, group_id: str, event: str | None = None, **members: Unpack[Members]) -> Receipt:
        """Send that a user belongs to a group: `group_id`, 1 to 256 characters."""
        return self.send(self._prepare("group", event=event, group_id=group_id, **members))

    def batch(self, events: Iterable[Event]) -> Receipt:
        """Send 1 to 1,000 events, dicts or models, in one request; all are stored, or none (SPEC EVT-5)."""
        return self.send(self._prepare_batch(events))

    def check(self) -> Receipt:
        """Prove the set-up: URL, api key, secret, clocks, and that bodies arrive unaltered. Nothing is stored.

        Raises:
            NotDelivered: of the kind that names the cause.
        """
        return self.send(prepare_check())

    def send(self, prepared: Prepared) -> Receipt:
        """Send events again, signed anew: the same messageIds, so that none is stored twice.

        Args:
            prepared: what an error's ``.prepared`` holds.

        Raises:
            NotDelivered: of the kind that names the cause.
        """
        self._check(prepared)
        way = self._way(prepared)
        outgoing = self._outgoing(prepared, way.is_closed)
        return self._receipt(outgoing, self._exchange(way, outgoing))

    def _exchange(self, way: Connections | HandedIn, outgoing: Outgoing) -> Reply | BaseException:
        end = time.monotonic() + self._timeout
        rest = Deadline(self._timeout, end)
        connect = Deadline(min(CONNECT_TIMEOUT, self._timeout), end)
        status = None
        try:
            answer = way.post(outgoing, {"connect": connect, "read": rest, "write": rest, "pool": rest})
            status = answer.status
            body = bytearray()
            try:
                for piece in answer.pieces:
                    body += piece
                    if len(body) > MAX_REPLY:
                        return Reply(status, answer.headers, None)
                    if time.monotonic() > end:
                        raise TimeoutError("the time for the whole exchange is over")
            finally:
                answer.close()
            return Reply(status, answer.headers, bytes(body))
        except BaseException as error:
            return self._failed(outgoing, status, error)

    def close(self) -> None:
        """Close the connections, and nothing else: every call has been sent already."""
        self._closed = True
        way = self._ways.get(os.getpid(), self._handed_in)
        if self._closes and way is not None:
            way.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncRetainPixel(Sender):
    """`RetainPixel` for asyncio: the same arguments and methods, awaited. One client belongs to one event loop."""

    def __init__(
        self,
        *,
        http_client: httpx2.AsyncClient | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(settings)
        handed_in = check_handed_in((http_client, httpx2.AsyncClient), (transport, httpx2.AsyncBaseTransport))
        options = connection_options(settings, handed_in, self._endpoint.parsed)
        self._closes = http_client is None
        if http_client is None and (network := transport or self._network()):
            http_client = httpx2.AsyncClient(transport=network)
        self._way: AsyncConnections | AsyncHandedIn = (
            AsyncConnections(self._endpoint.parsed, options)
            if http_client is None
            else AsyncHandedIn(self._endpoint.url, http_client)
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    def _network(self) -> httpx2.AsyncBaseTransport | None:
        return None

    async def track(self, *, event: str, group_id: str | None = None, **members: Unpack[Members]) -> Receipt:
        """Send that somebody did something: `event`, 1 to 256 characters."""
        return await self.send(self._prepare("track", event=event, group_id=group_id, **members))

    async def identify(
        self, *, event: str | None = None, group_id: str | None = None, **members: Unpack[Members]
    ) -> Receipt:
        """Send what is known of a user: ``traits``."""
        return await self.send(self._prepare("identify", event=event, group_id=group_id, **members))

    async def group(self, *, group_id: str, event: str | None = None, **members: Unpack[Members]) -> Receipt:
        """Send that a user belongs to a group: `group_id`, 1 to 256 characters."""
        return await self.send(self._prepare("group", event=event, group_id=group_id, **members))

    async def batch(self, events: Iterable[Event]) -> Receipt:
        """Send 1 to 1,000 events, dicts or models, in one request; all are stored, or none (SPEC EVT-5)."""
        return await self.send(self._prepare_batch(events))

    async def check(self) -> Receipt:
        """Prove the set-up; nothing is stored. See `RetainPixel.check`."""
        return await self.send(prepare_check())

    async def send(self, prepared: Prepared) -> Receipt:
        """Send events again, signed anew: the same messageIds, so that none is stored twice. See `RetainPixel.send`."""
        self._check(prepared)
        loop = _running_loop()
        if loop is None:
            raise ClientUnusable("nothing was sent: there is no event loop of asyncio", prepared=prepared)
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise ClientUnusable(f"nothing was sent: {_ANOTHER_LOOP}; make one client a loop", prepared=prepared)
        outgoing = self._outgoing(prepared, self._way.is_closed)
        return self._receipt(outgoing, await self._exchange(outgoing))

    async def _exchange(self, outgoing: Outgoing) -> Reply | BaseException:
        import asyncio

        timeouts = {"connect": min(CONNECT_TIMEOUT, self._timeout)}
        status = None
        try:
            # One clock for the whole exchange, instead of one for each wait.
            async with asyncio.timeout(self._timeout):
                answer = await self._way.post(outgoing, timeouts)
                status = answer.status
                body = bytearray()
                try:
                    async for piece in answer.pieces:
                        body += piece
                        if len(body) > MAX_REPLY:
                            return Reply(status, answer.headers, None)
                finally:
                    await answer.aclose()
                return Reply(status, answer.headers, bytes(body))
        except BaseException as error:
            return self._failed(outgoing, status, error)

    async def aclose(self) -> None:
        """Close the connections, and nothing else: every call has been sent already.

        Raises:
            ClientUnusable: it is not awaited on the event loop that the client sent on.
        """
        self._closed = True
        if not self._closes:
            return
        if self._loop not in (None, _running_loop()):
            raise ClientUnusable(f"the connections stay open: {_ANOTHER_LOOP}; close it there")
        await self._way.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    import asyncio  # at the first call: whoever sends without it does not wait for it

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
