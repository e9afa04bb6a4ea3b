"""An HTTP client that was handed in, or one around a transport that was: its hooks, headers and cookies are used."""

from __future__ import annotations

import httpx2

from .connections import ASKED, Answer, AsyncAnswer, Timeouts
from .prepared import Outgoing

__all__ = ["AsyncHandedIn", "HandedIn", "check_handed_in"]


def check_handed_in(client: tuple[object, type], transport: tuple[object, type]) -> object:
    """Give the one of the two that was handed in, or None.

    Args:
        client: the argument ``http_client``, or None, and what it has to be.
        transport: the argument ``transport``, or None, and what it has to be.

    Raises:
        ValueError, TypeError: both, or something else.
    """
    for name, (given, kind) in (("http_client", client), ("transport", transport)):
        if given is not None and not isinstance(given, kind):
            # With its package: httpx has classes of the same names.
            package = type(given).__module__.partition(".")[0]
            raise TypeError(f"{name}= must be an httpx2.{kind.__name__}, not {package}.{type(given).__name__}")
    if client[0] is not None and transport[0] is not None:
        raise ValueError("give http_client= or transport=, not both")
    return transport[0] if client[0] is None else client[0]


class HandedIn:
    """A client of httpx2 as a way to one base URL.

    Args:
        url: the base URL, without a slash at its end.
        client: to send with.
    """

    def __init__(self, url: str, client: httpx2.Client) -> None:
        self._url = url
        self._client = client

    @property
    def is_closed(self) -> bool:
        """Whether its maker closed it."""
        return self._client.is_closed

    def post(self, outgoing: Outgoing, timeouts: Timeouts) -> Answer:
        """Send a request, and wait for the head of the answer."""
        request = _built(self._client, self._url, outgoing, timeouts)
        response = self._client.send(request, stream=True, follow_redirects=False)
        # A transport of a test may have the answer whole already.
        pieces = response.iter_bytes() if response.is_stream_consumed else response.iter_raw()
        return Answer(response.status_code, response.headers, pieces, response.close)

    def close(self) -> None:
        """Close it."""
        self._client.close()


class AsyncHandedIn:
    """`HandedIn` for asyncio."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self._url = url
        self._client = client

    @property
    def is_closed(self) -> bool:
        """Whether its maker closed it."""
        return self._client.is_closed

    async def post(self, outgoing: Outgoing, timeouts: Timeouts) -> AsyncAnswer:
        """Send a request, and wait for the head of the answer."""
        request = _built(self._client, self._url, outgoing, timeouts)
        response = await self._client.send(request, stream=True, follow_redirects=False)
        pieces = response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw()
        return AsyncAnswer(response.status_code, response.headers, pieces, response.aclose)

    async def aclose(self) -> None:
        """Close it."""
        await self._client.aclose()


def _built(
    client: httpx2.Client | httpx2.AsyncClient, url: str, outgoing: Outgoing, timeouts: Timeouts
) -> httpx2.Request:
    return client.build_request(
        "POST",
        f"{url}/v1/{outgoing.prepared.route}",
        headers={**ASKED, **outgoing.headers},
        content=outgoing.body,
        extensions={"timeout": dict(timeouts)},
    )
