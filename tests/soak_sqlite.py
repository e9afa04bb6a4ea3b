"""SQLite under fire: processes that race for one file, are killed or stand still, and files that are lost or full."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from math import floor
from pathlib import Path
from tempfile import TemporaryDirectory

from claimants import claim, fresh, kill_clients, race, row, told
from soak_part import Advance, Part, Row

from rp_signing import Reason
from rp_signing.stores.sqlite import SQLiteNonceStore


def sqlite_store(path: str) -> SQLiteNonceStore:
    """A store that nothing was accepted before."""
    return SQLiteNonceStore(path, born=0)


def race_for_a_file(nonces: int, advance: Advance) -> list[Row]:
    """Let eight processes claim the same nonces."""
    with TemporaryDirectory() as folder:
        return race(sqlite_store, str(Path(folder) / "nonces.db"), nonces, advance)


def kill_writers(kills: int, advance: Advance) -> list[Row]:
    """Kill processes that write the file."""
    with TemporaryDirectory() as folder:
        return kill_clients(sqlite_store, str(Path(folder) / "nonces.db"), kills, advance)


def stand_still(rounds: int, advance: Advance) -> list[Row]:
    """Hold the file in a transaction of somebody else's, for longer than a claim waits."""
    refused, again, copies, slowest = Counter[str](), Counter[str](), Counter[str](), 0.0
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "nonces.db")
        store = sqlite_store(path)
        store._database.execute("PRAGMA busy_timeout = 50")
        for _ in range(rounds):
            with closing(sqlite3.connect(path, isolation_level=None)) as somebody:
                somebody.execute("BEGIN IMMEDIATE")
                one, begun = fresh(), time.monotonic()
                refused += told(store, [one])
                slowest = max(slowest, time.monotonic() - begun)
                somebody.execute("ROLLBACK")
            again += told(store, [one])
            copies += told(store, [one])
            advance(1)
        store.close()
    work = f"{rounds:,} × the file held by somebody else:"
    return [
        row(f"{work} refused", refused[Reason.REPLAY_STORE_UNAVAILABLE], wanted=rounds),
        Row(f"{work} slowest refusal, when 0.05 s are waited", "under 2 s", f"{slowest:.2f} s", slowest < 2),
        row(f"{work} that get through when they are sent again", again["taken"], wanted=rounds),
        row(f"{work} copies taken", copies["taken"]),
    ]


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _replace(path: Path) -> None:
    _remove(path)
    sqlite_store(str(path)).close()


def _empty(path: Path) -> None:
    with closing(sqlite3.connect(path)) as somebody, somebody:
        for table in ("rp_nonce", "rp_forgotten", "rp_nonce_store"):
            somebody.execute(f"DELETE FROM {table}")  # noqa: S608


_LOSSES: tuple[Callable[[Path], None], ...] = (_remove, _replace, _empty)


def lose(rounds: int, advance: Advance) -> list[Row]:
    """Remove, replace or empty the file under a running verifier, and send copies: to it, and to the next one."""
    running, reopened = Counter[str](), Counter[str]()
    for number in range(rounds):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "nonces.db"
            store, some = sqlite_store(str(path)), [fresh() for _ in range(100)]
            assert told(store, some) == {"taken": 100}
            how = _LOSSES[number % 3]
            how(path)
            # To a verifier that goes on with a file without a name, these are new: another one takes them too.
            running += told(store, [*some, *(fresh() for _ in range(100))])
            store.close()
            if how is _replace:
                _remove(path)
            store = SQLiteNonceStore(path)
            reopened += told(store, some)
            store.close()
        advance(1)
    work = f"{rounds:,} × the file removed, replaced or emptied: of {100 * rounds:,}"
    unavailable, before = running[Reason.REPLAY_STORE_UNAVAILABLE], reopened[Reason.SIGNED_BEFORE_START]
    return [
        row(f"{work} copies and as many others, refused by who runs", unavailable, wanted=200 * rounds),
        row(f"{work} copies, refused by the next as signed_before_start", before, wanted=100 * rounds),
    ]


def run_ahead(nonces: int, advance: Advance) -> list[Row]:
    """Let the clock of another process be 400 s ahead: it drops what this one holds."""
    now = floor(time.time())
    some = [claim(now - number % 200, f"{number:022d}") for number in range(nonces)]
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "nonces.db")
        store, other = sqlite_store(path), sqlite_store(path)
        assert told(store, some) == {"taken": nonces}
        for number in range(nonces // 10_000 + 1):
            other.claim(claim(now + 400, f"z{number:021d}"), lambda: now + 400)
        left = len(store) - nonces // 10_000 - 1
        copies, later = told(store, some), told(store, [claim(now + 1, "y" * 22)])
        other.close()
        store.close()
    advance(nonces)
    work = f"another process's clock 400 s ahead: of {nonces:,} live nonces,"
    return [
        Row(f"{work} dropped", f"{nonces:,}", f"{nonces - left:,}", left == 0),
        row(f"{work} copies taken", copies["taken"]),
        row(f"{work} a request of a later second, taken", later["taken"], wanted=1),
    ]


def fill(nonces: int, advance: Advance) -> list[Row]:
    """Let the file grow no further; then let it."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "nonces.db")
        store, some = sqlite_store(path), [fresh() for _ in range(nonces)]
        (pages,) = store._database.execute("PRAGMA page_count").fetchone()
        store._database.execute(f"PRAGMA max_page_count = {pages + nonces // 200 + 1}")
        before = told(store, some)
        copies = told(store, some)
        store._database.execute("PRAGMA max_page_count = 1000000000")
        after = told(store, some)
        store.close()
    advance(nonces)
    full = before[Reason.REPLAY_STORE_FULL]
    work = f"a file with room for {before['taken']:,} of {nonces:,} nonces:"
    return [
        Row(f"{work} refused as replay_store_full", "all others", f"{full:,}", full == nonces - before["taken"] > 0),
        row(f"{work} copies taken while it is full", copies["taken"]),
        row(f"{work} that get through when there is room again", after["taken"], wanted=full),
        row(f"{work} copies taken afterwards", before["taken"] - after[Reason.REPLAYED]),
    ]


PARTS = [
    Part("sqlite-race", "one claim, one winner, over processes", 5_000, 100, race_for_a_file, "nonces"),
    Part("sqlite-killed", "what was acknowledged outlives the process", 100, 2, kill_writers, "kills"),
    Part("sqlite-held", "a file that somebody holds is refused in time", 100, 2, stand_still, "rounds"),
    Part("sqlite-lost", "a file that is lost under a running verifier opens nothing", 99, 3, lose, "rounds"),
    Part("sqlite-clock", "another process's clock that runs ahead opens nothing", 100_000, 500, run_ahead, "nonces"),
    Part("sqlite-full", "a full file refuses", 20_000, 600, fill, "nonces"),
]
