"""A SQLite file that is read and left as it is: the file, what is beside it, and whoever writes to it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from ..errors import StoreError
from .sqlite_file import BUSY_SECONDS, Database

__all__ = ["ReadDatabase", "open_to_read"]

_BESIDE = ("-wal", "-journal")


class ReadDatabase(Database):
    """A file opened to read; after each reading, `judge_reading` says whether that was of one state of the file."""

    _still: list[tuple[int, int, int] | None] | None = None

    def hold_still(self, path: str) -> None:
        """Take it that nobody writes, and remember what shows it when somebody does."""
        self._path = path
        self._still = self._stamps()

    def judge_reading(self) -> None:
        """Refuse what was read without locks, if somebody may have been writing.

        Raises:
            sqlite3.OperationalError: saying so.
        """
        if self._still is not None and self._still != self._stamps():
            raise sqlite3.OperationalError(f"{self._path} has been opened by a writer meanwhile; look once more")

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(self._path + end) for end in ("", *_BESIDE)]


def open_to_read(path: str | os.PathLike[str]) -> ReadDatabase:
    """Open a file that is there, and change nothing.

    Where a log or a journal is beside it, it is read with SQLite's locks, as one of many readers. Where none is, nobody
    writes: then nothing is locked or made, so that a copy in a folder that cannot be written will do.

    Raises:
        StoreError: it cannot be opened.
    """
    place = os.path.realpath(path)  # a link is followed, as SQLite does
    # To read the file's head here, instead of looking beside it, would drop the locks of this process on POSIX.
    kept = [end for end in _BESIDE if os.path.exists(place + end)]
    # SQLite would make a -shm that is not there, and write to one that is.
    how = "readonly_shm=1" if kept else "immutable=1"
    database: ReadDatabase | None = None
    try:
        database = sqlite3.connect(
            f"{Path(place).as_uri()}?mode=ro&{how}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=ReadDatabase,
        )
        if not kept:
            database.hold_still(place)
        database.opened_at(Path(place))
    except sqlite3.Error as error:
        if database is not None:
            database.close()
        raise StoreError(f"{os.fspath(path)} cannot be opened: {error}{_cure(place, kept)}") from error
    return database


def _cure(place: str, kept: list[str]) -> str:
    if "-wal" in kept and not os.path.exists(f"{place}-shm"):
        return "; it has a -wal and no -shm beside it: copy all three, or copy by SQLite (`VACUUM INTO`)"
    return ""


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
