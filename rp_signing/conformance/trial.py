"""A trial: one adapter asked vector after vector, started again whenever it crashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .driver import Adapter, Crash, Hello
from .judge import crashed, judge, unasked
from .outcome import Outcome, Status
from .vectors import question

__all__ = ["PATIENCE", "Trial"]

PATIENCE = 5
"""After so many crashes in a row it is asked nothing more."""


class Trial:
    """An adapter under judgement. Use it in a with statement: at the end nothing of the program runs on.

    Args:
        command: the program and its arguments.
        timeout: how many seconds it has for each answer.

    Attributes:
        hello: how it introduced itself.

    Raises:
        Crash: it does not start, or does not say hello.
    """

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._command = command
        self._timeout = timeout
        self._adapter: Adapter | None = Adapter(command, timeout)
        self._number = 0
        self._in_a_row = 0
        self.hello: Hello = self._adapter.hello

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._adapter is not None:
            self._adapter.kill()  # whoever breaks off does not wait
        self._end()

    def judge(self, vector: dict[str, Any]) -> Outcome:
        """Ask for one vector, and judge what comes; a crash is an outcome, too."""
        if self._in_a_row >= PATIENCE:
            return unasked(vector)
        try:
            outcome = judge(vector, self._ask(vector))
        except Crash as crash:
            self._adapter = None
            outcome = crashed(vector, str(crash))
        if outcome.status is Status.CRASHED:
            self._in_a_row += 1
            self._end()
        else:
            self._in_a_row = 0
        return outcome

    def _ask(self, vector: dict[str, Any]) -> Any:
        if self._adapter is None:
            self._adapter = Adapter(self._command, self._timeout)
        self._number += 1
        return self._adapter.ask(question(vector, self._number))

    def _end(self) -> None:
        if self._adapter is not None:
            self._adapter.close()
            self._adapter = None
