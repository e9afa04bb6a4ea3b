"""How the ingest endpoint reads a body: within a limit and a time, and headers before it (SPEC §6.1)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ingested import Endpoint, endpoint, listening, signed, track
from served import answer_on, ask, ask_raw, head, wire_to

from rp_signing import VerificationError, canonicalize
from rp_signing.middleware.body import read_body

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


def test_trailers_bring_no_signature(tmp_path: Path) -> None:
    """Where a server adds what comes after the body to the headers, a signature that comes so is none."""
    with endpoint(tmp_path, http="httptools") as served, wire_to(served.url) as connection:
        fields = served.headers(BODY)
        mac = fields.pop("X-RP-Signature")
        connection.sendall(head(f"{served.url}/v1/track", [*fields.items(), CHUNKED, ("Expect", "100-continue")]))
        # The application runs by then; what comes with the head is in the headers before it does.
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += connection.recv(1)
        connection.sendall(chunk(BODY) + f"0\r\nX-RP-Signature: {mac}\r\n\r\n".encode())
        answer = answer_on(connection)
    assert (answer.status, answer.document["code"]) == (400, "header_malformed")


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
