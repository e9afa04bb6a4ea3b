"""How the ingest endpoint reads a body: within a limit and a time, and headers before it (SPEC §6.1)."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ingested import DOCUMENT, JSON, Endpoint, endpoint, listening, signed, track
from parties import LIVE_API_KEY, NOW, Clock, signer
from served import answer_on, ask, ask_raw, head, wire_to

from rp_signing import Reason, VerificationError, canonicalize
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.body import read_body
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keyfile import keyring_of

LIMIT = 100_000
PIECE = 64 * 1024
BODY = canonicalize(signed(track()))
CHUNKED = ("Transfer-Encoding", "chunked")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Endpoint]:
    """An endpoint with a small limit for bodies."""
    with endpoint(tmp_path, max_body=LIMIT) as served:
        yield served


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def padded(length: int) -> bytes:
    """A good body of exactly that many bytes."""
    event = canonicalize(signed(track()))
    return b"{" + b" " * (length - len(event)) + event[1:]


def test_a_long_content_length_is_refused_before_a_byte_is_read(served: Endpoint) -> None:
    """The refusal comes while not one byte of the body was sent."""
    for length in (LIMIT + 1, 10**12, 10**18):
        headers = [*served.headers(BODY).items(), ("Content-Length", str(length))]
        answer = ask_raw(f"{served.url}/v1/track", headers)
        assert (answer.status, answer.document["code"]) == (413, "payload_too_large")
        assert "received" not in answer.document


def test_a_sender_that_asks_first_is_not_told_to_go_on(served: Endpoint) -> None:
    """With Expect: 100-continue, an oversized body is refused instead of being asked for."""
    headers = [*served.headers(BODY).items(), ("Content-Length", str(LIMIT + 1)), ("Expect", "100-continue")]
    assert ask_raw(f"{served.url}/v1/track", headers).status == 413


def test_a_chunked_body_is_refused_when_it_passes_the_limit(served: Endpoint) -> None:
    """A body without a length is refused on the way, though it never ends."""
    with wire_to(served.url) as connection:
        connection.sendall(head(f"{served.url}/v1/track", [*served.headers(BODY).items(), CHUNKED]))
        connection.sendall(chunk(b" " * (LIMIT // 2)) * 3)
        answer = answer_on(connection)
    assert (answer.status, answer.document["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("chunked", [False, True])
def test_the_limit_itself_is_taken(served: Endpoint, chunked: bool) -> None:
    """A body of exactly the limit is stored, one byte more is refused."""
    for length, status in ((LIMIT, 202), (LIMIT + 1, 413)):
        body = padded(length)
        fields = list(served.headers(body).items())
        if chunked:
            sent = chunk(body[:7]) + chunk(body[7:]) + chunk(b"")
            answer = ask_raw(f"{served.url}/v1/track", [*fields, CHUNKED], sent)
        else:
            answer = ask(f"{served.url}/v1/track", body, dict(fields))
        assert answer.status == status


def test_a_body_is_refused_after_at_most_the_limit_and_64_kib() -> None:
    """Of an endless body, no more than the limit and one piece of 64 KiB is ever taken."""
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += PIECE
        return {"type": "http.request", "body": bytes(PIECE), "more_body": True}

    for limit in (0, 1, PIECE, LIMIT, 1024 * 1024):
        taken = 0
        with pytest.raises(VerificationError, match="payload_too_large"):
            asyncio.run(read_body(receive, [], limit, 10))
        assert limit < taken <= limit + PIECE


def test_a_stalled_body_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    """A body that does not come is body_timeout, whatever the server would have waited, and the connection ends."""
    with endpoint(tmp_path, body_timeout=0.05) as served, wire_to(served.url) as connection:
        headers = [*served.headers(BODY).items(), ("Content-Length", str(len(BODY)))]
        connection.sendall(head(f"{served.url}/v1/track", headers) + BODY[:-1])
        connection.settimeout(5)
        answer = answer_on(connection)
        assert (answer.status, answer.document["code"]) == (408, "body_timeout")
        assert answer.headers["connection"] == "close"
        assert connection.recv(1) == b""
        assert len(served.store) == 0


def test_a_body_that_trickles_has_no_more_time() -> None:
    """The deadline is for the whole body: pieces that keep coming do not move it."""

    async def trickle() -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        arrival = loop.create_future()
        loop.call_later(0.001, arrival.set_result, None)
        await arrival
        return {"type": "http.request", "body": b" ", "more_body": True}

    with pytest.raises(VerificationError, match="body_timeout"):
        asyncio.run(asyncio.wait_for(read_body(trickle, [], LIMIT, 0.05), 5))


def test_a_sender_that_hangs_up_leaves_nothing(served: Endpoint) -> None:
    """Half a body and a closed connection store nothing, and the endpoint goes on serving."""
    with listening() as heard:
        with wire_to(served.url) as connection:
            headers = [*served.headers(BODY).items(), ("Content-Length", str(len(BODY)))]
            connection.sendall(head(f"{served.url}/v1/track", headers) + BODY[:-1])
            connection.shutdown(socket.SHUT_RDWR)
        assert served.send("track", signed(track("m-2"))).status == 202
    assert served.contents() == [canonicalize(track("m-2")).decode()]
    assert not [record for record in heard.records if record.levelname == "ERROR"]


def test_trailers_are_no_headers(served: Endpoint) -> None:
    """Header fields after a chunked body neither complete, double nor replace those before it."""
    fields = served.headers(BODY)
    mac = fields.pop("X-RP-Signature")
    for line in (f"X-RP-Signature: {mac}\r\n", f"x-rp-signature: {mac}\r\nX-RP-Api-Key: x\r\n"):
        sent = chunk(BODY) + f"0\r\n{line}\r\n".encode()
        answer = ask_raw(f"{served.url}/v1/track", [*fields.items(), CHUNKED], sent)
        assert (answer.status, answer.document["code"]) == (400, "header_malformed")
    whole = [*fields.items(), ("X-RP-Signature", mac), CHUNKED]
    sent = chunk(BODY) + b"0\r\nX-RP-Nonce: another\r\n\r\n"
    assert ask_raw(f"{served.url}/v1/track", whole, sent).status == 202


def test_several_requests_share_a_connection(served: Endpoint) -> None:
    """After a refusal, the next request on the same connection is read from its beginning."""
    url = f"{served.url}/v1/track"
    with wire_to(served.url) as connection:
        for message_id, status in (("m-1", 202), ("bad id", 422), ("m-2", 202)):
            body = canonicalize(signed(track(message_id)))
            headers = [*served.headers(body).items(), ("Content-Length", str(len(body)))]
            connection.sendall(head(url, headers) + body)
            assert answer_on(connection).status == status
        long = [*served.headers(BODY).items(), ("Content-Length", str(LIMIT + 1))]
        connection.sendall(head(url, long) + b"x" * (LIMIT + 1))
        assert answer_on(connection).status == 413
        body = canonicalize(signed(track("m-3")))
        connection.sendall(head(url, [*served.headers(body).items(), ("Content-Length", str(len(body)))]) + body)
        assert answer_on(connection).status == 202


# Below the socket: what other servers do.


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
