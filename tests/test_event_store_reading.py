"""Looking at an event store that others write to: no right to write is needed, and nothing is made or changed."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from event_store_kinds import KINDS, MAC, Kind, claim_of, event, received
from parties import Clock, refusal
from postgres_server import execute, shared_server

from rp_signing import Reason, StoreError
from rp_signing.ingest.postgres import PostgresEventStore
from rp_signing.ingest.sqlite import SQLiteEventStore

COMMAND = [sys.executable, "-c", "from rp_signing.cli import main; main()"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """Each kind of store, in a place of its own."""
    return KINDS[request.param](tmp_path)


def looking(kind: Kind) -> Any:
    """The same store, opened to look at it."""
    return (SQLiteEventStore if isinstance(kind, KINDS["sqlite"]) else PostgresEventStore)(
        kind.where, Clock(), read_only=True
    )


def messages(store: Any) -> list[str]:
    """The names of the events that a store holds."""
    return [row.message_id for row in store.scan()]


def digest(path: Path) -> str:
    """What stands in a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_whoever_looks_sees_what_is_stored_meanwhile(kind: Kind) -> None:
    """Events that a server commits while somebody looks are there at the next look; and the server is not held up."""
    clock = Clock()
    server = kind.opened(clock)
    server.store(received(1, claim_of("a", clock)), [event("m-1", "{}", MAC)])
    reader = looking(kind)
    assert messages(reader) == ["m-1"]
    pages = reader.scan()
    next(pages)
    server.store(received(2, claim_of("b", clock)), [event("m-2", "{}", MAC)])
    assert (messages(reader), len(reader)) == (["m-1", "m-2"], 2)
    assert reader.last_verified() == server.last_verified() != {}
    reader.close()
    server.close()


def test_whoever_looks_stores_nothing(kind: Kind) -> None:
    """An event store that was opened to look at it refuses what is to be stored."""
    clock = Clock()
    kind.opened(clock).close()
    reader = looking(kind)
    told = refusal(reader.store, received(1, claim_of("a", clock)), [event("m-1", "{}", MAC)])
    assert told.reason == Reason.EVENT_STORE_UNAVAILABLE
    assert len(reader) == 0
    reader.close()


def test_a_file_without_events_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    """A file of another program is named and stays what it was to the byte; one that is not there is not made."""
    file = tmp_path / "events.db"
    with pytest.raises(StoreError, match=r"events\.db cannot be read: unable to open"):
        SQLiteEventStore(file, read_only=True)
    assert not file.exists()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE note (text TEXT)")
    database.close()
    before = digest(file)
    done = subprocess.run([*COMMAND, "events", "list", "--data", tmp_path], capture_output=True, check=False)
    assert (done.returncode, digest(file), list(tmp_path.iterdir())) == (2, before, [file])
    assert b"is no event store: it has no tables of one" in done.stderr


def test_a_copy_is_read_where_nothing_can_be_written_beside_it(tmp_path: Path) -> None:
    """An auditor's copy in a folder that cannot be written to: SQLite can make no log there, and none is needed."""
    clock, file = Clock(), tmp_path / "events.db"
    server = SQLiteEventStore(file, clock)
    server.store(received(1, claim_of("a", clock)), [event("m-1", "{}", MAC)])
    server.close()
    # Whoever runs the tests may write anywhere; a link into nowhere is what nobody can make a file of.
    file.with_name("events.db-wal").symlink_to(tmp_path / "nowhere" / "log")
    reader = SQLiteEventStore(file, read_only=True)
    assert messages(reader) == ["m-1"]
    reader.close()


def test_a_log_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    """What a server has committed may still be in its log alone, so a file is not read without it."""
    clock, file = Clock(), tmp_path / "events.db"
    server = SQLiteEventStore(file, clock)
    server.store(received(1, claim_of("a", clock)), [event("m-1", "{}", MAC)])
    copy = tmp_path / "copy" / "events.db"
    copy.parent.mkdir()
    for name in ("events.db", "events.db-wal"):
        copy.with_name(name).write_bytes(file.with_name(name).read_bytes())
    copy.with_name("events.db-shm").symlink_to(tmp_path / "nowhere" / "index")
    with pytest.raises(StoreError, match="cannot be read"):
        SQLiteEventStore(copy, read_only=True)
    server.close()


def test_the_right_to_select_is_enough() -> None:
    """A PostgreSQL role that may read the two tables, and nothing else, lists the events."""
    url, clock = shared_server().schema(), Clock()
    server = PostgresEventStore(url, clock)
    server.store(received(1, claim_of("a", clock)), [event("m-1", "{}", MAC)])
    server.close()
    schema = url.rpartition("%3D")[2]
    role = f"auditor_{schema}"
    execute(
        url,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT ON rp_event, rp_request TO {role}",
    )
    with_role = f"{url}&user={role}"
    reader = PostgresEventStore(with_role, read_only=True)
    assert messages(reader) == ["m-1"]
    reader.close()
    with pytest.raises(StoreError, match="no event store can be made"):
        PostgresEventStore(with_role)


def test_looking_at_a_database_makes_no_tables() -> None:
    """A PostgreSQL database without the tables is named as that, and has none afterwards."""
    url = shared_server().schema()
    with pytest.raises(StoreError, match="the database is no event store"):
        PostgresEventStore(url, read_only=True)
    assert execute(url, "SELECT count(*) FROM pg_class WHERE relname LIKE 'rp_%' AND pg_table_is_visible(oid)") == [
        (0,)
    ]
