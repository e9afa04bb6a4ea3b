"""A SQLite file that several processes write to, one at a time (SPEC §7)."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from ..errors import StoreError

__all__ = ["BUSY_SECONDS", "Database", "Transaction", "open_database"]

BUSY_SECONDS = 5.0
"""Seconds that a claim waits for another process's write before the store counts as unavailable."""

_RETRY_SECONDS = 0.005


class Database(sqlite3.Connection):
    """An open file that knows whether its path still leads to it, and SQLite's names beside it to what it writes to."""

    def opened_at(self, path: Path) -> None:
        """Remember which files stand at the path now.

        Raises:
            sqlite3.OperationalError: there is none, as behind ``:memory:``.
        """
        self.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()  # opens the two beside it, which then stay
        beside = os.path.realpath(path)  # a link is followed
        self._files = {name: _file_at(name) for name in (str(path), f"{beside}-shm")}
        self._log = f"{beside}-wal"
        self._has_log = os.access(self._log, os.F_OK)
        if self._files[str(path)] is None:
            raise sqlite3.OperationalError("it names no file, and memory is lost with the process and shared with none")

    def judge_place(self) -> None:
        """Refuse when a file has been removed, or another one stands in its place.

        SQLite would go on with a file that has no name: other processes share another one, and take every nonce once
        more; and what is written is lost with this process.

        Raises:
            sqlite3.OperationalError: saying so.
        """
        fault = self.misplaced()
        if fault is not None:
            raise sqlite3.OperationalError(fault)

    def misplaced(self) -> str | None:
        """Say that a file has been removed, or another one stands in its place; None: it has not."""
        for name, opened in self._files.items():
            if _file_at(name) != opened:
                return f"{name} has been removed or replaced since it was opened"
        # Its times are not asked for: from then on Linux writes a fresh one with each commit, at 50 µs a claim.
        if self._has_log and not os.access(self._log, os.F_OK):
            return f"{self._log} has been removed since it was opened"
        return None


class Transaction:
    """``BEGIN IMMEDIATE`` to ``COMMIT``, or ``ROLLBACK``: nothing comes between what is read and what is written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.judge_place()
        except sqlite3.Error:
            self._database.rollback()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._database.execute("COMMIT")
                return
            except sqlite3.Error:
                self._database.rollback()
                raise
        self._database.rollback()


def open_database(path: str | os.PathLike[str]) -> Database:
    """Open a file for one writer at a time and any number of processes: WAL, ``synchronous=FULL``.

    Raises:
        StoreError: it cannot be opened.
    """
    try:
        database = sqlite3.connect(
            Path(path), timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=Database
        )
    except sqlite3.Error as error:
        raise StoreError(f"{os.fspath(path)} cannot be opened: {error}") from error
    try:
        _switch_to_wal(database)
        database.execute("PRAGMA synchronous = FULL")
        database.opened_at(Path(path).absolute())
    except sqlite3.Error as error:
        database.close()
        raise StoreError(f"{os.fspath(path)} cannot be opened: {error}") from error
    return database


def _switch_to_wal(database: sqlite3.Connection) -> None:
    """Make the journal a WAL, which a file stays for good.

    Of several processes that open a new file at once, SQLite tells all but one that it is locked, without waiting.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_SECONDS)


def _file_at(path: str) -> tuple[int, int] | None:
    """Give what names a file whatever its path; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
