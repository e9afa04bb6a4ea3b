"""The driver against adapters that do anything but answer: each is named as what it is, and none holds the run up."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rp_signing.conformance.driver import Adapter, Crash
from rp_signing.conformance.judge import NOT_ASKED
from rp_signing.conformance.outcome import Outcome, Status
from rp_signing.conformance.trial import PATIENCE, Trial
from rp_signing.conformance.vectors import load_vectors, question

ODD = [sys.executable, "-I", "-S", str(Path(__file__).with_name("odd_adapters.py"))]
HMAC = [vector for vector in load_vectors() if vector["suite"] == "hmac"]
LONG = 30.0
"""Seconds that no test should come near; SHORT is waited for in full."""
SHORT = 2.0


def tried(kind: str, timeout: float = LONG, file: str = "") -> list[Outcome]:
    """Ask an odd adapter for the suite that it takes."""
    with Trial([*ODD, kind, file], timeout) as trial:
        return [trial.judge(vector) for vector in HMAC]


def test_a_right_adapter_passes() -> None:
    """The adapter that all odd ones are made of passes all of its suite."""
    assert [outcome.status for outcome in tried("right")] == [Status.PASSED] * len(HMAC)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("dies", r"ended with exit code 3; its last lines: thread main panicked \| at lib.rs:40 \x1b[31m\x07"),
        ("killed", "was ended by SIGKILL"),
        ("logs", 'no answer: it is no JSON: "2026-11-23 DEBUG asked"; is it a log? Those go to standard error'),
        ("out-of-order", "it answered question 2 when asked question 3"),
        ("no-number", "it answered question null when asked question 3"),
        ("true-for-number", "it answered question true when asked question 3"),
        ("ten-megabytes", 'a line of more than 8,388,608 bytes: "{\\"ok\\": \\"xxx'),
        ("ten-megabytes-without-end", 'a line of more than 8,388,608 bytes: "yyy'),
        ("garbage", 'no answer: it is no JSON: "}{ \\u001b[2J\\u202e\\x9b"'),
        ("not-utf-8", "no answer: it is not UTF-8 at byte 18"),
        ("nan", "no answer: it is no JSON"),
        ("list", "no answer: it is no JSON object"),
        ("nothing", "no answer: it is no JSON"),
        ("deep", "no answer: it is no JSON"),
        ("deep-number", "it answered question "),
        ("long-number", "no answer: it is no JSON"),
        ("ok-and-refused", "no answer: it has ok and refused"),
        ("closes-output", "it closed its standard output, and runs on"),
    ],
)
def test_what_is_no_answer_is_a_crash(kind: str, said: str) -> None:
    """What happened is said, and the run goes on with the program started again."""
    outcomes = tried(kind)
    assert [outcome.status for outcome in outcomes] == [
        Status.CRASHED if number == 3 else Status.PASSED for number in range(1, len(HMAC) + 1)
    ]
    crash = outcomes[2]
    assert said.replace("\\|", "|") in crash.detail
    assert crash.detail.isprintable()
    assert crash.wanted == HMAC[2]["expect"]
    assert crash.bugs


@pytest.mark.parametrize(
    ("kind", "said"),
    [("hangs", "within 2 s; its last lines: waiting for a lock"), ("half-a-line", "it did not answer within 2 s")],
)
def test_an_answer_that_does_not_come_is_not_waited_for(kind: str, said: str) -> None:
    """After the timeout the program is ended and named, and the run goes on."""
    outcomes = tried(kind, SHORT)
    assert [outcome.status for outcome in outcomes].count(Status.PASSED) == len(HMAC) - 1
    assert said in outcomes[2].detail


def test_a_line_that_nobody_asked_for_is_a_crash() -> None:
    """A second line after an answer is no answer to what is asked next."""
    outcomes = tried("answers-twice")
    assert [outcome.status for outcome in outcomes].count(Status.CRASHED) == 1
    assert outcomes[2].status is Status.PASSED
    assert "it answered question 3 when asked question 4" in outcomes[3].detail


@pytest.mark.parametrize("kind", ["deep-inside", "infinite", "ugly"])
def test_an_odd_value_is_a_wrong_answer(kind: str) -> None:
    """A value that is JSON and makes no sense fails its vector, and is fit to be shown."""
    outcome = tried(kind)[2]
    assert outcome.status is Status.FAILED
    assert outcome.got is not None


def test_a_program_that_does_not_read_is_not_waited_for() -> None:
    """A line of megabytes to a program that reads nothing more ends with the timeout, not with the run."""
    (vector,) = [one for one in load_vectors() if one["id"] == "sign-body-512-kib"]
    asked = question(vector, 1)
    asked["body"] *= 4
    with Adapter([*ODD, "never-reads"], SHORT) as adapter, pytest.raises(Crash, match="did not answer within 2 s"):
        adapter.ask(asked)


@pytest.mark.parametrize(("kind", "said"), [("always-dies", "not my day"), ("always-both", "it has ok and refused")])
def test_crashing_all_the_time_ends_the_run(kind: str, said: str) -> None:
    """After five crashes in a row nothing more is asked, and what was not asked counts as crashed."""
    outcomes = tried(kind)
    assert [outcome.status for outcome in outcomes] == [Status.CRASHED] * len(HMAC)
    details = [outcome.detail for outcome in outcomes]
    assert [detail == NOT_ASKED for detail in details] == [n >= PATIENCE for n in range(len(HMAC))]
    assert [bool(outcome.bugs) for outcome in outcomes] == [n < PATIENCE for n in range(len(HMAC))]
    assert said in details[0]


def test_crashes_between_answers_do_not_end_the_run() -> None:
    """However often it crashes: as long as it answers in between, it is started again and asked."""
    with Trial([*ODD, "dies-when-even"], LONG) as trial:
        outcomes = [trial.judge(vector) for vector in HMAC + HMAC]
    assert [outcome.status for outcome in outcomes] == [Status.PASSED, Status.CRASHED] * len(HMAC)
    assert len(HMAC) > PATIENCE


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("hello-dies", "exit code 1; its last lines: Error: Cannot find module 'rp1'"),
        ("hello-hangs", "did not answer within 2 s"),
        ("hello-banner", "Welcome to the adapter!"),
        ("hello-protocol", "does not speak protocol 1"),
        ("hello-true", "does not speak protocol 1"),
        ("hello-nameless", "its name is missing, or no text"),
        ("hello-no-suite", "its suites are missing, or no list"),
        ("hello-other-suite", r'there is no suite "rsa\u001b"; the suites are canonical, parse,'),
        ("hello-odd-suite", 'there is no suite ["hmac"]'),
        ("hello-list", "it is no JSON object"),
    ],
)
def test_a_wrong_hello_is_no_start(kind: str, said: str) -> None:
    """A program that does not say hello by the protocol does not start, and is told why."""
    with pytest.raises(Crash) as caught:
        Adapter([*ODD, kind], SHORT if kind == "hello-hangs" else LONG)
    assert said in str(caught.value)


@pytest.mark.parametrize("command", [["/nowhere/adapter"], [str(Path(__file__).parent)], ["a\0b"], [""]])
def test_what_cannot_be_run_does_not_start(command: list[str]) -> None:
    """A command that the system does not run is named as that."""
    with pytest.raises(Crash, match="it does not start"):
        Adapter(command, LONG)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A named pipe, and its end to read from."""
    path = tmp_path / "held"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, descriptor
    os.close(descriptor)


def is_let_go(descriptor: int) -> bool:
    """Whether it was held, and every process that held it has ended."""
    held = b""
    while select.select([descriptor], [], [], 10)[0]:
        part = os.read(descriptor, 100)
        if not part:
            break
        held += part
    else:
        return False
    return held == b"held"


def test_nothing_of_the_program_runs_on(fifo: tuple[Path, int]) -> None:
    """What the program started itself ends with it."""
    path, descriptor = fifo
    outcomes = tried("holds", SHORT, str(path))
    assert outcomes[2].status is Status.CRASHED
    assert is_let_go(descriptor)
