"""`serve` closes a connection whose request does not begin, or does not get as far as the end of its head."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ingested import Endpoint, endpoint, signed, track
from parties import Clock
from served import answer_on, head, running, wire_to

from rp_signing import canonicalize
from rp_signing.cli.head_timeout import HEAD_SECONDS
from rp_signing.cli.serve import Server, listen
from rp_signing.ingest.app import Ingest

SHORT = 0.3


@contextmanager
def serving_for(app: Ingest, seconds: float) -> Iterator[str]:
    """Serve as `serve` does, with this long for a head; gives the base URL."""
    with running(Server(app, head_seconds=seconds), listen("127.0.0.1", 0)) as url:
        yield url


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Endpoint]:
    """An endpoint, whose application is served once more here."""
    with endpoint(tmp_path, clock=Clock()) as source:
        yield source


def request(source: Endpoint, message_id: str) -> tuple[bytes, bytes]:
    """Head and body of a request that is taken."""
    body = canonicalize(signed(track(message_id)))
    fields = [*source.headers(body).items(), ("Content-Length", str(len(body)))]
    return head(f"{source.url}/v1/track", fields), body


@pytest.mark.parametrize("sent", [b"", b"POST /v1/tr", b"POST /v1/track HTTP/1.1\r\nHost: localhost\r\n"])
def test_half_a_head_is_waited_for_until_its_deadline(source: Endpoint, sent: bytes) -> None:
    """Who sends nothing, or half a head, is closed after the time for it, and not before."""
    with serving_for(source.app, SHORT) as url, wire_to(url) as wire:
        started = time.monotonic()
        wire.sendall(sent)
        assert wire.recv(1) == b""
        assert SHORT * 0.9 <= time.monotonic() - started < SHORT + 5


def test_a_head_that_trickles_in_gets_no_longer(source: Endpoint) -> None:
    """Bytes that come one by one do not extend the deadline."""
    with serving_for(source.app, SHORT) as url, wire_to(url) as wire:
        wire.settimeout(SHORT / 10)
        started = time.monotonic()
        wire.sendall(b"POST /v1/track HTTP/1.1\r\nX-Slow: ")
        closed = False
        while not closed and time.monotonic() < started + SHORT + 5:
            try:
                wire.sendall(b"a")
                closed = wire.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                closed = True
        assert closed


def test_half_a_head_on_a_kept_connection_has_a_deadline_too(source: Endpoint) -> None:
    """After an answer the next head has its own time: whole it is answered, half it is closed."""
    with serving_for(source.app, SHORT) as url, wire_to(url) as wire:
        for message_id in ("m-1", "m-2"):
            wire.sendall(b"".join(request(source, message_id)))
            assert answer_on(wire).status == 202
        wire.sendall(request(source, "m-3")[0][:20])
        started = time.monotonic()
        assert wire.recv(1) == b""
        assert time.monotonic() - started < SHORT + 4


def test_a_body_has_its_own_time(source: Endpoint) -> None:
    """Once the head is whole its deadline is over: a body that comes later than that is taken."""
    with serving_for(source.app, SHORT) as url, wire_to(url) as wire, wire_to(url) as silent:
        first, body = request(source, "m-1")
        wire.sendall(first + body[:10])
        assert silent.recv(1) == b""  # the silent one came later, and its time is over
        wire.sendall(body[10:])
        assert answer_on(wire).status == 202


def test_heads_have_as_long_as_bodies() -> None:
    """The deadline that `serve` has is the documented one."""
    assert HEAD_SECONDS == 10
