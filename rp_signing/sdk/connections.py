"""Connections of a client's own, made by httpcore2: what httpx2 too sends over, without a client's work around it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import httpx2

from .prepared import Outgoing
from .proxies import proxy_of_environment
from .sender import Settings

if TYPE_CHECKING:
    import httpcore2

__all__ = ["ASKED", "Answer", "AsyncAnswer", "AsyncConnections", "Connections", "Timeouts", "connection_options"]

Timeouts = Mapping[str, float]
"""Seconds for ``connect``, ``read``, ``write`` and ``pool``."""

# The answer is read as it comes: compressed, a small one could be of any size.
ASKED = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "rp-signing"}
"""The headers that every request has."""

_LIMITS: dict[str, Any] = {"max_connections": 100, "max_keepalive_connections": 20, "keepalive_expiry": 5.0}


class Answer:
    """An answer whose head is here. It may hold anything, so its repr shows nothing.

    Args:
        status: the HTTP status.
        headers: name → value, looked up by names in lower case.
        pieces: of the body, as they come.
        close: ends it; what was read whole leaves the connection to the next request.
    """

    __slots__ = ("close", "headers", "pieces", "status")

    def __init__(
        self, status: int, headers: Mapping[str, str], pieces: Iterable[bytes], close: Callable[[], None]
    ) -> None:
        self.status: int = status
        self.headers: Mapping[str, str] = headers
        self.pieces: Iterable[bytes] = pieces
        self.close: Callable[[], None] = close


class AsyncAnswer:
    """`Answer` for asyncio."""

    __slots__ = ("aclose", "headers", "pieces", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        pieces: AsyncIterable[bytes],
        aclose: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self.status: int = status
        self.headers: Mapping[str, str] = headers
        self.pieces: AsyncIterable[bytes] = pieces
        self.aclose: Callable[[], Coroutine[Any, Any, None]] = aclose


def connection_options(settings: Settings, handed_in: object, url: httpx2.URL) -> dict[str, Any]:
    """Give what a pool of httpcore2 is to be made with: proxy, certificates, limits.

    Args:
        settings: the arguments of the client, their ``proxy`` made sound by `rp_signing.sdk.proxies.take_proxy`.
        handed_in: its ``http_client`` or ``transport``, or None.
        url: the base URL; without ``proxy``, the environment's proxy for it is taken.

    Raises:
        ValueError, TypeError: two that exclude one another, or one that makes no sense.
        ImportError: the proxy speaks SOCKS, and what that needs is not installed.
    """
    for name in ("proxy", "verify"):
        if name in settings and handed_in is not None:
            raise ValueError(
                f"{name}= is for the connections of this client's own; give it to http_client= or transport="
            )
    verify = settings.get("verify", True)
    if not isinstance(verify, (bool, ssl.SSLContext)):
        raise TypeError(
            f"verify= must be a bool or an ssl.SSLContext, not {type(verify).__name__}; "
            "ssl.create_default_context(cafile=…) makes one of a file"
        )
    options = dict(_LIMITS)
    if handed_in is not None:
        return options
    if proxy := settings.get("proxy") or proxy_of_environment(url):
        options["proxy"] = proxy
    if url.scheme == "https":
        options["ssl_context"] = _certificates(verify)
    return options


class Connections:
    """Connections to one base URL, as many as are needed at once, kept for the next request; for threads to share.

    Args:
        url: the base URL.
        options: what `connection_options` gave.
    """

    is_closed: bool = False

    def __init__(self, url: httpx2.URL, options: dict[str, Any]) -> None:
        # Brings the half of httpx2 that it too imports with the first client.
        import httpcore2

        from .held import held_sockets

        self._url = url
        self._pool = httpcore2.ConnectionPool(**_made(options), network_backend=held_sockets())

    def post(self, outgoing: Outgoing, timeouts: Timeouts) -> Answer:
        """Send a request, and wait for the head of the answer."""
        response = self._pool.handle_request(_request(self._url, outgoing, timeouts))
        return Answer(response.status, _named(response.headers), response.iter_stream(), response.close)

    def close(self) -> None:
        """Close them."""
        self._pool.close()


class AsyncConnections:
    """`Connections` for asyncio."""

    is_closed: bool = False

    def __init__(self, url: httpx2.URL, options: dict[str, Any]) -> None:
        import httpcore2

        from .held import async_sockets

        self._url = url
        self._pool = httpcore2.AsyncConnectionPool(**_made(options), network_backend=async_sockets())

    async def post(self, outgoing: Outgoing, timeouts: Timeouts) -> AsyncAnswer:
        """Send a request, and wait for the head of the answer."""
        response = await self._pool.handle_async_request(_request(self._url, outgoing, timeouts))
        return AsyncAnswer(response.status, _named(response.headers), response.aiter_stream(), response.aclose)

    async def aclose(self) -> None:
        """Close them."""
        await self._pool.aclose()


def _request(url: httpx2.URL, outgoing: Outgoing, timeouts: Timeouts) -> httpcore2.Request:
    import httpcore2

    target = b"%s/v1/%s" % (url.raw_path.rstrip(b"/"), outgoing.prepared.route.encode())
    headers = {**ASKED, **outgoing.headers, "content-length": str(len(outgoing.body))}
    return httpcore2.Request(
        b"POST",
        httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target),
        headers=[(b"host", url.netloc), *headers.items()],
        content=outgoing.body,
        extensions={"timeout": timeouts},
    )


def _named(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _made(options: dict[str, Any]) -> dict[str, Any]:
    """Give the options with the proxy as httpcore2 has it."""
    import httpcore2

    proxy = options.get("proxy")
    if proxy is None:
        return options
    url = proxy.url
    place = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    return options | {"proxy": httpcore2.Proxy(place, proxy.raw_auth, proxy.headers.raw, ssl_context=proxy.ssl_context)}


def _certificates(verify: ssl.SSLContext | bool) -> ssl.SSLContext:
    try:
        return httpx2.create_ssl_context(verify)
    except OSError as error:
        text = f"SSL_CERT_FILE or SSL_CERT_DIR names certificates that cannot be read ({type(error).__name__})"
        raise ValueError(text) from None
