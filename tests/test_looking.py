"""Looking at stored events changes nothing: `events list`, `events audit`, and the stores that they read."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from click.testing import CliRunner, Result
from event_store_kinds import event, received
from parties import refusal
from postgres_server import execute, shared_server
from serving_process import serving_process, write_keys

from rp_signing import Reason, StoreError
from rp_signing.cli.commands import commands
from rp_signing.ingest.postgres import PostgresEventStore
from rp_signing.ingest.sqlite import SQLiteEventStore

COMMANDS = ("list", "audit")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a keys file, and a data folder with a closed store of one unsigned event."""
    write_keys(tmp_path)
    (tmp_path / "data").mkdir()
    store = SQLiteEventStore(tmp_path / "data" / "events.db")
    store.store(received(1), [event("m-1", '{"messageId":"m-1","type":"track"}')])
    store.close()
    return tmp_path


@pytest.fixture
def url() -> str:
    """What stands for an empty database."""
    return shared_server().schema()


def looked(folder: Path, command: str, *where: str) -> Result:
    """What `events list` or `events audit` says of a place."""
    keys = ["--keys", str(folder / "keys.json")] if command == "audit" else []
    return CliRunner().invoke(commands, ["events", command, *keys, *where, "--json"])


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a folder: its bytes, and when it was written last."""
    return {one.name: (one.read_bytes(), one.stat().st_mtime_ns) for one in folder.iterdir()}


def crashed(folder: Path) -> Path:
    """What a process leaves that stored an event and was killed: the log is not in the file yet."""
    data = folder / "crashed"
    data.mkdir()
    code = (
        "import os, sys; from event_store_kinds import event, received\n"
        "from rp_signing.ingest.sqlite import SQLiteEventStore\n"
        "store = SQLiteEventStore(sys.argv[1]); store.store(received(1), [event('m-1')]); os._exit(0)"
    )
    arguments = [sys.executable, "-c", code, str(data / "events.db")]
    subprocess.run(arguments, check=True, timeout=60, cwd=Path(__file__).parent)
    assert (data / "events.db-wal").stat().st_size
    return data


@pytest.mark.parametrize("command", COMMANDS)
def test_a_copy_is_read_and_left_as_it_is(folder: Path, command: str) -> None:
    """A file that nobody has open is read without a file made beside it, and without a byte changed."""
    before = state(folder / "data")
    assert looked(folder, command, "--data", str(folder / "data")).exit_code == 0
    assert state(folder / "data") == before
    assert set(before) == {"events.db"}


def test_what_a_crash_left_is_read_and_left_as_it_is(folder: Path) -> None:
    """Events that are in the log alone are seen, and neither the log nor its index is written to."""
    data = crashed(folder)
    before = state(data)
    done = looked(folder, "list", "--data", str(data))
    assert [row["message_id"] for row in json.loads(done.stdout)] == ["m-1"]
    assert state(data) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_half_a_copy_is_named(folder: Path, command: str) -> None:
    """A log without its index cannot be read without making one: exit 2, what to copy, and nothing made."""
    data = crashed(folder)
    (data / "events.db-shm").unlink()
    before = state(data)
    done = looked(folder, command, "--data", str(data))
    assert (done.exit_code, "a -wal and no -shm beside it: copy all three" in done.stderr) == (2, True)
    assert state(data) == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_foreign_file_is_named_and_left_as_it_is(folder: Path, command: str, journal: str) -> None:
    """A SQLite file without our tables: exit 2, said so, and byte for byte as it was."""
    data = folder / "foreign"
    data.mkdir()
    with sqlite3.connect(data / "events.db") as database:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("CREATE TABLE theirs (id)")
    database.close()
    before = state(data)
    done = looked(folder, command, "--data", str(data))
    assert (done.exit_code, "holds no event store" in done.stderr) == (2, True)
    assert state(data) == before


def test_a_running_server_is_read_and_not_disturbed(folder: Path) -> None:
    """While `serve` has the file open, each look shows what it has stored, and it goes on storing."""
    with serving_process(folder, "--data", "data") as served:
        for number in range(2, 12):
            assert served.send(f"m-{number}").status == 202
            done = looked(folder, "audit", "--data", str(folder / "data"))
            assert (done.exit_code, json.loads(done.stdout)["total"]) == (0, number)
    with sqlite3.connect(folder / "data" / "events.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


def test_a_writer_in_the_same_process_keeps_its_locks(tmp_path: Path) -> None:
    """A reader that is opened and closed beside a store takes no lock from it: both go on, and no log is lost."""
    path = tmp_path / "events.db"
    store = SQLiteEventStore(path)
    store.store(received(1), [event("m-1")])
    reader = SQLiteEventStore(path, read_only=True)
    store.store(received(2), [event("m-2")])
    assert [row.message_id for row in reader.scan()] == ["m-1", "m-2"]
    reader.close()
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM rp_event').fetchall()"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
    store.store(received(3), [event("m-3")])
    assert len(store) == 3
    store.close()


def test_a_writer_that_comes_meanwhile_is_noticed(folder: Path) -> None:
    """What was opened as a file at rest is not read on when a writer has opened it, and can be opened once more."""
    path = folder / "data" / "events.db"
    reader = SQLiteEventStore(path, read_only=True)
    assert len(reader) == 1
    store = SQLiteEventStore(path)
    with pytest.raises(StoreError, match="opened by a writer meanwhile; look once more"):
        reader.find()
    reader.close()
    again = SQLiteEventStore(path, read_only=True)
    assert len(again) == 1
    again.close()
    store.close()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """To read what is not there is a StoreError, and makes neither file nor folder."""
    for path in (tmp_path / "events.db", tmp_path / "none" / "events.db"):
        with pytest.raises(StoreError, match="cannot be opened"):
            SQLiteEventStore(path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_signs_of_a_url_is_a_name(folder: Path) -> None:
    """A path that holds ``?``, ``#`` and ``%`` names the file that it names."""
    data = folder / "what? 100%#1"
    shutil.copytree(folder / "data", data)
    assert looked(folder, "list", "--data", str(data)).exit_code == 0
    assert set(state(data)) == {"events.db"}


def reader_of(url: str) -> str:
    """The URL of the same schema for a role that may SELECT, and nothing else."""
    ((schema,),) = execute(url, "SELECT current_schema()")
    role = f"reader_{schema}"
    execute(
        url,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
    )
    parts = urlsplit(url)
    assert parts.username
    return url.replace(f"//{quote(parts.username)}", f"//{role}", 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_role_that_may_only_select_will_do(folder: Path, url: str, command: str) -> None:
    """With SELECT and nothing else, the events of a database are listed and audited."""
    store = PostgresEventStore(url)
    store.store(received(1), [event("m-1", '{"messageId":"m-1","type":"track"}')])
    store.close()
    done = looked(folder, command, "--events", reader_of(url))
    assert (done.exit_code, "m-1" in done.stdout or '"total": 1' in done.stdout) == (0, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_table_is_made_by_looking(folder: Path, url: str, command: str) -> None:
    """A database without our tables: exit 2, said so, and there is still nothing in it."""
    done = looked(folder, command, "--events", url)
    assert (done.exit_code, "holds no event store" in done.stderr) == (2, True)
    assert execute(url, "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace") == [(0,)]


def test_a_store_that_is_opened_to_read_stores_nothing(folder: Path, url: str) -> None:
    """`store` on a store opened to read is event_store_unavailable, and leaves nothing."""
    PostgresEventStore(url).close()
    for store in (
        PostgresEventStore(url, read_only=True),
        SQLiteEventStore(folder / "data" / "events.db", read_only=True),
    ):
        before = len(store)
        assert refusal(store.store, received(2), [event("m-2")]).reason is Reason.EVENT_STORE_UNAVAILABLE
        assert len(store) == before
        store.close()
