"""The black box: every probe passes at the real endpoint, and names the bug of each broken one (SPEC §6, §9)."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bent_stores
import pytest
import spec_page
from bent_requests import replies, scope
from broken_servers import KEYS, SERVERS, Broken, Switch
from ingested import endpoint, listening
from parties import LIVE_API_KEY, OTHER
from served import PATIENCE
from spec_page import API_KEY, SECRET

from rp_signing import Reason
from rp_signing.conformance.blackbox import PROBES, Unreachable, probe_server
from rp_signing.conformance.http_talk import target_of
from rp_signing.conformance.outcome import Outcome, Status
from rp_signing.keyfile import keyring_of

IDS = [probe.id for probe in PROBES]
RIGHT = Broken("no bug", "")


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    """One server for all that is broken."""
    with Switch() as switch:
        yield switch


def bad(outcomes: list[Outcome]) -> list[Outcome]:
    """Those that did not pass."""
    return [outcome for outcome in outcomes if outcome.status is not Status.PASSED]


# What is right


def test_the_real_endpoint_passes_every_probe_twice(tmp_path: Path) -> None:
    """All probes pass, in this order, and again in the same store; each is told once, to the caller's own thread."""
    told: list[tuple[str, int]] = []
    with endpoint(tmp_path, clock=time.time, body_timeout=0.5) as served:
        for run in (1, 2):
            told.clear()
            outcomes = probe_server(
                served.url, API_KEY, SECRET, lambda outcome: told.append((outcome.id, threading.get_ident()))
            )
            assert bad(outcomes) == [], run
            assert [outcome.id for outcome in outcomes] == IDS
            assert sorted(name for name, _ in told) == sorted(IDS)
            assert {thread for _, thread in told} == {threading.get_ident()}
            assert told[-1][0] == "alive-at-the-end"
        assert {row.trust for row in served.store.scan()} == {"high"}


def test_serve_passes_every_probe_as_a_process(tmp_path: Path) -> None:
    """`rp-signing serve`, as it is started by people, with its deadline of ten seconds, passes within twenty."""
    (tmp_path / "keys.json").write_text(json.dumps(KEYS))
    serve = "from rp_signing.cli import main; main()"
    arguments = ["serve", "--keys", "keys.json", "--data", "data", "--port", "0"]
    command = [sys.executable, "-c", serve, *arguments]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stderr
        url = next(found[1] for line in process.stderr if (found := re.search(r"listening on (\S+)", line)))
        # What the server logs has to go somewhere, or it waits for us.
        drain = threading.Thread(target=lambda: log.writelines(line.encode() for line in process.stderr or ()))
        drain.start()
        began = time.monotonic()
        try:
            outcomes = probe_server(url, API_KEY, SECRET)
        finally:
            took = time.monotonic() - began
            process.terminate()
            drain.join(PATIENCE)
    assert bad(outcomes) == []
    assert took < 20
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


def test_the_probes_reach_every_reason_that_a_stranger_can_provoke(tmp_path: Path) -> None:
    """In the server's log stands each reason of SPEC §6.3, but for those of a store in need and of the library."""
    with endpoint(tmp_path, clock=time.time, body_timeout=0.3) as served, listening() as heard:
        probe_server(served.url, API_KEY, SECRET)
    reached = {record.__dict__["reason"] for record in heard.records if "reason" in record.__dict__}
    others = {reason for reason in Reason if reason.status in (429, 503)}
    assert reached == set(Reason) - others - {Reason.KEY_NOT_STRING, Reason.VALUE_NOT_JSON}


def test_an_api_key_that_takes_unsigned_events_passes_too(tmp_path: Path) -> None:
    """Where unsigned events are allowed, one is stored as standard, and nothing else is less strict."""
    with endpoint(tmp_path, clock=time.time, body_timeout=0.3, keyring=keyring_of(KEYS)) as served:
        assert bad(probe_server(served.url, LIVE_API_KEY, OTHER)) == []
        assert Counter(row.trust for row in served.store.scan())["standard"] == 1


@pytest.mark.parametrize("hours", [-100, 100])
def test_a_server_with_another_clock_passes(switch: Switch, tmp_path: Path, hours: int) -> None:
    """The server's clock is learned from its first answer."""
    with switch.to(RIGHT, tmp_path, clock=lambda: time.time() + hours * 3600) as url:
        assert bad(probe_server(url, API_KEY, SECRET)) == []


def test_a_server_behind_a_path_passes(switch: Switch, tmp_path: Path) -> None:
    """What stands behind the port in the URL is put before every path."""
    behind = scope(
        lambda scope: {"path": scope["path"].removeprefix("/in/here") if "/in/here/" in scope["path"] else ""}
    )
    with switch.to(Broken("", "", behind), tmp_path) as url:
        assert bad(probe_server(f"{url}/in/here/", API_KEY, SECRET)) == []


def test_a_young_store_is_no_bug(switch: Switch, tmp_path: Path) -> None:
    """Whether an old timestamp is taken cannot be found out where the store may have forgotten it: skipped, and said."""
    with switch.to(Broken("", "", store=bent_stores.Young), tmp_path) as url:
        (outcome,) = probe_server(url, API_KEY, SECRET, only={"valid-past-edge"})
    assert (outcome.status, outcome.bugs) == (Status.SKIPPED, ())
    assert "signed_before_start" in outcome.detail


def test_localhost_is_a_name_for_loopback(switch: Switch, tmp_path: Path) -> None:
    """`localhost` is taken, whichever of its addresses the server listens on."""
    with switch.to(RIGHT, tmp_path) as url:
        assert bad(probe_server(url.replace("127.0.0.1", "LOCALHOST"), API_KEY, SECRET, only={"valid-track"})) == []


# What is wrong


@pytest.mark.parametrize("broken", SERVERS, ids=lambda broken: broken.name.replace(" ", "-"))
def test_a_broken_server_is_named(switch: Switch, tmp_path: Path, broken: Broken) -> None:
    """A server with one bug fails the probe that names it, and takes what has nothing to do with it."""
    wanted = broken.probes.split()
    # An identify event is right at every one of them but those that never answer rightly at all.
    beside = [] if broken.hangs or broken.fails_all else ["valid-identify"]
    with switch.to(broken, tmp_path) as url:
        patience = 0.3 if broken.hangs else PATIENCE
        outcomes = probe_server(url, broken.api_key, broken.secret, only={*wanted, *beside}, patience=patience)
    assert {outcome.id for outcome in bad(outcomes)} == set(wanted)
    for outcome in bad(outcomes):
        (probe,) = [probe for probe in PROBES if probe.id == outcome.id]
        assert (outcome.suite, outcome.tags, outcome.bugs) == ("http", probe.tags, (probe.bug,))
        assert outcome.status is (Status.CRASHED if broken.hangs else Status.FAILED)
        assert outcome.detail
        assert json.loads(json.dumps(outcome.got)) == outcome.got
        if not broken.hangs:
            assert outcome.wanted is not None
            assert outcome.differs
        for hidden in (API_KEY, SECRET, LIVE_API_KEY, OTHER):
            assert hidden not in repr(outcome)


def test_broken_servers_have_names_and_known_probes() -> None:
    """Every bug is there once, and every probe it names exists."""
    assert len({broken.name for broken in SERVERS}) == len(SERVERS) >= 60
    assert {probe for broken in SERVERS for probe in broken.probes.split()} <= set(IDS)


def test_credentials_are_hidden_from_outcomes(switch: Switch, tmp_path: Path) -> None:
    """A server that tells a secret with odd characters everywhere does not get it into a report."""
    secret = 'it\'s "quoted" \\ and\\"odd"'.replace(" ", "_") * 2
    told: Any = {"code": f"<{secret}>", "detail": ["x", {secret: f"{API_KEY}{secret}"}], "errors": secret}
    tells = replies(lambda _, lines, document: (422, lines, {**document, **told}))
    with switch.to(Broken("", "", tells), tmp_path) as url:
        outcomes = probe_server(url, API_KEY, secret)
    assert len(bad(outcomes)) > 200
    for hidden in (secret, json.dumps(secret)[1:-1], API_KEY):
        assert not [outcome.id for outcome in outcomes if hidden in json.dumps(outcome) or hidden in repr(outcome)]
    found = {outcome.id: outcome for outcome in outcomes}["answers-hide-credentials"]
    assert found.status is Status.FAILED


ODD: list[Any] = [
    None,
    [],
    "text",
    {},
    {"code": 7, "errors": [[]], "server_time": "x", "received": []},
    {"code": None, "errors": [{"index": [], "reason": {}, "pointer": None}], "server_time": True},
    {"stored": True, "duplicates": 0.0, "trust": [], "received": {"sha256": 1}, "status": {}},
    {"code": "x" * 10_000, "detail": {"deep": [[[[]]]]}, "errors": 1e300},
]


@pytest.mark.parametrize("status", [202, 401, 422])
def test_no_answer_breaks_the_probes(switch: Switch, tmp_path: Path, status: int) -> None:
    """Whatever a server answers, each probe ends with an outcome, and none of those that want something passes."""
    count = 0

    def odd(_: int, lines: Any, __: Any) -> Any:
        nonlocal count
        count += 1
        return status, lines, ODD[count % len(ODD)]

    with switch.to(Broken("", "", replies(odd)), tmp_path) as url:
        outcomes = probe_server(url, API_KEY, SECRET)
    passed = {outcome.id for outcome in outcomes if outcome.status is Status.PASSED}
    # A wrong framing may be refused in any words.
    assert passed <= {"no-http", "answers-hide-credentials"}
    json.dumps([outcome._asdict() for outcome in outcomes])


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
        if listener.fileno() >= 0:
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
        with pytest.raises(ValueError, match="secret|api key") as caught:
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
