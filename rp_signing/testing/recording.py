"""Clients that record what they would send: real models, real signing, no socket."""

from __future__ import annotations

import time
from math import floor
from typing import Any, Unpack

import httpx2

from .. import wire
from ..canonical import canonicalize, parse
from ..errors import Reason, VerificationError
from ..middleware.problem import PROBLEM_MEDIA_TYPE, refused
from ..sdk.client import AsyncRetainPixel, RetainPixel
from ..sdk.sender import Settings
from .requests import API_KEY, SECRET

__all__ = ["AsyncRecordingClient", "Recording", "RecordingClient"]

_REQUEST_ID = "0" * 32
_BASE_URL = "https://recording.invalid"


class Recording(list[dict[str, Any]]):
    """The events that were sent, in order, each as it went out: with ``messageId``, ``timestamp`` and its signature.

    Attributes:
        requests: (headers, body) of each request: a dict with names in lower case, and the bytes that were signed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self._next: Reason | None = None

    def refuse_next(self, reason: Reason) -> None:
        """Let the next request be refused as an endpoint would; its events are not recorded.

        Args:
            reason: such as ``Reason.EVENT_STORE_UNAVAILABLE``, for an outage.
        """
        self._next = reason

    def transport(self) -> httpx2.MockTransport:
        """Give what takes the place of the network, in both kinds of clients."""
        return httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        now = floor(time.time())
        body = request.content
        self.requests.append((dict(request.headers), body))
        if self._next is not None:
            error = VerificationError(self._next, "as the test was told to")
            self._next = None
            reply = refused(error, body, _REQUEST_ID, now)
            headers = {"content-type": PROBLEM_MEDIA_TYPE, **dict(reply.further)}
            return httpx2.Response(reply.status, headers=headers, content=reply.body())
        payload = parse(body)
        route = request.url.path.rpartition("/")[2]
        events = payload["batch"] if route == "batch" else [] if route == "check" else [payload]
        self.extend(events)
        receipt = {
            "stored": len(events),
            "duplicates": 0,
            "trust": "high" if wire.SIGNATURE in request.headers else "standard",
            "received_at": now,
            "server_time": now,
            "request_id": _REQUEST_ID,
        }
        return httpx2.Response(202, headers={"content-type": wire.MEDIA_TYPE}, content=canonicalize(receipt))


class RecordingClient(RetainPixel):
    """A `RetainPixel` whose requests go into ``sent`` and nowhere else.

    Args:
        settings: those of `RetainPixel`; a public test key, its secret and an address that leads nowhere unless given.

    Attributes:
        sent: the `Recording`.
    """

    def __init__(self, **settings: Unpack[Settings]) -> None:
        self.sent: Recording = Recording()
        super().__init__(transport=self.sent.transport(), **_completed(settings))


class AsyncRecordingClient(AsyncRetainPixel):
    """`RecordingClient` for asyncio."""

    def __init__(self, **settings: Unpack[Settings]) -> None:
        self.sent: Recording = Recording()
        super().__init__(transport=self.sent.transport(), **_completed(settings))


def _completed(settings: Settings) -> Settings:
    whole: Settings = {"base_url": _BASE_URL, **settings}
    if "api_key" not in settings and "secret" not in settings:
        whole = {"api_key": API_KEY, "secret": SECRET, **whole}
    return whole
