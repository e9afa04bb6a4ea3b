"""One run of the command line as a process: its streams, its locale, its signals, and the code with which it ends."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import spec_page
from serving_process import COMMAND, started, write_keys

from rp_signing.ingest.sqlite import SQLiteEventStore

API_KEY, SECRET = spec_page.API_KEY, spec_page.SECRET
COMMANDS = {
    "--help": (),
    "canonicalize": (),
    "canonicalize --json": (),
    "sign": ("--api-key", API_KEY, "--secret-file", "secret"),
    "sign --event": ("--api-key", API_KEY, "--secret-file", "secret"),
    "explain": ("--keys", "keys.json", "--headers", "none"),
    "keygen": (),
    "keys status": ("--keys", "keys.json"),
    "events list": ("--data", "data"),
    "events audit": ("--data", "data", "--keys", "keys.json"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a keys file, a secret, no headers, and an event store with nothing in it."""
    write_keys(tmp_path)
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "none").touch()
    (tmp_path / "data").mkdir()
    SQLiteEventStore(tmp_path / "data" / "events.db").close()
    return tmp_path


def run(folder: Path, command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end."""
    options = {"input": b'{"a":1}', "stdout": subprocess.PIPE, **options}
    arguments = [*COMMAND, *command.split(), *COMMANDS.get(command, ())]
    return subprocess.run(arguments, cwd=folder, stderr=subprocess.PIPE, check=False, timeout=60, **options)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_be_written_is_an_error_of_one_line(folder: Path, command: str) -> None:
    """On a full disk a command ends with 2, which is no verdict, and says why."""
    with Path("/dev/full").open("wb") as full:
        done = run(folder, command, stdout=full)
    assert (done.returncode, done.stderr) == (2, b"Error: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_standard_output_is_no_success(folder: Path, command: str) -> None:
    """Nothing that was to be printed is lost without a word."""
    done = run(folder, command, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (2, b"Error: [Errno 9] Bad file descriptor\n")


def test_a_closed_standard_input_is_named(folder: Path) -> None:
    """Where a body is needed, it is said where it would have come from."""
    done = run(folder, "canonicalize", input=None, preexec_fn=lambda: os.close(0))
    assert done.returncode == 2
    assert b"standard input, where the body is read from: Bad file descriptor" in done.stderr


def test_an_empty_standard_input_is_named(folder: Path) -> None:
    """Who forgot `< FILE` is told so beside the refusal."""
    done = run(folder, "explain", input=b"")
    assert done.returncode == 1
    assert b"Standard input was empty; the body is read from there." in done.stderr


def test_a_reader_that_goes_away_is_no_noise(folder: Path) -> None:
    """A pipe that nobody reads ends a command without a word."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = run(folder, "sign --event", stdout=pipe)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_locale_will_do(folder: Path, encoding: str) -> None:
    """JSON is UTF-8 whatever the locale; in text, what the locale has no character for is spelled out."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = run(folder, "canonicalize --json", input='{"text":"Grüße 😀"}'.encode(), env=environment)
    assert json.loads(done.stdout.decode("utf-8"))["canonical"] == '{"text":"Grüße 😀"}'
    (folder / "keys.json").write_text(json.dumps({"api_keys": [{"api_key": API_KEY}]}))  # its row holds a dash
    done = run(folder, "keys status", env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    done = run(folder, "canonicalize --json", input=b'{"\\ud800":1}', env=environment)
    assert json.loads(done.stdout)["reason"] == "payload_surrogate"


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "\nstopped\n"), (signal.SIGTERM, 143, ""), (signal.SIGHUP, 129, "")],
)
def test_a_terminal_is_told_what_is_waited_for(folder: Path, number: int, code: int, said: str) -> None:
    """A body that is to be typed is asked for; Ctrl-C and signals end the wait at once, with their own codes."""
    ours, theirs = pty.openpty()
    arguments = [*COMMAND, "canonicalize"]
    with subprocess.Popen(
        arguments, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert select.select([process.stderr], [], [], 30)[0], "it waits, and does not say so"
        assert process.stderr.readline() == (
            "The body is read from standard input: `< FILE`, or type it, and then Ctrl-D.\n"
        )
        process.send_signal(number)
        told = process.communicate(timeout=30)[1]
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, told) == (code, said)


def test_control_c_while_it_loads_is_no_traceback(folder: Path) -> None:
    """Ctrl-C ends a command with 130 from its first moments on."""
    (folder / "uvicorn.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = run(folder, "keygen", env={**os.environ, "PYTHONPATH": str(folder)})
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_control_c_ends_a_server_with_130(folder: Path, workers: str) -> None:
    """One process or several: Ctrl-C ends them all, and the exit code says that it was Ctrl-C."""
    with started(folder, "--data", "data", "--workers", workers) as served:
        served.wait_for("listening on", times=int(workers))
        served.tell(signal.SIGINT)
        assert served.process.wait(30) == 130
        assert "Traceback" not in "".join(served.log)
