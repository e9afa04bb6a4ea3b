"""Hooks that sign the JSON POSTs of a client that you have: httpx, httpx2, requests, aiohttp (SPEC §4, §5).

Each is made for one origin and signs what goes there. Whatever else the client is told to send, and whatever a
redirect would send elsewhere, raises before a byte leaves: a signed request that reaches a stranger is one that he can
use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from .. import wire
from ..errors import VerificationError
from ..signing import Signer

__all__ = ["aiohttp_middleware", "async_request_hook", "request_hook", "requests_auth"]

_PORTS = {"http": 80, "https": 443}


def request_hook(signer: Signer, origin: str) -> Callable[[Any], None]:
    """Make a hook for httpx and httpx2: ``Client(event_hooks={"request": [request_hook(signer, origin)]})``.

    Args:
        signer: signs each request anew, with a fresh timestamp and nonce.
        origin: scheme, host and port that may be sent to, such as ``https://ingest.example``.

    Raises:
        ValueError: the origin is none. The hook raises it, too: for another origin, for a redirect, and for what is
            no POST with a JSON body.
    """
    sender = _Sender(signer, origin)

    def sign(request: Any) -> None:
        sender.sign(request.method, str(request.url), request.headers, request.read())

    return sign


def async_request_hook(signer: Signer, origin: str) -> Callable[[Any], Awaitable[None]]:
    """Make the same for the ``AsyncClient`` of httpx and httpx2."""
    sender = _Sender(signer, origin)

    async def sign(request: Any) -> None:
        sender.sign(request.method, str(request.url), request.headers, await request.aread())

    return sign


def requests_auth(signer: Signer, origin: str) -> Callable[[Any], Any]:
    """Make a hook for requests, to be set as ``session.auth``.

    A redirect raises `ValueError` instead of being followed. An adapter with ``max_retries`` sends the same signed
    bytes again: where the first copy has arrived, the second is answered as replayed.

    Args and errors are those of `request_hook`.
    """
    sender = _Sender(signer, origin)

    def sign(request: Any) -> Any:
        sender.sign(request.method, request.url, request.headers, request.body)
        request.register_hook("response", _refuse_redirect)
        return request

    return sign


def aiohttp_middleware(signer: Signer, origin: str) -> Callable[[Any, Any], Awaitable[Any]]:
    """Make a middleware for aiohttp: ``ClientSession(middlewares=[aiohttp_middleware(signer, origin)])``.

    Args and errors are those of `request_hook`.
    """
    sender = _Sender(signer, origin)

    async def sign(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        body = request.body
        if body != b"":
            # A payload of unknown length is read as it is sent, and can be read once.
            body = None if body.size is None else await body.as_bytes()
        sender.sign(request.method, str(request.url), request.headers, body)
        return await handler(request)

    return sign


class _Sender:
    """Signs requests to one origin."""

    def __init__(self, signer: Signer, origin: str) -> None:
        if not isinstance(signer, Signer):
            raise TypeError("signer must be a Signer")
        self._signer = signer
        self._origin = _origin_of(origin)
        if urlsplit(origin).path not in ("", "/"):
            raise ValueError("origin must be scheme, host and port alone, such as https://ingest.example")

    def sign(self, method: str, url: str, headers: Any, body: Any) -> None:
        """Add the headers of a signed request, or raise what is wrong with it."""
        try:
            self._sign(method, url, headers, body)
        except (TypeError, ValueError) as error:
            # A traceback keeps the locals of its frames, and the api key is in these.
            del headers
            raise error.with_traceback(None) from None

    def _sign(self, method: str, url: str, headers: Any, body: Any) -> None:
        if _origin_of(url) != self._origin:
            raise ValueError(
                "this request goes to another origin than the one it would be signed for; nothing was sent"
            )
        if method != "POST":
            raise ValueError(f"only a POST with a JSON body can be signed, this is {method}: the method is not signed")
        if not isinstance(body, bytes):
            raise ValueError("only a body of bytes can be signed: use json=, or encode it; no text, file or generator")
        if wire.SIGNATURE in headers:
            raise ValueError("this request is signed already; a redirect, or the hook is there twice")
        signed = self._signer.sign(body)
        headers.update(signed)
        try:
            wire.read_headers([(str(name), str(value)) for name, value in headers.items()])
        except VerificationError as error:
            raise ValueError(f"the endpoint would refuse these headers: {error.detail}") from None
        if wire.CONTENT_TYPE not in headers:
            raise ValueError(f"{wire.CONTENT_TYPE} must be {wire.MEDIA_TYPE}")


def _refuse_redirect(response: Any, **_: Any) -> None:
    if response.is_redirect:
        raise ValueError("the endpoint redirects, and a signed request is not sent on; correct the URL")


def _origin_of(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname:
        raise ValueError("origin must be scheme, host and port alone, such as https://ingest.example")
    return scheme, parts.hostname, parts.port or _PORTS[scheme]
