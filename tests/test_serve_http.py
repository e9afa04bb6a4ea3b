"""How long `serve` waits for the head of a request, over real connections; the deadline is short here."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from parties import BODY, KEYS, signer
from served import PATIENCE, answer_on, head, wire_to

from rp_signing import Keyring
from rp_signing.cli.http import HEAD_SECONDS
from rp_signing.cli.serve import Server, listen
from rp_signing.ingest.app import BODY_TIMEOUT, Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore

SECONDS = 0.3


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """An endpoint that waits 0.3 seconds for a head."""
    store, listener = SQLiteEventStore(tmp_path / "events.db"), listen("127.0.0.1", 0)
    server = Server(Ingest(Keyring.of(KEYS), store), head_seconds=SECONDS)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(PATIENCE)
    listener.close()
    store.close()
    assert not thread.is_alive()


def until_closed(connection: socket.socket) -> bytes:
    """What comes before the other side closes."""
    said = b""
    while piece := connection.recv(4096):
        said += piece
    return said


def signed(url: str) -> tuple[bytes, bytes]:
    """The head and the body of a request that is taken."""
    more = {"Content-Type": "application/json", "Content-Length": str(len(BODY))}
    return head(f"{url}/v1/track", (signer(None).sign(BODY) | more).items()), BODY  # type: ignore[arg-type]


@pytest.mark.parametrize("sent", [b"", b"POST /v1/track HTTP/1.1\r\nHost: a\r\nX-RP-", b"P"])
def test_a_connection_without_a_request_is_closed(url: str, sent: bytes) -> None:
    """Nothing, or half a head: the connection is closed without a word."""
    with wire_to(url) as connection:
        connection.sendall(sent)
        assert until_closed(connection) == b""


def test_half_a_head_after_an_answer_is_closed_too(url: str) -> None:
    """A connection that is kept has the same deadline for each next head, from its first byte on."""
    with wire_to(url) as connection:
        connection.sendall(b"".join(signed(url)))
        assert answer_on(connection).status == 422  # a track without its own signature
        connection.sendall(b"POST /v1/track HTTP/1.1\r\n")
        assert until_closed(connection) == b""


def test_a_head_that_was_in_time_may_be_followed_by_a_slow_body(url: str) -> None:
    """Once the head is there, its deadline is over: the body has one of its own, and so has the answer."""
    first, body = signed(url)
    with wire_to(url) as slow, wire_to(url) as idle:
        slow.sendall(first)
        assert until_closed(idle) == b""  # it was opened later, so the deadline has passed
        slow.sendall(body)
        assert answer_on(slow).status == 422


def test_a_head_may_take_as_long_as_a_body() -> None:
    """What `serve` itself allows."""
    assert HEAD_SECONDS == BODY_TIMEOUT == 10.0
