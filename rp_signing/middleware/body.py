"""Reading a request's body: never more than the limit, never longer than the deadline (SPEC §6.1, step 1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from ..errors import Reason, VerificationError

__all__ = ["Disconnected", "Message", "Receive", "Send", "read_body"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The sender hung up before the body was there; nobody waits for a reply."""


async def read_body(receive: Receive, headers: Iterable[tuple[bytes, bytes]], limit: int, seconds: float) -> bytes:
    """Read the body whole.

    Args:
        receive: the ASGI callable.
        headers: of the request, names in lower case.
        limit: bytes. A longer Content-Length is refused before a byte is read; a body without one, with the first
            piece that goes past the limit (servers hand on pieces of at most 64 KiB or little more).
        seconds: after which a body that is not whole is given up.

    Raises:
        VerificationError: ``payload_too_large`` or ``body_timeout``.
        Disconnected: the sender hung up.
    """
    for name, value in headers:
        if name == b"content-length" and _announces_more(value, limit):
            raise VerificationError(Reason.PAYLOAD_TOO_LARGE, f"Content-Length is over the limit of {limit:,} bytes")
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, limit)
    except TimeoutError:
        raise VerificationError(
            Reason.BODY_TIMEOUT, f"the body was not whole after {seconds:g} s; send it in one go"
        ) from None


async def _read(receive: Receive, limit: int) -> bytes:
    pieces: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        piece = message.get("body", b"")
        length += len(piece)
        if length > limit:
            raise VerificationError(Reason.PAYLOAD_TOO_LARGE, f"the body goes past the limit of {limit:,} bytes")
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _announces_more(value: bytes, limit: int) -> bool:
    digits = value.lstrip(b"0")
    # What is no number is the server's to refuse; a number of 19 digits is larger than any limit.
    return digits.isdigit() and (len(digits) > 18 or int(digits) > limit)
