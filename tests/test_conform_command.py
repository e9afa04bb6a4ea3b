"""`rp-signing conform`, run as a process: what it prints, what it writes, and with which code it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import XML

import pytest
from click.testing import CliRunner, Result
from ingested import endpoint
from spec_page import API_KEY, SECRET

from rp_signing.cli.commands import commands
from rp_signing.conformance.blackbox import PROBES
from rp_signing.conformance.levels import LEVELS
from rp_signing.conformance.vectors import SUITES, load_vectors

ODD = [sys.executable, "-I", "-S", str(Path(__file__).with_name("odd_adapters.py"))]
OURS = [sys.executable, "-m", "rp_signing.conformance.adapter"]
HMAC = [vector["id"] for vector in load_vectors() if vector["suite"] == "hmac"]


def conform(*arguments: str) -> Result:
    """Run the command within this process."""
    done = CliRunner().invoke(commands, ["conform", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done


def document(*arguments: str) -> Any:
    """The JSON document of a run."""
    done = conform("--json", *arguments)
    assert done.exit_code in (0, 1), done.output
    assert done.stdout.isascii()
    found = json.loads(done.stdout)
    assert found["ok"] is (done.exit_code == 0)
    return found


def test_the_library_itself_passes() -> None:
    """The reference adapter takes every suite, skips nothing, passes every vector, and so reaches the highest level."""
    found = document("--", *OURS)
    assert found["counts"] == {"passed": len(load_vectors()), "failed": 0, "skipped": 0, "crashed": 0}
    assert list(found["suites"]) == list(SUITES)
    assert (found["level"], found["target"].split()[0]) == ("full", "rp-signing")


def test_a_right_adapter_ends_with_0(tmp_path: Path) -> None:
    """The table is on standard output, nothing on standard error, and the files are written."""
    page, xml = tmp_path / "report.html", tmp_path / "report.xml"
    done = subprocess.run(
        [sys.executable, "-c", "from rp_signing.cli import main; main()", "conform", "--html", page, "--junit", xml,
         "--", *ODD, "right"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "odd 1" in done.stdout
    assert "7 of 7 passed; level reached: none" in done.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert XML(xml.read_bytes()).get("tests") == "7"  # we wrote it ourselves


def test_a_wrong_adapter_ends_with_1() -> None:
    """Each failure has its id, its rules, what was wanted and got, what differs, and which bug it is."""
    done = conform("--", *ODD, "wrong")
    assert done.exit_code == 1
    for part in (HMAC[0], "INP-2", "wanted", "got", "mac: wanted", "Its HMAC-SHA256 is wrong", "0 of 7 passed"):
        assert part in done.stdout


@pytest.mark.parametrize("kind", ["dies", "garbage", "ugly", "ten-megabytes", "infinite", "deep-inside", "always-dies"])
def test_whatever_an_adapter_does_the_run_ends_cleanly(kind: str) -> None:
    """Text and document come out whole, with 1, and without a traceback."""
    done = conform("--", *ODD, kind)
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert all(line.isprintable() for line in done.stdout.split("\n"))
    assert not document("--", *ODD, kind)["ok"]


def test_skipped_is_listed_and_not_passed() -> None:
    """A skip is listed with its reason and does not fail the run; to skip everything does."""
    done = conform("--", *ODD, "skips")
    assert done.exit_code == 0
    assert f"{HMAC[2]} no \\x1b[7m HMAC" in done.stdout
    assert "6 of 7 passed; 1 skipped" in done.stdout
    done = conform("--", *ODD, "skips-all")
    assert done.exit_code == 1
    assert "nothing passed" in done.stdout


@pytest.mark.parametrize(
    ("kind", "entry", "code", "said"),
    [
        ("dies", HMAC[2], 0, "1 failed as expected"),
        ("wrong", HMAC[2], 1, "6 failed"),
        ("right", HMAC[2], 1, "take it out of the list"),
        ("skips", HMAC[2], 1, "take it out of the list"),
        ("right", "sign-example-of-the-spec", 0, "7 of 7 passed"),
        ("right", "sign-example-of-no-spec", 1, "is no vector"),
    ],
)
def test_expected_failures(tmp_path: Path, kind: str, entry: str, code: int, said: str) -> None:
    """A failure in the list fails nothing; an entry that is stale or unknown does."""
    path = tmp_path / "expected.txt"
    path.write_text(f"# what we know\n{entry}  # the ticket is open\n", encoding="utf-8")
    done = conform("--expected", str(path), "--", *ODD, kind)
    assert (done.exit_code, said in done.stdout) == (code, True), done.stdout


@pytest.mark.parametrize("option", [("--level", "signer"), ("--suite", "sign", "--suite", "hmac")])
def test_a_suite_that_is_asked_for_and_not_taken_fails(option: tuple[str, ...]) -> None:
    """What a level needs and hello does not name is a failure of its suite; what nobody asked for is not."""
    found = document(*option, "--", *ODD, "right")
    missing = [one["suite"] for one in found["outcomes"] if one["status"] == "failed"]
    assert missing == [suite for suite in (LEVELS["signer"] if "--level" in option else ("sign",)) if suite != "hmac"]
    assert found["counts"]["passed"] == 7


def test_a_level_runs_its_suites_alone() -> None:
    """Of an adapter that takes all suites just those of the level are asked."""
    found = document("--level", "canonicaliser", "--", *OURS)
    assert (list(found["suites"]), found["level"]) == (["canonical", "parse"], "canonicaliser")
    assert found["ok"]


def test_the_adapter_never_sees_the_answer(tmp_path: Path) -> None:
    """What is written to an adapter is hello, and then each vector without what is right and which it is."""
    heard = tmp_path / "heard.jsonl"
    assert conform("--", *ODD, "records", str(heard)).exit_code == 1
    lines = [json.loads(line) for line in heard.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {"do": "hello", "protocol": 1}
    vectors = load_vectors()
    assert [line["n"] for line in lines[1:]] == list(range(1, len(vectors) + 1))
    hidden = ("expect", "expect_one_of", "intermediate", "flags", "tags", "comment", "id", "repeat")
    text = heard.read_text(encoding="utf-8")
    assert [name for name in hidden if f'"{name}":' in text] == []
    assert [vector["id"] for vector in vectors if f'"{vector["id"]}"' in text] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what is judged"),
        (("--url", "http://127.0.0.1:9", "--", "node"), "say what is judged"),
        (("--url", "http://127.0.0.1:9"), "--url needs --api-key and --secret-file"),
        (("--url", "http://127.0.0.1:9", "--api-key", "k"), "--url needs --secret-file"),
        (
            ("--url", "http://x", "--api-key", "k", "--secret-file", "{self}", "--suite", "sign"),
            "no levels and no suites",
        ),
        (("--api-key", "k", "--", "node"), "--api-key goes with --url"),
        (("--i-own-this-server", "--", "node"), "--i-own-this-server goes with --url"),
        (("--level", "signer", "--suite", "sign", "--", "node"), "give one of them"),
        (("--level", "expert", "--", "node"), "'expert' is not one of"),
        (("--suite", "rsa", "--", "node"), "'rsa' is not one of"),
        (("--timeout", "0", "--", "node"), "0.0 is not in the range"),
        (("--expected", "/nowhere", "--", "node"), "does not exist"),
        (("--expected", "{self}", "--", *ODD, "right"), "say why after a #"),
        (("--html", "/nowhere/x.html", "--", *ODD, "right"), "there is no such folder"),
        (("--junit", "/dev/full", "--", *ODD, "right"), "cannot be written"),
        (("--", "/nowhere/adapter\x1b"), "/nowhere/adapter\\x1b: it does not start"),
        (("--", *ODD, "hello-dies"), "its last lines: Error: Cannot find module 'rp1'"),
        (("--", *ODD, "hello-other-suite"), 'there is no suite "rsa\\u001b"'),
    ],
)
def test_wrong_use_ends_with_2(arguments: tuple[str, ...], said: str) -> None:
    """Wrong use, and an adapter that does not start, say what is wrong and end with 2."""
    done = conform(*(part.replace("{self}", __file__) for part in arguments))
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


def test_a_running_server_is_probed(tmp_path: Path) -> None:
    """By --url every probe is sent, and judged in the same words; a list of expected failures holds for probes too."""
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    (tmp_path / "expected").write_text("get-405 # no such probe\n", encoding="utf-8")
    files = ("--secret-file", str(tmp_path / "secret"), "--expected", str(tmp_path / "expected"))
    with endpoint(tmp_path, clock=time.time, body_timeout=0.5) as served:
        found = document("--url", served.url, "--api-key", API_KEY, *files)
    assert (found["target"], found["level"]) == (served.url, None)
    assert list(found["suites"]) == ["http"]
    assert sum(found["counts"].values()) == len(PROBES) >= 60
    assert found["counts"]["passed"] == len(PROBES)
    assert [problem["name"] for problem in found["problems"]] == ["get-405"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "nothing answers at"),
        ("http://192.0.2.1", "is not loopback"),
        ("http://127.0.0.1:1/v1/track", "leave it out"),
        ("127.0.0.1:8000", "it does not begin with https:// or http://"),
        ("https://127.0.0.1:1", "the URL must be http://HOST:PORT"),
    ],
)
def test_a_server_that_cannot_be_probed_ends_with_2(tmp_path: Path, url: str, said: str) -> None:
    """Nobody there, and a server that is somebody else's, are wrong use; the secret is not said."""
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    done = conform("--url", url, "--api-key", API_KEY, "--secret-file", str(tmp_path / "secret"))
    assert (done.exit_code, said in done.stderr) == (2, True), done.output
    assert SECRET not in done.output


def test_options_after_the_command_are_the_adapters(tmp_path: Path) -> None:
    """What follows the adapter's name is handed on as it stands."""
    script = tmp_path / "adapter.py"
    script.write_text("import sys; sys.exit(' '.join(sys.argv[1:]))", encoding="utf-8")
    done = conform("--", sys.executable, str(script), "--json", "--level", "x y", "--", "-h")
    assert done.exit_code == 2
    assert "--json --level x y -- -h" in done.stderr


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(signal.SIGINT, 130, "\nstopped\n"), (signal.SIGTERM, 143, ""), (signal.SIGHUP, 129, "")],
)
def test_what_ends_the_run_ends_the_adapter(tmp_path: Path, number: int, code: int, told: str) -> None:
    """Ctrl-C, SIGTERM, or a terminal that is closed: the exit code says which, and nothing is left running."""
    path = tmp_path / "held"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    command = [sys.executable, "-c", "from rp_signing.cli import main; main()", "conform", "--timeout", "60", "--"]
    with subprocess.Popen([*command, *ODD, "holds", str(path)], stderr=subprocess.PIPE, text=True) as process:
        assert select.select([descriptor], [], [], 30)[0]
        assert os.read(descriptor, 4) == b"held"
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (code, told)
    assert select.select([descriptor], [], [], 10)[0]
    assert os.read(descriptor, 1) == b""
    os.close(descriptor)
