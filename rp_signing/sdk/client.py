"""`RetainPixel` and `AsyncRetainPixel`: two thin shells around what prepares events and reads answers.

Each call has been sent, and answered, when it returns. Nothing is queued, retried, redirected or sent in a thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self, Unpack

import httpx2

from .connections import connection_options
from .deadline import Deadline
from .errors import ClientUnusable, NotDelivered
from .prepare import Event, Members, Outgoing, Prepared, prepare_check
from .reply import MAX_REPLY, Receipt, Reply
from .sender import TIMEOUT, Sender, Settings

if TYPE_CHECKING:
    import asyncio

__all__ = ["CONNECT_TIMEOUT", "TIMEOUT", "AsyncRetainPixel", "RetainPixel"]

CONNECT_TIMEOUT = 5.0
"""Seconds to connect."""

# The answer is read as it comes: compressed, a small one could be of any size.
_ASKED = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "rp-signing"}


class RetainPixel(Sender):
    """Sends events, signed where there is a secret. Safe to share between threads.

    ::

        with RetainPixel(api_key="rpx_test_…", secret="rps_test_…", base_url="https://ingest.example") as client:
            receipt = client.track(user_id="user-123", event="Order Completed", properties={"total": 49.9})

    Every call returns a `Receipt` or raises `NotDelivered`, of which each kind names a cause; what it raises holds the
    events in ``.prepared``. `track`, `identify` and `group` take, by name: ``user_id``, ``anonymous_id``, ``event``,
    ``group_id``, ``properties``, ``traits``, ``context``, ``timestamp``, ``message_id`` (see `Members`).

    Args:
        api_key: its text; left out, the environment variable RETAINPIXEL_API_KEY.
        secret: a `Secret` or its text; left out, RETAINPIXEL_HMAC_SECRET; without either, events are sent unsigned,
            which the log says once. None or empty is refused: it is what a missing variable gives.
        base_url: such as ``https://ingest.example``; left out, RETAINPIXEL_BASE_URL.
        timeout: seconds that a call may take in all; 5 of them to connect.
        http_client: an ``httpx2.Client`` to send with; whoever made it closes it.
        transport: an ``httpx2.BaseTransport`` for the client that is made otherwise.
        proxy: its URL, such as ``http://proxy.example:3128``; left out, what the environment says (HTTPS_PROXY).
        verify: an `ssl.SSLContext`; False takes any certificate, so that anybody between reads along.
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
        options = connection_options(settings, http_client, httpx2.Client, transport)
        self._handed_in: httpx2.Client | None = http_client
        if http_client is None and transport is not None:
            self._handed_in = httpx2.Client(transport=transport)
        self._closes = http_client is None
        self._options = options
        # By process: over the sockets that a fork shares, two processes would get each other's answers.
        self._https: dict[int, httpx2.Client] = {}
        if self._handed_in is None:
            self._https[os.getpid()] = self._made()

    def _made(self) -> httpx2.Client:
        # Brings the half of httpx2 that it too imports with the first client.
        from .held import hold_deadlines

        network = self._network()
        http = httpx2.Client(transport=network, **({} if network else self._options))
        hold_deadlines(http)
        return http

    def _network(self) -> httpx2.BaseTransport | None:
        """Give what the connections of this client's own are made of; None: sockets."""
        return None

    def _http(self, prepared: Prepared) -> httpx2.Client:
        """Give the HTTP client of this process."""
        process = os.getpid()
        if process not in self._https:
            if self._handed_in is not None and self._https:
                text = "nothing was sent: http_client= or transport= was used before the fork; make a client a process"
                raise ClientUnusable(text, prepared=prepared)
            made = self._handed_in or self._made()
            if self._https.setdefault(process, made) is not made:
                made.close()
        return self._https[process]

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
        http = self._http(prepared)
        outgoing = self._outgoing(prepared, http)
        return self._receipt(outgoing, self._exchange(http, outgoing))

    def _exchange(self, http: httpx2.Client, outgoing: Outgoing) -> Reply | NotDelivered:
        end = time.monotonic() + self._timeout
        rest = Deadline(self._timeout, end)
        connect = Deadline(min(CONNECT_TIMEOUT, self._timeout), end)
        status = None
        try:
            with http.stream(
                "POST",
                self._url(outgoing),
                content=outgoing.body,
                headers={**_ASKED, **outgoing.headers},
                timeout=httpx2.Timeout(connect=connect, read=rest, write=rest, pool=rest),
                follow_redirects=False,
            ) as response:
                status = response.status_code
                body = bytearray()
                # A transport of a test may have the answer whole already.
                pieces = response.iter_bytes() if response.is_stream_consumed else response.iter_raw()
                for piece in pieces:
                    body += piece
                    if len(body) > MAX_REPLY:
                        return Reply(status, dict(response.headers), None)
                    if time.monotonic() > end:
                        raise TimeoutError("the time for the whole exchange is over")
                return Reply(status, dict(response.headers), bytes(body))
        except Exception as error:
            return self._failed(outgoing, status, error)
        except BaseException as error:
            raise _bare(error) from None

    def close(self) -> None:
        """Close the connections, and nothing else: every call has been sent already."""
        self._closed = True
        http = self._https.get(os.getpid(), self._handed_in)
        if self._closes and http is not None:
            http.close()

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
        options = connection_options(settings, http_client, httpx2.AsyncClient, transport)
        network = transport or self._network()
        self._http = http_client or httpx2.AsyncClient(transport=network, **({} if network else options))
        self._closes = http_client is None
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
        import asyncio  # at the first call: whoever sends without it does not wait for it

        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            text = "nothing was sent: the client made its connections on another event loop; make one client a loop"
            raise ClientUnusable(text, prepared=prepared)
        outgoing = self._outgoing(prepared, self._http)
        return self._receipt(outgoing, await self._exchange(outgoing))

    async def _exchange(self, outgoing: Outgoing) -> Reply | NotDelivered:
        import asyncio

        status = None
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http.stream(
                    "POST",
                    self._url(outgoing),
                    content=outgoing.body,
                    headers={**_ASKED, **outgoing.headers},
                    timeout=httpx2.Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)),
                    follow_redirects=False,
                ) as response,
            ):
                status = response.status_code
                body = bytearray()
                pieces = response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw()
                async for piece in pieces:
                    body += piece
                    if len(body) > MAX_REPLY:
                        return Reply(status, dict(response.headers), None)
                return Reply(status, dict(response.headers), bytes(body))
        except Exception as error:
            return self._failed(outgoing, status, error)
        except BaseException as error:
            raise _bare(error) from None

    async def aclose(self) -> None:
        """Close the connections, and nothing else: every call has been sent already."""
        self._closed = True
        if self._closes:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _bare(error: BaseException) -> BaseException:
    """Take the HTTP client's frames off what ends a call from outside, ^C or a cancellation: they hold the api key."""
    error.__context__ = None
    return error.with_traceback(None)
