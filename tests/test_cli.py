"""The command line, run as a process: what it prints, and with which code it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import spec_page

from rp_signing import canonicalize, sign_event

API_KEY, SECRET = spec_page.API_KEY, spec_page.SECRET
NOW = "1795424400"
NONCE = "AAECAwQFBgcICQoLDA0ODw"
COMMAND = [sys.executable, "-c", "from rp_signing.cli import main; main()"]
EVENT = {"type": "track", "messageId": "m-1", "userId": "user-123", "event": "Order Completed"}


def run(*arguments: str, body: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    return subprocess.run([*COMMAND, *arguments], input=body, capture_output=True, check=False, cwd=cwd, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a keys file, and the secret in a file of its own."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "events.db").write_bytes(b"no database" * 100)
    (tmp_path / "blob").write_bytes(b"\xff" * 40)
    (tmp_path / "keys.json").write_text(
        json.dumps({"api_keys": [{"api_key": API_KEY, "secrets": [{"file": "secret"}]}]})
    )
    return tmp_path


def signed(folder: Path, body: bytes) -> bytes:
    """The headers that `sign` prints, at the time of SPEC §1."""
    done = run(
        "sign",
        "--api-key",
        API_KEY,
        "--secret-file",
        "secret",
        "--timestamp",
        NOW,
        "--nonce",
        NONCE,
        body=body,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def verified(folder: Path, body: bytes, *more: str, now: str = NOW) -> subprocess.CompletedProcess[bytes]:
    """What `verify` says of a body under the headers in the file."""
    return run("verify", "--keys", "keys.json", "--headers", "headers", "--now", now, *more, body=body, cwd=folder)


def test_canonicalize_writes_the_bytes_and_nothing_else() -> None:
    """Standard output is the canonical form to the byte, without a newline."""
    done = run("canonicalize", body=b'{"b": 1.0, "a": "\\u00e9"}\n')
    assert (done.returncode, done.stdout) == (0, '{"a":"é","b":1}'.encode())


def test_canonicalize_refuses_with_the_place() -> None:
    """What is no strict JSON ends with 1, its reason and pointer; --json says the same as a document."""
    done = run("canonicalize", body=b'{"a": [1e400]}')
    assert done.returncode == 1
    assert b"payload_number_range" in done.stderr
    assert b"/a/0" in done.stderr
    document = json.loads(run("canonicalize", "--json", body=b'{"a": [1e400]}').stdout)
    assert (document["reason"], document["pointer"]) == ("payload_number_range", "/a/0")


def test_sign_prints_the_headers_of_the_spec(folder: Path) -> None:
    """The example of SPEC §1 comes out, header by header."""
    shown = {name: value for name, value in spec_page.HEADERS.items() if name.startswith("X-RP-")}
    assert signed(folder, spec_page.BODY).decode().splitlines() == [f"{name}: {value}" for name, value in shown.items()]


def test_what_sign_prints_verify_takes(folder: Path) -> None:
    """`verify` takes the printed headers, in text and as JSON; a changed body ends with 1 and its reason."""
    (folder / "headers").write_bytes(signed(folder, b'{"a":1}'))
    assert verified(folder, b'{"a":1}').returncode == 0
    document = json.loads(verified(folder, b'{"a":1}', "--json").stdout)
    assert (document["verified"], document["key_id"]) == (True, spec_page.KEY_ID)
    done = verified(folder, b'{"a":2}')
    assert done.returncode == 1
    assert b"signature_mismatch" in done.stderr
    document = json.loads(verified(folder, b'{"a":1}', "--json", now="1795424701").stdout)
    assert (document["verified"], document["reason"]) == (False, "timestamp_expired")


def test_an_event_is_signed_by_hand(folder: Path) -> None:
    """`sign --event` writes the signed event in canonical form."""
    done = run(
        "sign", "--event", "--api-key", API_KEY, "--secret-file", "secret", body=json.dumps(EVENT).encode(), cwd=folder
    )
    assert done.stdout == canonicalize(sign_event(EVENT, api_key=API_KEY, secret=SECRET))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sign", "--api-key", "nonsense", "--secret-file", "secret"), b"api key must be"),
        (("sign", "--api-key", API_KEY, "--secret-file", "keys.json"), b"holds a space"),
        (("sign", "--api-key", API_KEY, "--secret-file", "secret"), b"empty body"),
        (("sign", "--api-key", API_KEY, "--secret-file", "none"), b"does not exist"),
        (("verify", "--keys", "secret", "--headers", "secret"), b"secret"),
        (("events", "list", "--data", "."), b"events.db"),
        (("events", "list", "--data", "broken"), b"events.db cannot be opened: file is not a database"),
        (("events", "audit", "--keys", "keys.json", "--data", "broken"), b"file is not a database"),
        (("sign", "--event", "--api-key", API_KEY, "--secret-file", "secret"), b"an event is a JSON object"),
        (("nonsense",), b"No such command"),
        (("sign", "--nonce", "n", "--api-key", API_KEY, "--secret-file", "secret"), b"'--nonce': it must be 22 to 64"),
        (
            ("sign", "--timestamp", "1", "--api-key", API_KEY, "--secret-file", "secret"),
            b"'--timestamp': it must be ten",
        ),
        (("sign", "--api-key", API_KEY, "--secret-file", "blob"), b"blob: it holds no text"),
        (("sign", "--event", "--nonce", NONCE, "--api-key", API_KEY, "--secret-file", "secret"), b"no nonce"),
        (("doctor", "--url", "http://localhost", "--api-key", API_KEY, "--secret-file", "blob"), b"blob: it holds no"),
        (
            ("doctor", "--url", "http://x", "--api-key", "k", "--secret-file", "secret", "--timeout", "nan"),
            b"--timeout",
        ),
        (("conform", "--timeout", "inf", "--", "true"), b"--timeout"),
        (("verify", "--keys", "keys.json", "--headers", "secret", "--now", "nan"), b"nan is no number of seconds"),
        (("explain", "--keys", "keys.json", "--headers", "secret", "--now", "inf"), b"inf is no number of seconds"),
        (("serve", "--keys", "keys.json", "--data", ".", "--port", "65536"), b"--port"),
    ],
)
def test_wrong_use_ends_with_2(folder: Path, arguments: tuple[str, ...], said: bytes) -> None:
    """Wrong use says what is wrong, ends with 2, and never shows a secret or a traceback."""
    done = run(*arguments, cwd=folder, body=b"[1]" if "--event" in arguments else b"")
    assert done.returncode == 2
    assert said in done.stderr
    assert SECRET.encode() not in done.stderr
    assert b"Traceback" not in done.stderr


def test_wrong_use_under_json_is_no_document(folder: Path) -> None:
    """With --json a document is an answer: what could not be asked is text on standard error, and exit code 2."""
    for arguments in (("verify", "--keys", "none"), ("events", "list", "--data", "broken"), ("keygen", "--nonsense")):
        done = run(*arguments, "--json", cwd=folder)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"Error: " in done.stderr


@pytest.mark.parametrize("kind", ["test", "live"])
def test_keygen_makes_keys_that_work(folder: Path, kind: str) -> None:
    """What `keygen` makes is taken by `sign`, and is new each time."""
    made = [json.loads(run("keygen", "--json", *(["--test"] if kind == "test" else [])).stdout) for _ in range(2)]
    assert made[0]["secret"] != made[1]["secret"]
    assert made[0]["api_key"].startswith(f"rpx_{kind}_")
    (folder / "secret").write_text(made[0]["secret"])
    done = run("sign", "--api-key", made[0]["api_key"], "--secret-file", "secret", body=b"1", cwd=folder)
    assert made[0]["key_id"].encode() in done.stdout


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str], IO[str]]]:
    """`serve` as a process on a free port: its URL, the process, and its log."""
    arguments = ["serve", "--keys", "keys.json", "--data", "data", "--port", "0"]
    with subprocess.Popen([*COMMAND, *arguments], cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(60, process.kill)
        guard.start()
        try:
            assert process.stderr
            url = next(found[1] for line in process.stderr if (found := re.search(r"listening on (\S+)", line)))
            yield url, process, process.stderr
        finally:
            process.terminate()
            process.wait(20)
            guard.cancel()


def post(url: str, folder: Path, event: dict[str, Any]) -> int:
    """Send one signed event by the SDK; the HTTP status."""
    code = (
        "import json, sys; from rp_signing import RetainPixel\n"
        "client = RetainPixel(api_key=sys.argv[1], secret=open('secret').read().strip(), base_url=sys.argv[2])\n"
        "try: client.track(**json.loads(sys.argv[3]))\n"
        "except Exception as error: sys.exit(error.status - 300)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, API_KEY, url, json.dumps(event)], cwd=folder, check=False)
    return done.returncode and done.returncode + 300


def test_serve_stores_and_events_shows_and_audits(folder: Path) -> None:
    """An event sent to `serve` is listed with trust high and verifies; written over by hand, the audit ends with 1."""
    with serving(folder) as (url, _, _):
        assert post(url, folder, {"user_id": "u", "event": "Signed Up"}) == 0
    listed = json.loads(run("events", "list", "--data", "data", "--json", cwd=folder).stdout)
    assert [(row["trust"], row["event"]["event"]) for row in listed] == [("high", "Signed Up")]
    assert b"Signed Up" in run("events", "list", "--data", "data", cwd=folder).stdout
    audit = ("events", "audit", "--keys", "keys.json", "--data", "data")
    assert run(*audit, cwd=folder).returncode == 0
    with sqlite3.connect(folder / "data" / "events.db") as database:
        database.execute("UPDATE rp_event SET content = replace(content, 'Signed Up', 'Signed In')")
    database.close()
    done = run(*audit, cwd=folder)
    assert done.returncode == 1
    assert b"altered" in done.stdout
    document = json.loads(run(*audit, "--json", cwd=folder).stdout)
    assert (document["ok"], document["counts"]["altered"], document["bad"][0]["verdict"]) == (False, 1, "altered")


def test_serve_reads_its_keys_again(folder: Path) -> None:
    """On SIGHUP a secret that was taken out stops verifying; a keys file that cannot be read changes nothing."""
    with serving(folder) as (url, process, log):
        assert post(url, folder, {"user_id": "u", "event": "One"}) == 0
        (folder / "keys.json").write_text("{")
        os.kill(process.pid, signal.SIGHUP)
        assert any("stay as they were" in line for line in log)
        assert post(url, folder, {"user_id": "u", "event": "Two"}) == 0
        (folder / "keys.json").write_text(json.dumps({"api_keys": [{"api_key": API_KEY, "secrets": ["x" * 40]}]}))
        os.kill(process.pid, signal.SIGHUP)
        assert any("read again" in line for line in log)
        assert post(url, folder, {"user_id": "u", "event": "Three"}) == 401
