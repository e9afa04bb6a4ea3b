"""`serve --dev`: keys to throw away, each request shown with its verdict, and near-misses explained."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from developing import developing
from serving_process import COMMAND, Served, write_keys

from rp_signing import canonicalize


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
