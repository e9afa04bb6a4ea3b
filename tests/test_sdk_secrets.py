"""Neither api key nor secret is in what an exception tracker collects, frame locals and all."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import httpx2
import pytest
from recorded import URL
from scripted import API_KEY, SECRET, answering, problem, raw, receipt, reply
from tracking import collected, tracked

from rp_signing.keys import secret_text
from rp_signing.sdk import AsyncRetainPixel, RetainPixel

__all__ = ["tracked"]

KINDS = [RetainPixel, AsyncRetainPixel]
REJECTED = {
    "mistyped": secret_text(b"m" * 32, live=False)[:-1],
    "spaced": SECRET + " ",
    "short": "short-secret",
    "live": secret_text(b"l" * 32, live=True),
    "exchanged": "rpx_test_exchanged_for_a_secret",
}
PASSWORD = secret_text(b"p" * 32, live=False)
BAD_KEY = "rpx_demo_of_no_kind"
CALLS: list[Any] = [
    reply(401, problem("signature_invalid")),
    reply(503),
    reply(202, receipt(trust="standard")),
    reply(403, {"code": API_KEY, "detail": SECRET}),
    reply(200, f"your headers: {API_KEY} {SECRET}".encode()),
    raw(f"HTTP/1.1 {API_KEY}\r\n\r\n".encode()),
]


@pytest.mark.parametrize("script", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_error_of_a_call_brings_them_along(kind: Any, script: Any, tracked: list[str]) -> None:
    """Refusals, receipts that are none, and echoes of what was sent hold neither, in no frame and no text."""
    with answering(script) as server:
        text = collected(failure(kind, server.url), tracked)
    assert "rp_signing/sdk" in text
    assert API_KEY not in text
    assert SECRET not in text


def failure(kind: Any, url: str) -> Exception:
    """Give the error of one call; no local of the frames from here on is an api key or a secret."""
    try:
        _send(kind, url)
    except Exception as error:
        return error
    raise AssertionError("it was not refused")


def _send(kind: Any, url: str) -> None:
    if kind is RetainPixel:
        with RetainPixel(api_key=API_KEY, secret=SECRET, base_url=url) as client:
            client.track(user_id="u", event="E")
    else:
        asyncio.run(_asynchronously(url))


async def _asynchronously(url: str) -> None:
    async with AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=url) as client:
        await client.track(user_id="u", event="E")


@pytest.mark.parametrize("name", REJECTED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_constructor_that_refuses_a_secret_forgets_it(
    kind: Any, name: str, tracked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that is refused is in no frame of the constructor, given as an argument or by the environment."""
    text = _refusal(lambda: kind(api_key=API_KEY, secret=REJECTED[name], base_url=URL), tracked)
    assert REJECTED[name].strip() not in text
    assert API_KEY not in text
    monkeypatch.setenv("RETAINPIXEL_HMAC_SECRET", REJECTED[name])
    assert REJECTED[name].strip() not in _refusal(lambda: kind(api_key=API_KEY, base_url=URL), tracked)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constructor_that_refuses_something_else_forgets_them_too(kind: Any, tracked: list[str]) -> None:
    """A bad api key, URL, timeout, proxy or name of an argument brings neither along."""
    faults: list[dict[str, Any]] = [{"base_url": "nowhere"}, {"timeout": 0}, {"colour": 1}, {"proxy": "socks9://x"}]
    faults += [{"http_client": 5}, {"verify": "x"}]
    for fault in faults:
        text = _refusal(lambda more=fault: kind(api_key=API_KEY, secret=SECRET, **{"base_url": URL, **more}), tracked)
        assert API_KEY not in text
        assert SECRET not in text
    assert BAD_KEY not in _refusal(lambda: kind(api_key=BAD_KEY, secret=SECRET, base_url=URL), tracked)


@pytest.mark.parametrize("scheme", ["http", "gopher"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_constructor_forgets_the_password_of_a_proxy(
    kind: Any, scheme: str, tracked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in no frame of what refuses the proxy, or anything else, given as an argument or by the environment."""
    for more in ({"timeout": 0}, {"verify": "x"}):
        assert PASSWORD not in _refusal(lambda more=more: _by_proxy(kind, scheme, **more), tracked)
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:{PASSWORD}@proxy.invalid:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "nothing.pem")
    made = {"api_key": API_KEY, "secret": SECRET, "base_url": "https://ingest.invalid"}
    assert PASSWORD not in _refusal(lambda: kind(**made), tracked)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constructor_forgets_a_base_url_with_a_password(
    kind: Any, tracked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base URL that is refused for the password in it is in no frame, given as an argument or by the environment."""
    made: dict[str, Any] = {"api_key": API_KEY, "secret": SECRET}
    assert PASSWORD not in _refusal(lambda: kind(base_url=f"https://user:{PASSWORD}@ingest.invalid", **made), tracked)
    monkeypatch.setenv("RETAINPIXEL_BASE_URL", f"https://user:{PASSWORD}@ingest.invalid")
    assert PASSWORD not in _refusal(lambda: kind(**made), tracked)


def _by_proxy(kind: Any, scheme: str, **more: Any) -> None:
    url = "https://ingest.invalid"
    kind(api_key=API_KEY, secret=SECRET, base_url=url, proxy=f"{scheme}://user:{PASSWORD}@proxy.invalid", **more)


def _refusal(make: Any, sent: list[str]) -> str:
    try:
        make()
    except (TypeError, ValueError) as error:
        text = collected(error, sent)
        assert "rp_signing/sdk" in text
        return text
    raise AssertionError("it was not refused")


class Ended(BaseException):
    """What ends a call from outside, as ^C does."""


class TimeLimit(Exception):
    """What ends a call from outside, as the time limit of a worker of Celery or RQ does."""


def test_the_time_limit_of_a_worker_ends_a_call(tracked: list[str]) -> None:
    """What a signal handler raises in the middle of a call is not taken for an answer that did not come."""

    def end(*_: object) -> None:
        raise TimeLimit

    def strike(request: Any, connection: Any, over: threading.Event) -> None:
        signal.pthread_kill(worker, signal.SIGUSR1)
        over.wait()

    worker, before = threading.get_ident(), signal.signal(signal.SIGUSR1, end)
    try:
        with answering(strike) as server, pytest.raises(TimeLimit) as caught:
            _send(RetainPixel, server.url)
    finally:
        signal.signal(signal.SIGUSR1, before)
    del server  # it holds what arrived, and this frame is one of the error's
    text = collected(caught.value, tracked)
    assert API_KEY not in text
    assert "site-packages/http" not in text


def test_what_ends_a_call_from_outside_brings_nothing_along(tracked: list[str]) -> None:
    """^C and the like pass through as they are, without the HTTP client's frames, which hold the headers."""

    def end(request: httpx2.Request) -> httpx2.Response:
        headers = dict(request.headers)
        assert API_KEY in headers.values()
        try:
            raise OSError
        except OSError:
            raise Ended  # noqa: B904 - with a context, as an interruption in the middle of a cure has

    with (
        RetainPixel(api_key=API_KEY, secret=SECRET, base_url=URL, transport=httpx2.MockTransport(end)) as client,
        pytest.raises(Ended) as caught,
    ):
        client.track(user_id="u", event="E")
    text = collected(caught.value, tracked)
    assert API_KEY not in text
    assert "site-packages/httpx2" not in text
    assert caught.value.__context__ is None
