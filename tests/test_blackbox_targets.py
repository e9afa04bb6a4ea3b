"""The black box at what is no endpoint, and where it may be pointed: one clear error, in time, and no credential."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import spec_page
from ingested import endpoint
from parties import OTHER, OTHER_API_KEY
from served import PATIENCE
from spec_page import API_KEY, SECRET

from rp_signing.conformance.blackbox import PROBES, Unreachable, probe_server
from rp_signing.conformance.http_talk import target_of
from rp_signing.conformance.outcome import Outcome, Status
from rp_signing.keys import api_key_id

IDS = [probe.id for probe in PROBES]


# Servers that speak no HTTP, or not for long


@contextmanager
def answering(answer: Callable[[socket.socket, int], object]) -> Iterator[str]:
    """Listen, and hand each connection over, with its number; gives the URL."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def run() -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if answer(connection, number):
                    listener.close()
            number += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):  # it may be closed already
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_nothing_at_a_url_is_one_clear_error() -> None:
    """Where nobody listens, the error names the URL, and no probe is run."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    told: list[Outcome] = []
    with pytest.raises(Unreachable, match=f"nothing answers at {url}: "):
        probe_server(url, API_KEY, SECRET, told.append)
    assert told == []


NO_HTTP = [
    b"",
    b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    b"HTTP/2 200\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    b"x" * 200_000,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000,
    b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 2_000_000,
]


@pytest.mark.parametrize("octets", NO_HTTP, ids=lambda octets: repr(octets[:40]))
def test_what_is_no_http_is_one_clear_error(octets: bytes) -> None:
    """Something else that listens there is named as such, however much it says."""

    def answer(connection: socket.socket, _: int) -> None:
        connection.recv(1_000)
        try:
            connection.sendall(octets)
        except OSError:
            return

    with answering(answer) as url, pytest.raises(Unreachable, match=f"what answers at {url} speaks no HTTP: "):
        probe_server(url, API_KEY, SECRET, patience=PATIENCE)


def test_a_server_that_says_nothing_is_given_up() -> None:
    """One that accepts and never answers is an error after the patience."""
    ended = threading.Event()
    with answering(lambda *_: ended.wait(PATIENCE)) as url:
        with pytest.raises(Unreachable, match="the time ran out"):
            probe_server(url, API_KEY, SECRET, patience=0.1)
        ended.set()


HELLO = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}"


def test_an_api_key_that_the_server_does_not_know_is_said_at_once(tmp_path: Path) -> None:
    """A stranger's api key ends the run before the first probe, is named by its id, and nothing is stored."""
    told: list[Outcome] = []
    with endpoint(tmp_path, clock=time.time) as served:
        with pytest.raises(ValueError, match=f"does not know the api key {api_key_id(OTHER_API_KEY)}"):
            probe_server(served.url, OTHER_API_KEY, OTHER, told.append)
        assert (told, len(served.store)) == ([], 0)


def test_a_server_that_dies_is_told_for_every_probe() -> None:
    """One that answers once and is gone: every probe has crashed, and the run ends."""

    def answer(connection: socket.socket, _: int) -> bool:
        connection.recv(1_000)
        connection.sendall(HELLO)
        return True

    with answering(answer) as url:
        outcomes = probe_server(url, API_KEY, SECRET)
    assert [outcome.id for outcome in outcomes] == IDS
    assert {outcome.status for outcome in outcomes} == {Status.CRASHED}
    assert "no connection" in outcomes[0].detail


def test_a_server_that_hangs_is_waited_for_less_and_less() -> None:
    """One that answers once and then never: each probe has crashed, within a bounded time."""
    ended = threading.Event()
    held: list[socket.socket] = []

    def answer(connection: socket.socket, number: int) -> None:
        if number == 0:
            connection.recv(1_000)
            connection.sendall(HELLO)
        else:
            held.append(connection.dup())

    with answering(answer) as url:
        outcomes = probe_server(url, API_KEY, SECRET, only=set(IDS[:40]) | {"body-stalls"}, patience=0.02)
        ended.set()
    for connection in held:
        connection.close()
    assert len(outcomes) == 41
    assert {outcome.status for outcome in outcomes} == {Status.CRASHED}


# Where it may be pointed


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:80", "http://example.org", "http://0.0.0.0:80", "http://127.1:80", "http://2130706433",
        "http://[2001:db8::1]:80", "http://127.0.0.1.example.org", "http://localhost.example.org", "http://[::]:80",
        "http://127.0.0.1:80@example.org", "http://example.org#@127.0.0.1", "http://169.254.169.254/",
    ],
)  # fmt: skip
def test_a_target_that_is_not_loopback_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Only loopback is probed, unless the server is said to be one's own; a name is not even looked up."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("it was looked up"))
    with pytest.raises(ValueError, match=r"not loopback|the URL must be"):
        probe_server(url, API_KEY, SECRET)


@pytest.mark.parametrize("url", ["", "x", "https://127.0.0.1", "127.0.0.1:80", "http://", "http://127.0.0.1:x",
                                 "http://127.0.0.1:99999", "http://127.0.0.1/?a", "http://u:p@127.0.0.1",
                                 "http://127.0.0.1\\@example.org", "http://127.0.0.1/\r\nX: y"])  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    """A base URL is http://HOST:PORT, and a path at the most."""
    with pytest.raises(ValueError, match="the URL must be http://HOST:PORT"):
        probe_server(url, API_KEY, SECRET, own=True)


def test_a_localhost_that_leads_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hosts file that sends localhost to another machine does not send probes there."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("127.0.0.1", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(ValueError, match="does not lead to loopback alone"):
        probe_server("http://localhost", API_KEY, SECRET)


def test_ones_own_server_may_be_anywhere() -> None:
    """With the word of its owner any host is a target, and loopback always is."""
    assert target_of("http://192.0.2.1:8080/x/", own=True) == ("192.0.2.1:8080", (("192.0.2.1", 8080),), "/x")
    assert target_of("http://127.9.9.9").addresses == (("127.9.9.9", 80),)
    assert target_of("http://[::1]:8000").addresses == (("::1", 8000),)


def test_arguments_that_make_no_sense_are_refused_before_anything_is_sent() -> None:
    """A bad secret, a bad api key, a probe that there is not: ValueError."""
    for arguments in ((API_KEY, "short"), ("no api key", SECRET), (SECRET, API_KEY)):
        with pytest.raises(ValueError, match=r"secret|api key") as caught:
            probe_server("http://127.0.0.1:9", *arguments)
        assert SECRET not in str(caught.value)
    with pytest.raises(ValueError, match="there is no probe valid-nothing"):
        probe_server("http://127.0.0.1:9", API_KEY, SECRET, only={"valid-nothing", "valid-track"})


# The list itself


def test_there_are_many_probes_with_stable_ids() -> None:
    """At least 60, each id once, each with a comment, a bug and rules that SPEC.md has."""
    assert len(IDS) == len(set(IDS)) >= 60
    known = set(re.findall(r"\[([A-Z]{3}-\d+)\]", spec_page.PAGE))
    for probe in PROBES:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", probe.id)
        assert probe.tags, probe.id
        assert set(probe.tags) <= known, probe.id
        assert probe.bug.endswith("."), probe.id
        assert probe.comment, probe.id
        assert "\n" not in probe.comment


def test_reprs_hold_no_credential() -> None:
    """Neither a sender nor a request shows api key, secret or MAC."""
    from rp_signing.conformance.probe_sender import Sender

    sender = Sender(API_KEY, SECRET)
    request = sender.request()
    for hidden in (API_KEY, SECRET, request.value("X-RP-Signature")[7:]):
        assert hidden not in f"{sender!r} {request!r}"
