"""The middlewares behind every server that people run: the same answers, and the application runs only when it may."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest
from parties import BODY
from protected import BODY_TIMEOUT, LIMIT
from served import PATIENCE, answer_on, ask, ask_raw, head, wire_to
from spec_page import API_KEY, SECRET

from rp_signing import Signer

JSON = ("Content-Type", "application/json")
CHUNKED = ("Transfer-Encoding", "chunked")
BIN = Path(sys.executable).parent


class Server(NamedTuple):
    """How a server is started.

    Attributes:
        command: its words; ``PORT`` stands for a free one where it cannot say which it took.
        ready: what its log says when each worker serves; the group is the port.
        workers: how often it says so.
    """

    command: str
    ready: str
    workers: int = 1


SERVERS = {
    "uvicorn-h11": Server("uvicorn --factory protected:asgi --http h11 --port 0", r"running on http://127.0.0.1:(\d+)"),
    "uvicorn-httptools": Server(
        "uvicorn --factory protected:asgi --http httptools --port 0", r"running on http://127.0.0.1:(\d+)"
    ),
    "hypercorn": Server("hypercorn protected:asgi() --bind 127.0.0.1:0", r"Running on http://127.0.0.1:(\d+)"),
    "granian-asgi": Server(
        "granian --factory protected:asgi --interface asgi --port PORT --workers 2", r"Started worker-\d", 2
    ),
    "granian-wsgi": Server(
        "granian --factory protected:wsgi --interface wsgi --port PORT --workers 2", r"Started worker-\d", 2
    ),
    "gunicorn": Server(
        "gunicorn protected:wsgi() --bind 127.0.0.1:0 --workers 2", r"Listening at: http://127.0.0.1:(\d+)"
    ),
    "gunicorn-threads": Server(
        "gunicorn protected:wsgi() --bind 127.0.0.1:0 --threads 4", r"Listening at: http://127.0.0.1:(\d+)"
    ),
    "waitress": Server(
        "waitress-serve --listen=127.0.0.1:0 --call protected:wsgi", r"Serving on http://127.0.0.1:(\d+)"
    ),
}
ASGI = [name for name, server in SERVERS.items() if ":asgi" in server.command]


class Behind(NamedTuple):
    """A server that runs.

    Attributes:
        name: of the server.
        url: of the application.
        folder: where it keeps its files.
    """

    name: str
    url: str
    folder: Path

    def ran(self) -> list[str]:
        """The nonces of the requests that the application has seen."""
        path = self.folder / "ran"
        return path.read_text().split() if path.exists() else []


def answers(port: int) -> None:
    """Wait until somebody listens; granian says that it has started a little earlier."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
            return
    pytest.fail(f"nobody listens on port {port}")


@contextmanager
def running(name: str, folder: Path) -> Iterator[Behind]:
    """Start a server, and end it with all its workers."""
    server = SERVERS[name]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = server.command.replace("PORT", port).split()
    environment = {**os.environ, "RP_TEST_FOLDER": str(folder), "PYTHONPATH": str(Path(__file__).parent)}
    environment.pop("WEB_CONCURRENCY", None)
    process = subprocess.Popen(
        [str(BIN / words[0]), *words[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        log: list[str] = []
        for line in process.stdout:
            log.append(line)
            found = [match for match in (re.search(server.ready, line) for line in log) if match]
            if len(found) == server.workers:
                port = found[0][1] if found[0].groups() else port
                break
        else:
            pytest.fail("".join(log))
        answers(int(port))
        yield Behind(name, f"http://127.0.0.1:{port}/hook", folder)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)


@pytest.fixture(scope="module", params=SERVERS)
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """Each server in its turn."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


def fresh(body: bytes = BODY, clock: Callable[[], float] | None = None) -> dict[str, str]:
    """The headers of a new request, under a nonce of its own."""
    return Signer(api_key=API_KEY, secret=SECRET, clock=clock).sign(body) | dict([JSON])


def test_a_valid_request_reaches_the_application_as_it_was_sent(behind: Behind) -> None:
    """The application reads the very bytes that were signed, and finds who signed them."""
    headers = fresh()
    answer = ask(behind.url, BODY, headers)
    assert answer.status == 200
    assert answer.document["sha256"] == sha256(BODY).hexdigest()
    assert (answer.document["nonce"], answer.document["key_id"]) == (headers["X-RP-Nonce"], headers["X-RP-Key-Id"])
    assert behind.ran()[-1] == headers["X-RP-Nonce"]


def test_a_large_body_arrives_whole(behind: Behind) -> None:
    """A body of many pieces, as long as the limit, is read to its last byte."""
    body = b'{"a":"' + b"x" * (LIMIT - 8) + b'"}'
    answer = ask(behind.url, body, fresh(body))
    assert (answer.status, answer.document["length"]) == (200, LIMIT)


def test_a_chunked_body_is_the_same_request(behind: Behind) -> None:
    """How the body was cut on its way makes no difference to the application."""
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (BODY[:7], BODY[7:])) + b"0\r\n\r\n"
    answer = ask_raw(behind.url, [*fresh().items(), CHUNKED], pieces)
    assert (answer.status, answer.document["sha256"]) == (200, sha256(BODY).hexdigest())


def test_a_replay_is_refused_whichever_worker_it_reaches(behind: Behind) -> None:
    """Eight more copies of a request that was taken are refused, also where several processes serve."""
    headers = fresh()
    assert ask(behind.url, BODY, headers).status == 200
    again = [ask(behind.url, BODY, headers) for _ in range(8)]
    assert {(answer.status, answer.document["code"]) for answer in again} == {(409, "replayed")}
    assert behind.ran().count(headers["X-RP-Nonce"]) == 1


def test_what_is_wrong_is_refused_and_runs_nothing(behind: Behind) -> None:
    """Each refusal is the problem document of its reason, and the application has not run."""
    before = behind.ran()
    good = fresh()
    bare = {name: value for name, value in good.items() if name != "Content-Type"}
    stale = fresh(clock=lambda: time.time() - 400)
    cases = [
        (good, BODY + b" ", "signature_invalid"),
        (good | {"X-RP-Nonce": "x" * 22}, BODY, "signature_invalid"),
        (good | {"X-RP-Timestamp": good["X-RP-Timestamp"] + "000"}, BODY, "timestamp_unit"),
        ({}, BODY, "media_type_unsupported"),
        (dict([JSON]), BODY, "api_key_missing"),
        (good | {"Content-Encoding": "gzip"}, BODY, "encoding_unsupported"),
        (good | {"Content-Type": "text/plain"}, BODY, "media_type_unsupported"),
        (bare, BODY, "media_type_unsupported"),
        (stale, BODY, "timestamp_expired"),
        (fresh(b'{"a":1,"a":2}'), b'{"a":1,"a":2}', "payload_duplicate_key"),
        (good, b"x" * (LIMIT + 1), "payload_too_large"),
    ]
    for headers, body, code in cases:
        answer = ask(behind.url, body, headers)
        assert answer.document.get("code") == code, (headers, answer)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.status == answer.document["status"]
        if code != "payload_too_large":
            assert answer.document["received"] == {"length": len(body), "sha256": sha256(body).hexdigest()}
    assert behind.ran() == before


def test_only_post_passes(behind: Behind) -> None:
    """Another method with the same signed headers and body is refused."""
    before = behind.ran()
    for method in ("PUT", "DELETE", "PATCH"):
        answer = ask(behind.url, BODY, fresh(), method)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert behind.ran() == before


@pytest.mark.parametrize("doubled", ["X-RP-Signature", "X-RP-Nonce", "X-RP-Timestamp", "X-RP-Api-Key", "X-RP-Key-Id"])
def test_a_doubled_header_is_refused(behind: Behind, doubled: str) -> None:
    """A second line of a header that counts is refused, whether the server joins the two or not."""
    before = behind.ran()
    headers = fresh()
    pairs = [*headers.items(), (doubled, headers[doubled]), ("Content-Length", str(len(BODY)))]
    answer = ask_raw(behind.url, pairs, BODY)
    assert answer.status == 400, answer
    assert answer.document.get("code", "header_malformed") in ("header_duplicate", "header_malformed")
    assert behind.ran() == before


def test_trailers_bring_no_signature(behind: Behind) -> None:
    """A signature that comes after the body is none: the request counts as one without it."""
    before = behind.ran()
    headers = fresh()
    mac = headers.pop("X-RP-Signature")
    chunks = b"%x\r\n%s\r\n0\r\nX-RP-Signature: %s\r\n\r\n" % (len(BODY), BODY, mac.encode())
    with wire_to(behind.url) as connection:
        # What arrives in one piece with the head, httptools adds to it before any application runs. So wait until the
        # body is asked for.
        connection.sendall(head(behind.url, [*headers.items(), CHUNKED, ("Expect", "100-continue")]))
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += connection.recv(1)
        connection.sendall(chunks)
        assert answer_on(connection).status == 400
    assert behind.ran() == before


def test_a_body_that_stalls_is_given_up(behind: Behind) -> None:
    """An ASGI door answers 408 while the sender still holds the connection; behind WSGI, the application waits."""
    before = behind.ran()
    with wire_to(behind.url) as connection:
        pairs = [*fresh().items(), ("Content-Length", str(len(BODY)))]
        connection.sendall(head(behind.url, pairs) + BODY[:9])
        if behind.name in ASGI:
            answer = answer_on(connection)
            assert (answer.status, answer.document["code"]) == (408, "body_timeout")
        else:
            connection.settimeout(2 * BODY_TIMEOUT)
            with pytest.raises(TimeoutError):
                connection.recv(1)
    assert behind.ran() == before
