"""The ingest endpoint below the socket: what servers other than the one we ship do (SPEC §6.1)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ingested import DOCUMENT, JSON, signed, track
from parties import LIVE_API_KEY, NOW, Clock, signer

from rp_signing import Reason, canonicalize
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keyfile import keyring_of

LIMIT = 100_000
BODY = canonicalize(signed(track()))


async def call(app: Ingest, scope: dict[str, Any], incoming: Iterable[Any]) -> list[dict[str, Any]]:
    """Call the application as a server does; gives what it sent."""
    sent: list[dict[str, Any]] = []
    messages = iter(incoming)

    async def receive() -> Any:
        message = next(messages)
        return message() if callable(message) else message

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def scope_of(headers: Iterable[tuple[str, str]], path: str = "/v1/track") -> dict[str, Any]:
    """A request's scope."""
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "headers": pairs}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Ingest]:
    """An application that no server runs."""
    store = SQLiteEventStore(tmp_path / "events.db", Clock())
    yield Ingest(keyring_of(DOCUMENT), store, clock=Clock(), max_body=LIMIT)
    store.close()


def test_headers_are_those_from_before_the_body(app: Ingest) -> None:
    """A server that merges trailers into the request's headers changes nothing about the request."""
    fields = signer(Clock()).sign(BODY) | JSON
    mac = fields.pop("X-RP-Signature")
    scope = scope_of(fields.items())

    def with_trailers() -> dict[str, Any]:
        scope["headers"].append((b"x-rp-signature", mac.encode()))
        return {"type": "http.request", "body": BODY, "more_body": False}

    sent = asyncio.run(call(app, scope, [with_trailers]))
    assert sent[0]["status"] == Reason.HEADER_MALFORMED.status
    assert (b"x-rp-signature", mac.encode()) in scope["headers"]


def test_the_clock_is_read_after_the_body(tmp_path: Path) -> None:
    """A request that was fresh when its head arrived and is stale when its body is there is refused (R17)."""
    clock = Clock()
    store = SQLiteEventStore(tmp_path / "events.db", lambda: NOW)  # the store's own look would find it fresh
    app = Ingest(keyring_of(DOCUMENT), store, clock=clock)

    def sent_at(now: int, message_id: str) -> dict[str, Any]:
        clock.now = NOW
        body = canonicalize(signed(track(message_id)))
        scope = scope_of((signer(clock).sign(body) | JSON).items())

        def body_at() -> dict[str, Any]:
            clock.now = now
            return {"type": "http.request", "body": body}

        document: dict[str, Any] = json.loads(asyncio.run(call(app, scope, [body_at]))[1]["body"])
        return document

    assert sent_at(NOW + 301, "late")["code"] == "timestamp_expired"
    assert sent_at(NOW + 300, "in-time")["received_at"] == NOW + 300
    store.close()


def test_a_late_body_on_http_2_gets_no_connection_header(tmp_path: Path) -> None:
    """`Connection` belongs to HTTP/1; other versions refuse a reply with it."""

    async def never() -> None:
        await asyncio.Event().wait()

    async def late() -> list[dict[str, Any]]:
        store = SQLiteEventStore(tmp_path / "events.db")
        app = Ingest(keyring_of(DOCUMENT), store, body_timeout=0.01)
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope_of([]) | {"http_version": "2"}, never, send)  # type: ignore[arg-type]
        store.close()
        return sent

    sent = asyncio.run(late())
    assert sent[0]["status"] == 408
    assert b"connection" not in dict(sent[0]["headers"])


def test_start_and_stop_of_the_server_are_answered(app: Ingest) -> None:
    """The lifespan is acknowledged, and the store is left to whoever made it."""
    sent = asyncio.run(call(app, {"type": "lifespan"}, [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]))
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert len(app._store) == 0


def test_a_websocket_is_closed(app: Ingest) -> None:
    """Only HTTP is spoken here."""
    assert asyncio.run(call(app, {"type": "websocket"}, [])) == [{"type": "websocket.close"}]


def test_a_body_in_pieces_is_one_body(app: Ingest) -> None:
    """Empty pieces, pieces of one byte and messages without a body member make the body that was sent."""
    scope = scope_of((signer(Clock()).sign(BODY) | JSON).items())
    pieces = [{"type": "http.request", "body": BODY[at : at + 1], "more_body": True} for at in range(len(BODY))]
    incoming = [{"type": "http.request", "more_body": True}, *pieces, {"type": "http.request"}]
    assert asyncio.run(call(app, scope, incoming))[0]["status"] == 202


def test_a_sender_that_disconnects_gets_no_reply(app: Ingest) -> None:
    """`http.disconnect` in the midst of a body ends the request without a reply."""
    scope = scope_of((signer(Clock()).sign(BODY) | JSON).items())
    incoming = [{"type": "http.request", "body": BODY, "more_body": True}, {"type": "http.disconnect"}]
    assert asyncio.run(call(app, scope, incoming)) == []
    assert len(app._store) == 0


def test_whatever_comes_is_taken_or_refused_with_a_reason(app: Ingest) -> None:
    """Of 3,000 spoiled requests, every one is answered, and none with 503: no input breaks the endpoint."""
    draw = random.Random(20261123)
    good = signer(Clock()).sign(BODY) | JSON
    odd = ["", " ", "\x00", "\xff", "٣".encode().decode("latin-1"), "9" * 4_400, "-1", "sha256=", "ä,b"]

    def spoil(text: str) -> str:
        at = draw.randrange(len(text) + 1)
        return draw.choice(
            [text[:at] + draw.choice(odd) + text[at + draw.randrange(3) :], draw.choice(odd), text + "\n"]
        )

    def spoil_bytes(data: bytes) -> bytes:
        at = draw.randrange(len(data))
        return draw.choice([data[:at], data[:at] + draw.randbytes(draw.randrange(4)) + data[at + 1 :], data[at:]])

    async def run() -> list[int]:
        statuses = []
        for number in range(3_000):
            fields = list(good.items())
            if number % 3 == 0:
                fields = [("X-RP-Api-Key", LIVE_API_KEY), *JSON.items()]
            body = BODY if draw.random() < 0.3 else spoil_bytes(BODY)
            for _ in range(draw.randrange(3)):
                at = draw.randrange(len(fields))
                fields[at] = (fields[at][0], spoil(fields[at][1]))
            if draw.random() < 0.2:
                fields.append(("Content-Length", spoil(str(len(body)))))
            draw.shuffle(fields)
            sent = await call(app, scope_of(fields), [{"type": "http.request", "body": body}])
            statuses.append(sent[0]["status"])
        return statuses

    statuses = asyncio.run(run())
    assert len(statuses) == 3_000
    assert 503 not in statuses
    assert set(statuses) >= {400, 401, 415, 422}
