"""`rp-signing doctor`: each thing that a path does to requests is named, and a path that does nothing is found fine."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from served import serving
from serving_process import COMMAND
from spec_page import API_KEY, SECRET

from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keys import ApiKey, Keyring

ALL = 16


def run(folder: Path, url: str, *arguments: str, secret: str = SECRET) -> subprocess.CompletedProcess[str]:
    """Run the doctor."""
    (folder / "secret").write_text(secret + "\n")
    words = [*COMMAND, "doctor", "--url", url, "--api-key", API_KEY, "--secret-file", "secret", *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


class Meddler:
    """An ASGI application that stands between and does something to each request.

    Args:
        app: the endpoint.
        body: what becomes of a body.
        headers: what becomes of the headers.
        answer: a status to give instead, for bodies it says so of.
    """

    def __init__(
        self,
        app: Any,
        body: Callable[[bytes], bytes] = bytes,
        headers: Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]] = list,
        answer: Callable[[bytes], int | None] = lambda _: None,
    ) -> None:
        self._app, self._body, self._headers, self._answer = app, body, headers, answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one connection on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if status := self._answer(body):
            await send(
                {"type": "http.response.start", "status": status, "headers": [(b"location", b"https://else.example/")]}
            )
            await send({"type": "http.response.body", "body": b"<html>"})
            return
        body = self._body(body)
        headers = [pair for pair in self._headers(list(scope["headers"])) if pair[0] != b"content-length"]

        async def again() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app({**scope, "headers": headers}, again, send)


class Cache:
    """An ASGI application that answers a request it has seen from its memory."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._seen: dict[bytes, list[Any]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one connection on, the first time."""
        nonce = dict(scope.get("headers", ())).get(b"x-rp-nonce", b"")

        async def keep(message: Any) -> None:
            self._seen.setdefault(nonce, []).append(message)
            await send(message)

        if nonce not in self._seen:
            await self._app(scope, receive, keep if nonce else send)
            return
        for message in self._seen[nonce]:
            await send(message)


def unpacked(body: bytes) -> bytes:
    """Gzip for what is gzip."""
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def composed(body: bytes) -> bytes:
    """NFC, of what is text."""
    try:
        return unicodedata.normalize("NFC", body.decode()).encode()
    except UnicodeDecodeError:
        return body


def rewritten(body: bytes) -> bytes:
    """What a gateway writes that parses JSON."""
    try:
        return json.dumps(json.loads(body)).encode()
    except ValueError:
        return body


def once(marked: bytes, change: Callable[[Any], Any], **options: Any) -> Callable[[bytes], bytes]:
    """What a gateway writes that changes something about some bodies alone."""

    def rewrite(body: bytes) -> bytes:
        return (
            json.dumps(change(json.loads(body)), separators=(",", ":"), **options).encode() if marked in body else body
        )

    return rewrite


def without(*names: bytes) -> Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]:
    """Take headers off."""
    return lambda headers: [pair for pair in headers if pair[0] not in names]


def last_only(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Keep the last of two lines."""
    return list(dict(headers).items())


PATHS: dict[str, tuple[Callable[[Any], Any], dict[str, str]]] = {
    "JSON rewritten": (
        lambda app: Meddler(app, body=rewritten),
        {
            "white space": "parsed and written anew",
            "numbers": "parsed and written anew",
            "unicode": "characters escaped",
        },
    ),
    "names sorted": (
        lambda app: Meddler(app, body=once(b'"10"', lambda value: value, sort_keys=True)),
        {"order of names": "parsed and written anew, its names sorted"},
    ),
    "numbers rewritten": (
        lambda app: Meddler(app, body=once(b"9007199254740991", lambda value: {"n": [float(n) for n in value["n"]]})),
        {"numbers": "is changed"},
    ),
    "nulls dropped": (
        lambda app: Meddler(app, body=once(b":null", lambda value: {k: v for k, v in value.items() if v is not None})),
        {"empty and null": "is changed: 31 bytes were sent, 22 arrived"},
    ),
    "slashes escaped": (
        lambda app: Meddler(app, body=lambda body: body.replace(b"</b>", rb"<\/b>")),
        {"slashes and angle brackets": "is changed"},
    ),
    "ends cut": (lambda app: Meddler(app, body=bytes.strip), {"line end": "cut at its ends"}),
    "NFC": (
        lambda app: Meddler(app, body=composed),
        {"unicode, not composed": "is changed: 14 bytes were sent, 13 arrived"},
    ),
    "unpacked": (
        lambda app: Meddler(app, body=unpacked, headers=without(b"content-encoding")),
        {"a compressed body": "unpacks bodies"},
    ),
    "lines dropped": (lambda app: Meddler(app, headers=last_only), {"a header twice": "one of two lines is dropped"}),
    "length limited": (
        lambda app: Meddler(app, answer=lambda body: 413 if len(body) > 100_000 else None),
        {"a long body": "413 without a document of the endpoint"},
    ),
    "cached": (Cache, {"the same twice": "answered from a cache"}),
    "redirected": (lambda app: Meddler(app, answer=lambda _: 308), {"a signed request": "https://else.example/"}),
    "signature taken off": (
        lambda app: Meddler(app, headers=without(b"x-rp-signature", b"x-rp-nonce", b"x-rp-timestamp", b"x-rp-key-id")),
        {"a signed request": "took the signature off"},
    ),
}


def endpoint(folder: Path, **options: Any) -> Ingest:
    """An endpoint that would take unsigned requests of this api key."""
    keyring = Keyring({API_KEY: ApiKey(API_KEY, [SECRET], require_signature=False)})
    return Ingest(keyring, SQLiteEventStore(folder / "events.db"), **options)


def test_a_path_that_does_nothing_is_fine(tmp_path: Path) -> None:
    """Every probe is fine, the exit code is 0, nothing is stored, and no key is shown."""
    app = endpoint(tmp_path)
    with serving(app) as url:
        done = run(tmp_path, url)
        report = json.loads(run(tmp_path, url, "--json").stdout)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("fine") == ALL
    assert (report["fine"], len(report["findings"])) == (True, ALL)
    assert len(app._store) == 0
    for hidden in (API_KEY, SECRET):
        assert hidden not in done.stdout + done.stderr + json.dumps(report)


@pytest.mark.parametrize("name", PATHS)
def test_what_the_path_does_is_named(name: str, tmp_path: Path) -> None:
    """What is altered is found by its own probe, in words, and the exit code is 1."""
    meddle, found = PATHS[name]
    with serving(meddle(endpoint(tmp_path))) as url:
        done = run(tmp_path, url, "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    said = {finding["probe"]: finding["detail"] for finding in report["findings"] if not finding["fine"]}
    for probe, words in found.items():
        assert words in said[probe]
    if name not in ("JSON rewritten", "unpacked"):
        assert said.keys() == found.keys()
    assert report["fine"] is False


def test_a_clock_that_differs_is_told(tmp_path: Path) -> None:
    """A difference that is still taken, and will not be for long, is named with its seconds and direction."""
    with serving(endpoint(tmp_path, clock=lambda: time.time() + 200)) as url:
        done = run(tmp_path, url, "--json")
    [finding] = [finding for finding in json.loads(done.stdout)["findings"] if not finding["fine"]]
    assert finding["probe"] == "clock"
    assert any(f"{seconds} s ahead of" in finding["detail"] for seconds in (199, 200, 201))


def test_a_wrong_secret_ends_it_at_once(tmp_path: Path) -> None:
    """Where not even the first request is taken, it says why and asks nothing more."""
    with serving(endpoint(tmp_path)) as url:
        done = run(tmp_path, url, secret="a-secret-that-the-endpoint-does-not-know-1")
    assert done.returncode == 1
    assert "401 signature_invalid: the request was altered" in done.stdout
    assert "nothing more was asked" in done.stdout


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ingest.example", "it does not begin with https:// or http://"),
        ("ftp://x", "it does not begin with https:// or http://"),
        ("http://127.0.0.1:abc", "its host or port is none"),
        ("http://[::1", "its host or port is none"),
        ("http://", "it has no host"),
        ("https://user:password@ingest.example", "it holds a user name or password"),
        ("https://ingest.example/v1/track", "the route at its end is put there for each request; leave it out"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str, said: str) -> None:
    """What is no base URL is a mistake of usage, and what is wrong with it is said without showing it."""
    done = run(tmp_path, url)
    told = " ".join(done.stderr.split())
    assert (done.returncode, f"--url must be like https://ingest.example; {said}" in told) == (2, True)
    assert "password@" not in told


def test_nobody_at_the_address_is_told(tmp_path: Path) -> None:
    """A port where nobody listens gives a sentence, no traceback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = run(tmp_path, f"http://127.0.0.1:{free.getsockname()[1]}")
    assert done.returncode == 1
    assert "refused │ no connection: ConnectError: [Errno 111] Connection refused" in done.stdout
    assert done.stderr == ""


def test_tls_where_there_is_none_is_told(tmp_path: Path) -> None:
    """https:// at a server that speaks http:// is told by what TLS said of it."""
    with serving(endpoint(tmp_path)) as url:
        done = run(tmp_path, url.replace("http://", "https://"))
    assert done.returncode == 1
    assert "no connection: ConnectError: [SSL: WRONG_VERSION_NUMBER]" in done.stdout
