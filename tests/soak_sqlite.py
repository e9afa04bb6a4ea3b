"""SQLite under fire: processes that race for one file, and processes that are killed."""

from pathlib import Path
from tempfile import TemporaryDirectory

from claimants import kill_clients, race
from soak_part import Advance, Part, Row

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


PARTS = [
    Part("sqlite-race", "one claim, one winner, over processes", 5_000, 100, race_for_a_file, "nonces"),
    Part("sqlite-killed", "what was acknowledged outlives the process", 100, 2, kill_writers, "kills"),
]
