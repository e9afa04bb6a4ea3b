"""The SDK against the real endpoint: uvicorn, SQLite and a socket between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from served import serving

from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keys import ApiKey, Keyring
from rp_signing.sdk import (
    AsyncRetainPixel,
    BodyAltered,
    ClockSkew,
    PayloadRefused,
    Replayed,
    RequestRefused,
    RetainPixel,
    SignatureRemoved,
    WrongSecret,
)

API_KEY, OPEN_KEY = "rpx_test_required", "rpx_test_optional"
SECRET, OTHER = "s" * 40, "t" * 40


class Place(NamedTuple):
    """A running endpoint and its store."""

    url: str
    store: SQLiteEventStore


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An endpoint with one api key that requires signatures and one that does not."""
    for name in ("RETAINPIXEL_API_KEY", "RETAINPIXEL_HMAC_SECRET", "RETAINPIXEL_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    store = SQLiteEventStore(tmp_path / "events.db")
    entries = {API_KEY: ApiKey(API_KEY, [SECRET]), OPEN_KEY: ApiKey(OPEN_KEY, [SECRET], require_signature=False)}
    try:
        with serving(Ingest(Keyring(entries), store)) as url:
            yield Place(url, store)
    finally:
        store.close()


class Meddling(httpx2.HTTPTransport):
    """Something between that alters requests."""

    def __init__(self, meddle: Any) -> None:
        super().__init__()
        self._meddle = meddle

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Alter the request and send it on."""
        return super().handle_request(self._meddle(request))


def altered(request: httpx2.Request, body: bytes | None = None, strip: bool = False) -> httpx2.Request:
    """Copy a request with another body or without its signature headers."""
    text = request.content if body is None else body
    signature = ("x-rp-signature", "x-rp-timestamp", "x-rp-nonce", "x-rp-key-id")
    dropped = ("content-length", *(signature if strip else ()))
    headers = [(name, value) for name, value in request.headers.items() if name not in dropped]
    return httpx2.Request("POST", request.url, headers=headers, content=text, extensions=request.extensions)


def client_of(place: Place, api_key: str = API_KEY, secret: str = SECRET, **more: Any) -> RetainPixel:
    """Make a client that signs."""
    return RetainPixel(api_key=api_key, secret=secret, base_url=place.url, **more)


def test_signed_events_are_stored_with_high_trust(place: Place) -> None:
    """Track, identify, group and batch: each is stored, once, as high, with what was sent in it."""
    with client_of(place) as client:
        receipts = [
            client.track(user_id="u", event="Order Completed", properties={"total": 49.0, "who": "שרה 👩‍🚀"}),
            client.identify(user_id="u", traits={"plan": None}),
            client.group(anonymous_id="a", group_id="g"),
            client.batch([{"type": "track", "user_id": "u", "event": "E"}, {"type": "identify", "userId": "u"}]),
        ]
    assert [(receipt.stored, receipt.duplicates, receipt.trust) for receipt in receipts] == [
        (1, 0, "high"),
        (1, 0, "high"),
        (1, 0, "high"),
        (2, 0, "high"),
    ]
    assert len(place.store) == sum(len(receipt.message_ids) for receipt in receipts) == 5
    assert all(receipt.request_id and abs(receipt.skew) <= 1 for receipt in receipts)


def test_unsigned_events_are_standard_where_that_is_allowed(place: Place) -> None:
    """Without a secret an event is standard, or refused where the api key requires a signature."""
    with RetainPixel(api_key=OPEN_KEY, base_url=place.url) as client:
        assert client.track(user_id="u", event="E").trust == "standard"
    with RetainPixel(api_key=API_KEY, base_url=place.url) as client, pytest.raises(RequestRefused) as caught:
        client.track(user_id="u", event="E")
    assert (caught.value.code, caught.value.status) == ("signature_missing", 401)


def test_the_same_events_again_are_duplicates(place: Place) -> None:
    """A user's own retry, after an answer that was lost, stores nothing twice; other content is a conflict."""
    with client_of(place) as client:
        client.track(user_id="u", event="E", message_id="m-1", timestamp="2026-11-23T09:00:00Z")
        again = client.track(user_id="u", event="E", message_id="m-1", timestamp="2026-11-23T09:00:00Z")
        assert (again.stored, again.duplicates) == (0, 1)
        with pytest.raises(PayloadRefused) as caught:
            client.batch([{"type": "identify", "userId": "u"}, {"type": "identify", "userId": "u", "messageId": "m-1"}])
    assert caught.value.code == "message_id_conflict"
    assert [fault["index"] for fault in caught.value.errors] == [1]
    assert len(place.store) == 1


def test_each_mistake_gets_its_error(place: Place) -> None:
    """Another secret, a wrong clock, an unknown api key, a wrong path: each has its own error and its cause."""
    track: dict[str, Any] = {"user_id": "u", "event": "E"}
    with client_of(place, secret=OTHER) as client, pytest.raises(WrongSecret, match=str(client.key_id)):
        client.track(**track)
    with client_of(place, clock=lambda: 1795424000) as client, pytest.raises(ClockSkew) as skewed:
        client.track(**track)
    assert skewed.value.skew == client.skew
    with client_of(place, api_key="rpx_test_unknown") as client, pytest.raises(RequestRefused) as unknown:
        client.track(**track)
    assert unknown.value.code == "api_key_unknown"
    with client_of(place._replace(url=place.url + "/v2")) as client, pytest.raises(RequestRefused) as lost:
        client.track(**track)
    assert lost.value.code == "route_unknown"
    assert len(place.store) == 0


def test_each_meddling_gets_its_error(place: Place) -> None:
    """What alters the body, takes the signature off or sends twice is told apart."""
    track: dict[str, Any] = {"user_id": "u", "event": "E"}

    def spaced(request: httpx2.Request) -> httpx2.Request:
        return altered(request, request.content.replace(b'":', b'": '))

    def stripped(request: httpx2.Request) -> httpx2.Request:
        event = request.content
        start = event.index(b'"integrity_signature"')
        return altered(request, event[:start] + event[start + 96 :], strip=True)

    def twice(request: httpx2.Request) -> httpx2.Request:
        httpx2.post(request.url, headers=request.headers, content=request.content)
        return request

    with client_of(place, transport=Meddling(spaced)) as client, pytest.raises(BodyAltered) as caught:
        client.track(**track)
    assert caught.value.received_length > caught.value.sent_length
    with client_of(place, OPEN_KEY, transport=Meddling(stripped)) as client, pytest.raises(SignatureRemoved):
        client.track(**track)
    with client_of(place, transport=Meddling(twice)) as client, pytest.raises(Replayed):
        client.track(**track)


def test_the_asynchronous_client_does_the_same(place: Place) -> None:
    """AsyncRetainPixel sends the same events, many at once."""

    async def send() -> list[int]:
        async with AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=place.url) as client:
            calls = [client.track(user_id="u", event=f"E {n}") for n in range(20)]
            calls += [client.identify(user_id="u"), client.group(user_id="u", group_id="g")]
            calls += [client.batch([{"type": "identify", "userId": "u"}] * 3)]
            return [receipt.stored for receipt in await asyncio.gather(*calls)]

    assert sum(asyncio.run(send())) == len(place.store) == 25


def test_threads_share_a_client(place: Place) -> None:
    """Ten threads send through one client, and every event is stored."""
    start = threading.Barrier(10)
    with client_of(place) as client, ThreadPoolExecutor(10) as pool:

        def send(n: int) -> int:
            start.wait(30)
            return sum(client.track(user_id=f"u-{n}", event=f"E {k}").stored for k in range(10))

        assert sum(pool.map(send, range(10))) == len(place.store) == 100
