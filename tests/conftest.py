"""What lives as long as the whole run: the watch over what is said, and the servers of the networked stores."""

import logging
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from leaks import EXPECTED, Watch, check_error
from printed import check_printed
from store_kinds import Started

from rp_signing import signing
from rp_signing.middleware import problem

pytest_plugins = ["rp_signing.testing.plugin"]


@pytest.fixture(autouse=True)
def nothing_leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does, no secret, api key or expected MAC is in a log, a reply, an error, or what is printed."""
    watch, logger = Watch(), logging.getLogger("rp_signing")
    EXPECTED.spellings.clear()
    monkeypatch.setattr(signing, "compare_digest", EXPECTED.compare)
    monkeypatch.setattr(pytest.RaisesExc, "__exit__", watched(pytest.RaisesExc.__exit__))
    monkeypatch.setattr(subprocess, "run", watched_run(subprocess.run))
    monkeypatch.setattr(problem.Reply, "body", lambda reply: watch.reply(reply))
    logger.addHandler(watch)
    try:
        yield
    finally:
        logger.removeHandler(watch)
    assert watch.found == []


def watched(leave: Any) -> Any:
    """Give the end of `pytest.raises` that looks at the error, too."""

    def leave_watched(self: Any, kind: Any, error: BaseException | None, frames: Any) -> bool:
        __tracebackhide__ = True
        caught: bool = leave(self, kind, error, frames)
        if caught and not isinstance(error, AssertionError):  # what a test says itself
            check_error(error)
        return caught

    return leave_watched


@pytest.fixture(scope="session")
def kinds() -> Iterator[Started]:
    """Every kind of store by its name."""
    with Started() as started:
        yield started


def watched_run(run: Any) -> Any:
    """Give `subprocess.run` that looks at what a command of ours has printed, too."""

    def run_watched(command: Any, *arguments: Any, **options: Any) -> Any:
        done = run(command, *arguments, **options)
        check_printed(command, done, options.get("cwd"), options.get("input"))
        return done

    return run_watched
