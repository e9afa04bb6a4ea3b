"""The event store of SPEC §9: whole or not at all, once, with its evidence."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from parties import BODY, LIVE_API_KEY, NOW, OTHER, Clock, refusal, signer
from spec_page import API_KEY

from rp_signing import Claim, Keyring, Reason, StoreError, VerificationError, Verifier
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.ingest.store import MessageIdConflict, ReceivedEvent, ReceivedRequest, Stored
from rp_signing.keys import api_key_id

MAC = "sha256=" + "ab" * 32


@pytest.fixture
def clock() -> Clock:
    """The clock of sender and store."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store's file is."""
    return tmp_path / "events.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[SQLiteEventStore]:
    """A new event store."""
    store = SQLiteEventStore(path, clock)
    yield store
    store.close()


def claim_of(nonce: str, clock: Clock) -> Claim:
    """A claim as the gate gives it."""
    sender = signer(clock, OTHER, LIVE_API_KEY)
    sender._nonce = lambda: nonce.rjust(22, "0")
    return Verifier(Keyring.of({LIVE_API_KEY: OTHER}), nonces=None, clock=clock).check(sender.sign(BODY), BODY)


def request(number: int, claim: Claim | None = None, api_key: str = LIVE_API_KEY) -> ReceivedRequest:
    """A request that passed the gate, unsigned unless a claim is given."""
    return ReceivedRequest(f"{number:032x}", "batch", NOW + number, api_key_id(api_key), True, claim)


def event(message_id: str, content: str = "{}", signature: str | None = None) -> ReceivedEvent:
    """An event that passed the gate."""
    return ReceivedEvent(message_id, "track", content, signature, signature and "0" * 16)


def rows(path: Path, query: str) -> list[Any]:
    """What a person reads with plain sqlite3."""
    with sqlite3.connect(path) as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def test_evidence_is_kept_in_plain_columns(store: SQLiteEventStore, path: Path, clock: Clock) -> None:
    """A person with sqlite3 reads the canonical text, the signatures and every field of the eight lines."""
    claim = claim_of("a", clock)
    text = '{"messageId":"m-1","properties":{"größe":"\U0001f6d2"}}'
    assert store.store(request(1, claim), [event("m-1", text, MAC)]) == Stored(1, 0)
    assert rows(path, "SELECT content, integrity_signature, key_id, live, trust, type FROM rp_event") == [
        (text, MAC, "0" * 16, 1, "high", "track")
    ]
    kept = "signature, api_key_id, sent_key_id, timestamp, nonce, length, digest"
    (line,) = rows(path, f"SELECT request_id, received_at, {kept} FROM rp_request")  # noqa: S608
    assert line[:2] == (f"{1:032x}", NOW + 1)
    assert line[2:] == (
        claim.signature,
        claim.api_key_id,
        claim.sent_key_id,
        claim.timestamp,
        claim.nonce,
        claim.length,
        claim.digest,
    )


def test_nonce_and_events_are_one_transaction(store: SQLiteEventStore, path: Path, clock: Clock) -> None:
    """A request whose events conflict leaves nothing: no event, no request, no nonce."""
    store.store(request(1, claim_of("a", clock)), [event("m-1", "{}", MAC)])
    again = claim_of("b", clock)
    with pytest.raises(MessageIdConflict) as caught:
        store.store(request(2, again), [event("m-0", "{}", MAC), event("m-1", "[]", MAC)])
    assert caught.value.indexes == [1]
    counts = (
        "SELECT (SELECT count(*) FROM rp_event), (SELECT count(*) FROM rp_request), (SELECT count(*) FROM rp_nonce)"
    )
    assert rows(path, counts) == [(1, 1, 1)]
    assert store.store(request(3, again), [event("m-2", "{}", MAC)]) == Stored(1, 0)


def test_a_replay_is_refused(store: SQLiteEventStore, clock: Clock) -> None:
    """The same claim a second time is replayed, and its events are not stored."""
    claim = claim_of("a", clock)
    store.store(request(1, claim), [event("m-1", "{}", MAC)])
    assert refusal(store.store, request(2, claim), [event("m-2", "{}", MAC)]).reason is Reason.REPLAYED
    assert len(store) == 1


def test_the_window_is_looked_at_again(store: SQLiteEventStore, clock: Clock) -> None:
    """A claim that waited until its timestamp left the window is refused (SPEC VER-11)."""
    claim = claim_of("a", clock)
    clock.now = NOW + 300.9
    store.store(request(1, claim), [event("m-1", "{}", MAC)])
    clock.now = NOW
    late = claim_of("b", clock)
    clock.now = NOW + 301
    assert refusal(store.store, request(2, late), [event("m-2", "{}", MAC)]).reason is Reason.TIMESTAMP_EXPIRED


def test_a_new_file_takes_requests_at_once(store: SQLiteEventStore, clock: Clock) -> None:
    """Nonces and events share the file, so a new one has no waiting time (SPEC WIN-6)."""
    clock.now = NOW - 300
    old = claim_of("a", clock)
    clock.now = NOW
    assert store.store(request(1, old), [event("m-1", "{}", MAC)]) == Stored(1, 0)


def test_duplicates_are_success(store: SQLiteEventStore) -> None:
    """The same event again, from before or within the batch, is counted and not stored."""
    assert store.store(request(1), [event("a"), event("b"), event("a")]) == Stored(2, 1)
    assert store.store(request(2), [event("b"), event("c"), event("c"), event("c")]) == Stored(1, 3)
    assert [row.message_id for row in store.find()] == ["a", "b", "c"]


def test_every_conflict_is_named(store: SQLiteEventStore) -> None:
    """Each event whose messageId came earlier with other content is named, and nothing of the batch is stored."""
    store.store(request(1), [event("a", "[1]")])
    batch = [event("a", "[2]"), event("b", "[1]"), event("b", "[2]"), event("a", "[1]"), event("b", "[1]")]
    with pytest.raises(MessageIdConflict) as caught:
        store.store(request(2), batch)
    assert caught.value.indexes == [0, 2]
    assert caught.value.reason is Reason.MESSAGE_ID_CONFLICT
    assert len(store) == 1


def test_the_signature_is_no_content(store: SQLiteEventStore, clock: Clock) -> None:
    """An event signed again under a newer secret is a duplicate, not a conflict."""
    store.store(request(1, claim_of("a", clock)), [event("m", "{}", MAC)])
    assert store.store(request(2, claim_of("b", clock)), [event("m", "{}", "sha256=" + "cd" * 32)]) == Stored(0, 1)


def test_api_keys_and_trust_are_apart(store: SQLiteEventStore, clock: Clock) -> None:
    """An unsigned event keeps no signed one out, nor does another api key's (SPEC EVT-8)."""
    store.store(request(1), [event("m", "[1]")])
    assert store.store(request(2, claim_of("a", clock)), [event("m", "[2]", MAC)]) == Stored(1, 0)
    assert store.store(request(3, api_key=API_KEY), [event("m", "[3]")]) == Stored(1, 0)


def test_find_filters_and_pages(store: SQLiteEventStore, clock: Clock) -> None:
    """Events are found by api key id, trust and time of receipt, both ends included, a page at a time."""
    for number in range(1, 6):
        store.store(request(number), [event(f"m-{number}")])
    store.store(request(6, claim_of("a", clock)), [event("signed", "{}", MAC)])
    store.store(request(7, api_key=API_KEY), [event("other")])

    def found(**filters: Any) -> list[str]:
        return [row.message_id for row in store.find(**filters)]

    assert found(api_key_id=api_key_id(API_KEY)) == ["other"]
    assert found(trust="high") == ["signed"]
    assert found(since=NOW + 2, until=NOW + 4) == ["m-2", "m-3", "m-4"]
    first = store.find(limit=3)
    assert [row.message_id for row in first] == ["m-1", "m-2", "m-3"]
    assert found(after=first[-1].row_id, limit=3) == ["m-4", "m-5", "signed"]
    assert found(api_key_id="' OR 1") == []


def test_scan_gives_every_row_over_pages(store: SQLiteEventStore) -> None:
    """A scan gives each row once, also when more are stored meanwhile."""
    store.store(request(1), [event(f"a-{number}") for number in range(1_500)])
    scan = store.scan()
    ids = [next(scan).message_id]
    store.store(request(2), [event(f"b-{number}") for number in range(1_000)])
    ids += [row.message_id for row in scan]
    assert len(ids) == len(set(ids)) == 2_500
    assert [row.message_id for row in store.scan(after=2_499)] == ["b-999"]


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    """A process that is killed right after `store` returned has lost nothing."""
    code = (
        "import os, signal, sys\n"
        "from rp_signing.ingest.sqlite import SQLiteEventStore\n"
        "from rp_signing.ingest.store import ReceivedEvent, ReceivedRequest\n"
        "store = SQLiteEventStore(sys.argv[1])\n"
        "request = ReceivedRequest('r', 'track', 1, '0' * 16, True, None)\n"
        "store.store(request, [ReceivedEvent('m', 'track', '{}', None, None)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    store = SQLiteEventStore(path)
    assert [row.message_id for row in store.find()] == ["m"]
    store.close()


def test_the_file_is_set_to_keep_what_it_acknowledges(store: SQLiteEventStore) -> None:
    """The journal is WAL and every commit is synced."""
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_store_that_fails_refuses(store: SQLiteEventStore, path: Path, clock: Clock) -> None:
    """An error of SQLite is event_store_unavailable with Retry-After, and the nonce is not used up."""
    claim = claim_of("a", clock)
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE rp_event RENAME TO elsewhere")
    error = refusal(store.store, request(1, claim), [event("m", "{}", MAC)])
    assert (error.reason, error.status, error.retry_after) == (Reason.EVENT_STORE_UNAVAILABLE, 503, 1)
    with pytest.raises(StoreError, match="cannot be read"):
        store.find()
    with database:
        database.execute("ALTER TABLE elsewhere RENAME TO rp_event")
    database.close()
    assert store.store(request(1, claim), [event("m", "{}", MAC)]) == Stored(1, 0)


def test_a_full_disk_refuses_and_writes_nothing(store: SQLiteEventStore, clock: Clock) -> None:
    """When the file cannot grow, the batch is refused whole and its nonce can be used again."""
    claim = claim_of("a", clock)
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages + 2}")
    batch = [event(f"m-{number}", '"' + "x" * 4_000 + '"', MAC) for number in range(50)]
    assert refusal(store.store, request(1, claim), batch).reason is Reason.EVENT_STORE_UNAVAILABLE
    assert len(store) == 0
    store._database.execute("PRAGMA max_page_count = 100000")
    assert store.store(request(1, claim), batch) == Stored(50, 0)


def test_a_closed_store_refuses(path: Path) -> None:
    """After close nothing is taken and nothing is read."""
    store = SQLiteEventStore(path)
    store.close()
    assert refusal(store.store, request(1), [event("m")]).reason is Reason.EVENT_STORE_UNAVAILABLE
    with pytest.raises(StoreError):
        list(store.scan())


def test_a_forked_store_refuses(store: SQLiteEventStore) -> None:
    """A child process must not use its parent's connection."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of pytest may run in here
        said = "stored"
        try:
            store.store(request(1), [event("m")])
        except VerificationError as error:
            said = error.reason.value
        try:
            store.find()
        except StoreError:
            said += ", unread"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        assert pipe.read() == "event_store_unavailable, unread"


def test_a_place_that_takes_no_file_is_refused(tmp_path: Path) -> None:
    """A folder that is not there, or a file that is no database, is a StoreError when the store is made."""
    with pytest.raises(StoreError, match="cannot be opened"):
        SQLiteEventStore(tmp_path / "none" / "events.db")
    (tmp_path / "text").write_text("no database, but long enough to be read as the head of one" * 10)
    with pytest.raises(StoreError):
        SQLiteEventStore(tmp_path / "text")


def test_threads_and_processes_share_one_file(store: SQLiteEventStore, path: Path, clock: Clock) -> None:
    """Many writers at once, over two connections: of copies of a request one is taken, and no event is lost."""
    second = SQLiteEventStore(path, clock)
    claims = [claim_of(f"{number}", clock) for number in range(40)]

    def send(number: int) -> str:
        claim = claims[number % 40]
        try:
            (store if number % 2 else second).store(request(number, claim), [event(f"m-{number % 40}", "{}", MAC)])
        except VerificationError as error:
            return error.reason.value
        return "stored"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, [*range(40), *range(41, 81)]))
    second.close()
    assert (outcomes.count("stored"), outcomes.count("replayed")) == (40, 40)
    assert len(store) == 40


def test_the_doctor_finds_nothing_wrong_with_a_new_store(store: SQLiteEventStore) -> None:
    """A store that is well has no findings."""
    assert store.doctor() == []


def test_the_doctor_names_what_is_wrong(store: SQLiteEventStore, path: Path) -> None:
    """A clock that ran ahead, a lost record and another journal mode are each a sentence."""
    store._database.execute("INSERT INTO rp_forgotten VALUES ('0123456789abcdef', ?)", (NOW + 500,))
    store._database.execute("DELETE FROM rp_nonce_store")
    store._database.execute("PRAGMA journal_mode = DELETE")
    findings = "\n".join(store.doctor())
    assert "0123456789abcdef were dropped up to 500 s in the future" in findings
    assert "when the nonce store was born is gone" in findings
    assert "delete, not wal" in findings


def test_text_that_is_no_utf8_is_read_and_shown(store: SQLiteEventStore, path: Path) -> None:
    """A row that somebody spoiled stops neither find nor scan."""
    store.store(request(1), [event("m")])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE rp_event SET content = CAST(x'22ff22' AS TEXT)")
    database.close()
    assert store.find()[0].content == '"\\xff"'
