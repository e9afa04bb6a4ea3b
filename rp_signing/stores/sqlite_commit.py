"""One commit for all that wait for one: what a commit costs is the disk's time, however much is in it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..errors import VerificationError
from .sqlite_file import Database, Transaction

__all__ = ["GroupCommit"]

_T = TypeVar("_T")


class GroupCommit:
    """Runs what writes to a file, in transactions that those share who come while one is being committed.

    Each sees what those before it have written, and is answered after the commit. A refusal that wrote nothing is one
    of these answers. After every other failure nothing of the group stands, and each is run once more, alone: a
    savepoint for each would cost more, for SQLite then keeps every page as it was before it.

    Args:
        database: the file; nothing else may begin a transaction on it without `lock`.

    Attributes:
        lock: held while the file is used.
    """

    def __init__(self, database: Database) -> None:
        self.lock: threading.Lock = threading.Lock()
        self._database = database
        self._waiting: deque[_Write] = deque()

    def run(self, write: Callable[[], _T]) -> _T:
        """Run this in a transaction; it is committed when this returns, and undone when this raises.

        Raises:
            sqlite3.Error: the file cannot be written.
            Exception: what `write` raises.
        """
        mine = _Write(write)
        self._waiting.append(mine)
        with self.lock:
            if not mine.answer.done():
                self._commit()
        answer: _T = mine.answer.result()
        return answer

    def _commit(self) -> None:
        # Whoever holds the lock finds its own among these: what another one took along has its answer.
        group = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            if len(group) == 1 or not self._together(group):
                for one in group:
                    self._alone(one)
        finally:
            for one in group:
                one.answer.cancel()  # of no effect where there is an answer

    def _alone(self, one: _Write) -> None:
        try:
            with Transaction(self._database):
                outcome = one.write()
        except Exception as error:
            one.answer.set_exception(error)
        else:
            one.answer.set_result(outcome)

    def _together(self, group: list[_Write]) -> bool:
        """Commit all at once and answer; False, with nothing written, where one of them failed in its own part."""
        outcomes: list[Any] = []
        begun = False
        try:
            with Transaction(self._database):
                begun = True
                for one in group:
                    outcomes.append(self._within(one))
        except Exception as error:
            if begun and len(outcomes) < len(group):
                return False
            for one in group:
                one.answer.set_exception(error)
            return True
        for one, outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, VerificationError):
                one.answer.set_exception(outcome)
            else:
                one.answer.set_result(outcome)
        return True

    def _within(self, one: _Write) -> Any:
        """Write; give what came of it, a refusal too if it left nothing to undo."""
        before = self._database.total_changes
        try:
            return one.write()
        except VerificationError as refusal:
            if self._database.total_changes != before:
                raise
            return refusal


class _Write:
    """What waits to be written, and its answer."""

    def __init__(self, write: Callable[[], Any]) -> None:
        self.write = write
        self.answer: Future[Any] = Future()
