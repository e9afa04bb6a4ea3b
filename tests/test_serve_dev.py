"""`serve --dev`: keys to throw away, each request shown with its verdict, and near-misses explained."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from developing import developing
from served import ask
from serving_process import COMMAND, Served, write_keys

from rp_signing import Signer, canonicalize


def test_a_request_is_shown_with_its_verdict() -> None:
    """Accepted, replayed, altered on the way, an event altered before it was signed, a wrong route: each says why."""
    with developing() as dev:
        body = dev.event()
        assert dev.send(body).status == 202
        dev.served.wait_for("202 accepted  1 stored, 0 duplicates, trust high")
        assert dev.send(body, signed=body + b"\n").status == 401
        dev.served.wait_for("401 signature_mismatch")
        dev.served.wait_for("the sender was told signature_invalid")
        dev.served.wait_for("cause  body_newline_lost")
        assert dev.send(body.replace(b"Completed", b"Cancelled")).status == 422
        dev.served.wait_for("event 0: event_signature_mismatch at /integrity_signature")
        assert dev.send(body, route="other").status == 404
        dev.served.wait_for("404 route_unknown")


def test_where_no_mistake_is_known_it_is_said() -> None:
    """A body that is another one altogether: the verdict stands, and that nothing explains it."""
    with developing() as dev:
        assert dev.send(dev.event(), signed=b"{}").status == 401
        dev.served.wait_for("cause  none of the mistakes that are known by name would have matched")


def test_on_a_terminal_words_stay_whole() -> None:
    """At 80 columns no line is longer, and what does not fit goes on below, indented."""
    ours, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    command = [*COMMAND, "serve", "--dev", "--port", "0"]
    with subprocess.Popen(command, stderr=terminal, env=environment) as process, open(ours, "rb", 0) as screen:
        try:
            os.close(terminal)
            text = until(screen, "python -c")
            url = re.findall(r"BASE_URL=(\S+)", text)[0]
            api_key, secret = re.findall(r"export RETAINPIXEL_(?:API_KEY|HMAC_SECRET)=(\S+)", text)
            headers = Signer(api_key=api_key, secret=secret).sign(b"{}\n") | {"Content-Type": "application/json"}
            assert ask(f"{url}/v1/track", b"{}", headers).status == 401
            shown = until(screen, "bytes that are sent.")
        finally:
            process.kill()
    lines = [line.rstrip() for line in shown.partition("POST /v1/track")[2].splitlines()[1:]]
    assert max(map(len, lines)) <= 80
    assert all(line.startswith(" " * 10) for line in lines)
    assert "no active secret of this api key gives this signature over the headers" in " ".join(" ".join(lines).split())


def until(screen: IO[bytes], text: str) -> str:
    """Read a terminal until a text stands on it; without its colours."""
    seen = ""
    while text not in " ".join(seen.split()):
        seen += re.sub(r"\x1b\[[0-9;]*m", "", screen.read(4096).decode())
    return seen


def test_what_a_sender_writes_is_no_markup() -> None:
    """Names from a payload stand as they are, and a secret nowhere but in the line that gives it."""
    with developing() as dev:
        body = canonicalize({"[red]x": 1})
        assert dev.send(body).status == 422
        dev.served.wait_for("[red]x")
        log = "".join(dev.served.log)
        assert log.count(dev.secret) == 1
        assert log.count(dev.api_key) == 1


def test_the_printed_sender_works() -> None:
    """The line of Python that it prints sends an event, with the environment that it prints."""
    with developing() as dev:
        log = "".join(dev.served.log)
        environment = dict(re.findall(r"export (\w+)=(\S+)", log))
        program = re.findall(r'python -c "(.*)"', log)[0]
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        assert "high" in done.stdout, done.stderr
        dev.served.wait_for("202 accepted")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dev", "--host", "::"], "listens on this machine alone"),
        (["--dev", "--workers", "2"], "leave --workers out"),
        (["--data", "d"], "--dev makes keys"),
    ],
)
def test_what_makes_no_sense_is_refused(options: list[str], said: str, tmp_path: Path) -> None:
    """Other machines, more processes, no keys at all: exit 2 with a sentence."""
    done = subprocess.run([*COMMAND, "serve", *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_keys_of_ones_own_are_not_printed(tmp_path: Path) -> None:
    """With --keys and --data, the development server uses them, and shows neither."""
    write_keys(tmp_path)
    command = [*COMMAND, "serve", "--dev", "--keys", "keys.json", "--data", "data", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            served = Served(process)
            assert served.send("m-1").status == 202
            served.wait_for("202 accepted")
            assert "RETAINPIXEL_HMAC_SECRET" not in "".join(served.log)
        finally:
            process.kill()
    assert (tmp_path / "data" / "events.db").exists()
