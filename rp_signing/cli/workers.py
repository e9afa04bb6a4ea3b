"""Several processes behind one listening socket."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

_LOG = logging.getLogger("rp_signing.ingest")
_QUICK_SECONDS = 2.0
_QUICK_DEATHS = 3


class Workers:
    """Forks processes that do the same work, and keeps their number until it is told to stop.

    SIGHUP goes on to each of them; SIGTERM and SIGINT end them, each after the requests that it has begun. One that
    dies is replaced, unless new ones keep dying at once.

    Args:
        count: how many processes.
        work: what each does, from its own start to its end; SIGHUP, SIGTERM and SIGINT are held back in it until it
            calls `listen_to_signals`.
    """

    def __init__(self, count: int, work: Callable[[], object]) -> None:
        self._count = count
        self._work = work
        self._started: dict[int, float] = {}  # process id → when, by the monotonic clock
        self._quick_deaths = 0
        self._stopping = False
        self._interrupted = False
        self._lifeline = os.pipe()

    def run(self) -> int:
        """Work until told to stop.

        Returns:
            The exit code: 0 after SIGTERM, 130 after Ctrl-C, 1 when the workers could not be kept alive.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _heard())
        for _ in range(self._count):
            self._start()
        while self._started:
            heard = signal.sigwait(_heard())
            if heard == signal.SIGCHLD:
                self._bury()
            else:
                self._stopping = self._stopping or heard != signal.SIGHUP
                self._interrupted = self._interrupted or heard == signal.SIGINT
                self._tell(signal.SIGHUP if heard == signal.SIGHUP else signal.SIGTERM)
        return 1 if self._quick_deaths > _QUICK_DEATHS else 130 if self._interrupted else 0

    def _start(self) -> None:
        process = os.fork()
        if process:
            self._started[process] = time.monotonic()
            return
        code = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C is for the parent, which passes it on once
            os.close(self._lifeline[1])
            threading.Thread(target=_end_with_the_parent, args=(self._lifeline[0],), daemon=True).start()
            self._work()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException as error:
            _LOG.critical("worker %d: %s: %s", os.getpid(), type(error).__name__, error)
        finally:
            logging.shutdown()
            os._exit(code)

    def _bury(self) -> None:
        """Replace whoever died: one signal may stand for several deaths."""
        while self._started:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            lived = time.monotonic() - self._started.pop(process)
            if self._stopping:
                continue
            code = os.waitstatus_to_exitcode(status)
            self._quick_deaths = self._quick_deaths + 1 if lived < _QUICK_SECONDS else 0
            if self._quick_deaths > _QUICK_DEATHS:
                _LOG.critical("worker %d ended with %d, and so did those before it: giving up", process, code)
                self._stopping = True
                self._tell(signal.SIGTERM)
            else:
                _LOG.error("worker %d ended with %d after %.0f s; another takes its place", process, code, lived)
                self._start()

    def _tell(self, what: signal.Signals) -> None:
        for process in self._started:
            os.kill(process, what)


def listen_to_signals() -> None:
    """Let a worker hear what `Workers` holds back until the worker knows what to do with it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _heard())


def _heard() -> set[signal.Signals]:
    return {signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


def _end_with_the_parent(lifeline: int) -> None:
    """End this process when the parent is gone, however it went: the pipe then has no writer."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
