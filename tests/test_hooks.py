"""Hooks that sign what other clients send: the endpoint takes it, and nothing else leaves."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
from parties import KEYS
from served import serving
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, MemoryNonceStore, Signer
from rp_signing.middleware.asgi import VerifyRequests
from rp_signing.sdk.hooks import aiohttp_middleware, async_request_hook, request_hook, requests_auth

PAYLOAD = {"userId": "user-123", "event": "Grüße 😀", "total": 49.9}
SIGNER = Signer(api_key=API_KEY, secret=SECRET)
Send = Callable[..., tuple[int, Any]]


def by_httpx(url: str, method: str = "POST", origin: str | None = None, **given: Any) -> tuple[int, Any]:
    """Send by httpx."""
    hooks: Any = {"request": [request_hook(SIGNER, origin or origin_of(url))]}
    with httpx.Client(event_hooks=hooks, follow_redirects=True) as client:
        response = client.request(method, url, **given)
        return response.status_code, response.json()


def by_httpx2(url: str, method: str = "POST", origin: str | None = None, **given: Any) -> tuple[int, Any]:
    """Send by httpx2."""
    hooks: Any = {"request": [request_hook(SIGNER, origin or origin_of(url))]}
    with httpx2.Client(event_hooks=hooks, follow_redirects=True) as client:
        response = client.request(method, url, **given)
        return response.status_code, response.json()


def by_async(module: Any) -> Send:
    """Send by the async client of httpx or httpx2."""

    def send(url: str, method: str = "POST", origin: str | None = None, **given: Any) -> tuple[int, Any]:
        async def once() -> tuple[int, Any]:
            hooks = {"request": [async_request_hook(SIGNER, origin or origin_of(url))]}
            async with module.AsyncClient(event_hooks=hooks, follow_redirects=True) as client:
                response = await client.request(method, url, **given)
                return response.status_code, response.json()

        return asyncio.run(once())

    return send


def by_requests(url: str, method: str = "POST", origin: str | None = None, **given: Any) -> tuple[int, Any]:
    """Send by requests."""
    content = given.pop("content", None)
    with requests.Session() as session:
        session.auth = requests_auth(SIGNER, origin or origin_of(url))
        response = session.request(method, url, data=content, **given)
        return response.status_code, response.json()


def by_aiohttp(url: str, method: str = "POST", origin: str | None = None, **given: Any) -> tuple[int, Any]:
    """Send by aiohttp."""
    content = given.pop("content", None)

    async def once() -> tuple[int, Any]:
        middleware: Any = aiohttp_middleware(SIGNER, origin or origin_of(url))
        async with (
            aiohttp.ClientSession(middlewares=[middleware]) as session,
            session.request(method, url, data=content, **given) as response,
        ):
            return response.status, await response.json(content_type=None)

    return asyncio.run(once())


CLIENTS: dict[str, Send] = {
    "httpx": by_httpx,
    "httpx, async": by_async(httpx),
    "httpx2": by_httpx2,
    "httpx2, async": by_async(httpx2),
    "requests": by_requests,
    "aiohttp": by_aiohttp,
}


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    return "/".join(url.split("/")[:3])


class Target:
    """An endpoint behind the gate, with paths that redirect.

    Attributes:
        seen: the path of each request that arrived, whatever became of it.
        payloads: what was verified.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.payloads: list[Any] = []
        self.elsewhere = ""
        self._gate = VerifyRequests(self._take, Keyring.of(KEYS), nonces=MemoryNonceStore(born=0))

    async def _take(self, scope: Any, receive: Any, send: Any) -> None:
        self.payloads.append(scope["rp_signing.verified"].payload)
        await reply(send, 200, b"{}")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Verify, or redirect: ``/308`` to another origin, ``/303`` and ``/307`` to this one."""
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": message["type"] + ".complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        path = scope["path"]
        self.seen.append(path)
        if path[1:].isdigit():
            await receive()
            where = self.elsewhere if path == "/308" else ""
            await reply(send, int(path[1:]), b"{}", [(b"location", f"{where}/landed".encode())])
        else:
            await self._gate(scope, receive, send)


async def reply(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    """Answer."""
    headers = [(b"content-length", b"%d" % len(body)), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def target() -> Iterator[tuple[Target, str, Target]]:
    """The endpoint, its URL, and another origin that nothing may be sent to."""
    here, there = Target(), Target()
    with serving(here) as url, serving(there) as elsewhere:
        here.elsewhere = elsewhere
        yield here, url, there


@pytest.fixture(params=CLIENTS)
def send(request: pytest.FixtureRequest) -> Send:
    """Each client in its turn."""
    return CLIENTS[request.param]


def test_a_json_post_is_signed_and_taken(send: Send, target: tuple[Target, str, Target]) -> None:
    """`json=` is signed as the client wrote it, and verifies; again under a new nonce."""
    here, url, _ = target
    for _ in range(2):
        assert send(f"{url}/hook", json=PAYLOAD) == (200, {})
        assert here.payloads[-1] == PAYLOAD


def test_bytes_of_the_callers_own_are_signed(send: Send, target: tuple[Target, str, Target]) -> None:
    """A body of bytes with its Content-Type is signed as it stands."""
    here, url, _ = target
    body = json.dumps(PAYLOAD, indent=2).encode()
    assert send(f"{url}/hook", content=body, headers={"Content-Type": "application/json"})[0] == 200
    assert here.payloads[-1] == PAYLOAD


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "GET"}, "this is GET"),
        ({"method": "PUT", "json": PAYLOAD}, "this is PUT"),
        ({}, r"body|empty"),
        ({"content": b"{}"}, "Content-Type"),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, "Content-Type"),
        ({"content": b"{}", "headers": {"Content-Type": "application/json", "X-RP-Signature": "x"}}, "signed already"),
        ({"json": PAYLOAD, "headers": {"Content-Encoding": "br"}}, "Content-Encoding"),
        ({"json": PAYLOAD, "origin": "https://127.0.0.1:1"}, "another origin"),
    ],
)
def test_what_cannot_be_signed_is_not_sent(
    send: Send, target: tuple[Target, str, Target], given: dict[str, Any], said: str
) -> None:
    """Another method, no body, another type, another origin: it raises, and nothing arrives."""
    here, url, _ = target
    before = len(here.seen)
    with pytest.raises(ValueError, match=said):
        send(f"{url}/hook", **given)
    assert len(here.seen) == before


@pytest.mark.parametrize("path", ["/303", "/308"])
def test_no_redirect_carries_the_signature_away(send: Send, target: tuple[Target, str, Target], path: str) -> None:
    """A redirect to another origin, or one that would turn the POST into a GET, raises and is not followed."""
    here, url, there = target
    before = len(here.seen)
    with pytest.raises(ValueError, match=r"redirect|origin|GET"):
        send(f"{url}{path}", json=PAYLOAD)
    assert here.seen[before:] == [path]
    assert there.seen == []


def test_a_stream_is_sent_by_no_client_unsigned(target: tuple[Target, str, Target]) -> None:
    """What comes piece by piece is read whole and signed, or refused; it never leaves unsigned."""
    here, url, _ = target
    pieces = [b'{"a":', b"1}"]
    headers = {"Content-Type": "application/json"}
    assert by_httpx(f"{url}/hook", content=iter(pieces), headers=headers)[0] == 200
    assert here.payloads[-1] == {"a": 1}

    async def later() -> Any:
        for piece in pieces:
            yield piece

    before = len(here.seen)
    with pytest.raises(ValueError, match="generator"):
        by_requests(f"{url}/hook", content=iter(pieces), headers=headers)
    with pytest.raises(ValueError, match="generator"):
        by_requests(f"{url}/hook", content='{"a":1}', headers=headers)
    with pytest.raises(ValueError, match="generator"):
        by_aiohttp(f"{url}/hook", content=later(), headers=headers)
    assert len(here.seen) == before


@pytest.mark.parametrize(
    "origin", ["", "ingest.example", "ftp://ingest.example", "https://ingest.example/v1", "https://"]
)
@pytest.mark.parametrize("hook", [request_hook, async_request_hook, requests_auth, aiohttp_middleware])
def test_an_origin_that_is_none_is_refused(hook: Any, origin: str) -> None:
    """The hook is not made for what is no scheme, host and port."""
    with pytest.raises(ValueError, match="origin must be"):
        hook(SIGNER, origin)
    with pytest.raises(TypeError, match="Signer"):
        hook("secret", "https://ingest.example")


def test_the_recipes_send_what_is_taken(target: tuple[Target, str, Target]) -> None:
    """Each block of docs/recipes/sending.md runs as it stands and is verified."""
    here, url, _ = target
    page = (Path(__file__).parent.parent / "docs/recipes/sending.md").read_text(encoding="utf-8")
    recipes = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(recipes) == 3
    for code in recipes:
        defined: dict[str, Any] = {"api_key": API_KEY, "secret": SECRET, "origin": url}
        exec(compile(code, "sending.md", "exec"), defined)  # noqa: S102 - our own page
        status = defined["response"].status_code if "response" in defined else asyncio.run(defined["send"]())
        assert status == 200
        assert here.payloads.pop() == {"event": "Order Completed"}
