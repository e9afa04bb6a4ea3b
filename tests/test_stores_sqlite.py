"""What stores in a SQLite file do when many open it at once, and when it is taken away under them."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from event_store_kinds import claim_of, event, received
from parties import Clock, reason, refusal
from test_stores_postgres import claim

from rp_signing import Reason, StoreError
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.ingest.store import Stored
from rp_signing.stores.sqlite import SQLiteNonceStore


def removed(path: Path) -> None:
    """Remove a file."""
    path.unlink()


def replaced(path: Path) -> None:
    """Put another file in its place."""
    other = path.with_name("other.db")
    SQLiteNonceStore(other).close()
    other.replace(path)


def unreachable(path: Path) -> None:
    """Move the folder away, as a file system does that is unmounted."""
    path.parent.rename(path.parent.with_name("elsewhere"))


def its_log(path: Path) -> None:
    """Remove what SQLite keeps beside a file, as somebody does who takes it for rubbish."""
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink()


def its_index(path: Path) -> None:
    """Remove the half of it by which processes find one another's writes."""
    path.with_name(f"{path.name}-shm").unlink()


def unlocked(path: Path) -> None:
    """Copy the file as files are copied: that drops this process's locks, and the next to close it removes the log."""
    path.read_bytes()
    look = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('SELECT * FROM sqlite_schema').fetchall()"
    subprocess.run([sys.executable, "-c", f"{look}; d.close()", path], check=True)


TAKEN_AWAY = pytest.mark.parametrize("take", [removed, replaced, unreachable, its_log, its_index, unlocked])


@TAKEN_AWAY
def test_a_file_without_a_name_takes_no_nonces(tmp_path: Path, take: Callable[[Path], None]) -> None:
    """R9, WIN-9: other processes share another file by now, and would take every nonce once more."""
    path = tmp_path / "folder" / "nonces.db"
    path.parent.mkdir()
    store = SQLiteNonceStore(path, born=0)
    token = store.claim(claim(), Clock())
    take(path)
    error = refusal(store.claim, claim(nonce="m" * 22), Clock())
    assert (error.reason, "removed or replaced" in error.detail) == (Reason.REPLAY_STORE_UNAVAILABLE, True)
    with pytest.raises(StoreError, match="removed or replaced"):
        store.release(claim(), token)
    store.close()


@TAKEN_AWAY
def test_the_doctor_sees_that_a_file_is_without_a_name(tmp_path: Path, take: Callable[[Path], None]) -> None:
    """What refuses everything is not well: the doctor of either store says that, and what to do."""
    for kind in (SQLiteNonceStore, SQLiteEventStore):
        path = tmp_path / kind.__name__ / "folder" / "kept.db"
        path.parent.mkdir(parents=True)
        store = kind(path)
        assert store.doctor() == []
        take(path)
        (found,) = store.doctor()
        assert found.startswith(str(path))
        assert "has been removed or replaced" in found
        assert "opened anew" in found
        store.close()


def test_a_birth_that_is_no_time_makes_no_file(tmp_path: Path) -> None:
    """What cannot be a store is not begun, so that a later start finds no half of one."""
    for born in ("now", float("nan")):
        with pytest.raises((TypeError, ValueError)):
            SQLiteNonceStore(tmp_path / "nonces.db", born=born)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [SQLiteNonceStore, SQLiteEventStore])
def test_memory_is_no_file(kind: Any) -> None:
    """R8: SQLite's name for memory is refused, since every process would have nonces and events of its own."""
    with pytest.raises(StoreError, match=":memory: cannot be opened: it names no file"):
        kind(":memory:")


@TAKEN_AWAY
def test_a_file_without_a_name_takes_no_events(tmp_path: Path, take: Callable[[Path], None]) -> None:
    """EVT-5: what is written there is gone with the process, so that it is never acknowledged."""
    path = tmp_path / "folder" / "events.db"
    path.parent.mkdir()
    store = SQLiteEventStore(path, Clock())
    assert store.store(received(1), [event("m-1")]) == Stored(1, 0)
    take(path)
    for number, signed in enumerate((None, claim_of("a", Clock()))):
        told = refusal(store.store, received(number, signed), [event(f"n-{number}")])
        assert told.reason == Reason.EVENT_STORE_UNAVAILABLE
    store.close()


def test_another_path_to_the_same_file_is_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A symbolic link, and a path relative to a folder that the process has left, lead to it."""
    path = tmp_path / "nonces.db"
    SQLiteNonceStore(path, born=0).close()
    (tmp_path / "link.db").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    stores = [SQLiteNonceStore(name) for name in (path, "link.db", "nonces.db")]
    monkeypatch.chdir("/")
    stores[0].claim(claim(), Clock())
    assert [reason(store.claim, claim(), Clock()) for store in stores[1:]] == [Reason.REPLAYED] * 2
    for store in stores:
        store.close()


def open_together(start: Barrier, path: Path) -> None:
    """Open a file when the others do."""
    start.wait()
    SQLiteNonceStore(path).close()


def test_workers_that_start_at_once_all_get_the_new_file(tmp_path: Path) -> None:
    """R10: SQLite refuses a second switch to WAL without waiting; the store waits, 30 times for 12 processes."""
    context = multiprocessing.get_context("fork")
    for number in range(30):
        start, path = context.Barrier(12), tmp_path / f"{number}.db"
        workers = [context.Process(target=open_together, args=(start, path)) for _ in range(12)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0] * 12
