"""The contract of every event store of SPEC §9: whole or not at all, once, with its evidence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from event_store_kinds import KINDS, MAC, Kind, claim_of, event, received
from parties import NOW, Clock, refusal
from spec_page import API_KEY

from rp_signing import Reason, StoreError, VerificationError
from rp_signing.ingest.store import MessageIdConflict, Stored
from rp_signing.keys import api_key_id


@pytest.fixture
def clock() -> Clock:
    """The clock of sender and store."""
    return Clock()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:  # the name is pytest's
    """Each kind of store, in a place of its own."""
    return KINDS[request.param](tmp_path)


@pytest.fixture
def store(kind: Kind, clock: Clock) -> Iterator[Any]:
    """A new event store."""
    store = kind.opened(clock)
    yield store
    store.close()


def test_evidence_is_kept_in_plain_columns(store: Any, kind: Kind, clock: Clock) -> None:
    """A person with sqlite3 or psql reads the canonical text, the signatures and every field of the eight lines."""
    claim = claim_of("a", clock)
    text = '{"messageId":"m-1","properties":{"größe":"\U0001f6d2"}}'
    assert store.store(received(1, claim), [event("m-1", text, MAC)]) == Stored(1, 0)
    assert kind.rows("SELECT content, integrity_signature, key_id, live, trust, type FROM rp_event") == [
        (text, MAC, "0" * 16, 1, "high", "track")
    ]
    kept = "signature, api_key_id, sent_key_id, timestamp, nonce, length, digest"
    (line,) = kind.rows(f"SELECT request_id, received_at, {kept} FROM rp_request")  # noqa: S608
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


def test_nonce_and_events_are_one_transaction(store: Any, kind: Kind, clock: Clock) -> None:
    """A request whose events conflict leaves nothing: no event, no request, no nonce."""
    store.store(received(1, claim_of("a", clock)), [event("m-1", "{}", MAC)])
    again = claim_of("b", clock)
    with pytest.raises(MessageIdConflict) as caught:
        store.store(received(2, again), [event("m-0", "{}", MAC), event("m-1", "[]", MAC)])
    assert caught.value.indexes == [1]
    counts = (
        "SELECT (SELECT count(*) FROM rp_event), (SELECT count(*) FROM rp_request), (SELECT count(*) FROM rp_nonce)"
    )
    assert kind.rows(counts) == [(1, 1, 1)]
    assert store.store(received(3, again), [event("m-2", "{}", MAC)]) == Stored(1, 0)


def test_a_nonce_that_was_claimed_elsewhere_is_not_claimed_again(store: Any, kind: Kind, clock: Clock) -> None:
    """With a nonce store of its own, the events and the evidence are kept, and no nonce."""
    claim = claim_of("a", clock)
    for number in (1, 2):
        request = received(number, claim)._replace(claimed=True)
        assert store.store(request, [event(f"m-{number}", "{}", MAC)]) == Stored(1, 0)
    assert kind.rows("SELECT (SELECT count(*) FROM rp_nonce), (SELECT count(nonce) FROM rp_request)") == [(0, 2)]


@pytest.mark.parametrize("text", ['"\\u0000"', '"\\"\\\\,{}"', "NULL", '{"é":"\U0001f6d2\u2028"}', ""])
def test_text_is_kept_as_it_is(store: Any, text: str) -> None:
    """Escapes, quotes and what databases take for something else come out as they went in."""
    store.store(received(1), [event("a", text), event("NULL", text)])
    assert [(row.message_id, row.content) for row in store.find()] == [("a", text), ("NULL", text)]
    assert store.store(received(2), [event("NULL", text)]) == Stored(0, 1)


def test_a_replay_is_refused(store: Any, clock: Clock) -> None:
    """The same claim a second time is replayed, and its events are not stored."""
    claim = claim_of("a", clock)
    store.store(received(1, claim), [event("m-1", "{}", MAC)])
    assert refusal(store.store, received(2, claim), [event("m-2", "{}", MAC)]).reason is Reason.REPLAYED
    assert len(store) == 1


def test_the_window_is_looked_at_again(store: Any, clock: Clock) -> None:
    """A claim that waited until its timestamp left the window is refused (SPEC VER-11)."""
    claim = claim_of("a", clock)
    clock.now = NOW + 300.9
    store.store(received(1, claim), [event("m-1", "{}", MAC)])
    clock.now = NOW
    late = claim_of("b", clock)
    clock.now = NOW + 301
    assert refusal(store.store, received(2, late), [event("m-2", "{}", MAC)]).reason is Reason.TIMESTAMP_EXPIRED


def test_a_new_store_takes_requests_at_once(store: Any, clock: Clock) -> None:
    """Nonces and events are made together, so a new store has no waiting time (SPEC WIN-6)."""
    clock.now = NOW - 300
    old = claim_of("a", clock)
    clock.now = NOW
    assert store.store(received(1, old), [event("m-1", "{}", MAC)]) == Stored(1, 0)


def test_duplicates_are_success(store: Any) -> None:
    """The same event again, from before or within the batch, is counted and not stored."""
    assert store.store(received(1), [event("a"), event("b"), event("a")]) == Stored(2, 1)
    assert store.store(received(2), [event("b"), event("c"), event("c"), event("c")]) == Stored(1, 3)
    assert store.store(received(3), [event("z"), event("y"), event("z"), event("x")]) == Stored(3, 1)
    assert [row.message_id for row in store.find()] == ["a", "b", "c", "z", "y", "x"]


def test_every_conflict_is_named(store: Any) -> None:
    """Each event whose messageId came earlier with other content is named, and nothing of the batch is stored."""
    store.store(received(1), [event("a", "[1]")])
    batch = [event("a", "[2]"), event("b", "[1]"), event("b", "[2]"), event("a", "[1]"), event("b", "[1]")]
    with pytest.raises(MessageIdConflict) as caught:
        store.store(received(2), batch)
    assert caught.value.indexes == [0, 2]
    assert caught.value.reason is Reason.MESSAGE_ID_CONFLICT
    assert len(store) == 1


def test_the_signature_is_no_content(store: Any, clock: Clock) -> None:
    """An event signed again under a newer secret is a duplicate, not a conflict."""
    store.store(received(1, claim_of("a", clock)), [event("m", "{}", MAC)])
    assert store.store(received(2, claim_of("b", clock)), [event("m", "{}", "sha256=" + "cd" * 32)]) == Stored(0, 1)


def test_api_keys_and_trust_are_apart(store: Any, clock: Clock) -> None:
    """An unsigned event keeps no signed one out, nor does another api key's (SPEC EVT-8)."""
    store.store(received(1), [event("m", "[1]")])
    assert store.store(received(2, claim_of("a", clock)), [event("m", "[2]", MAC)]) == Stored(1, 0)
    assert store.store(received(3, api_key=API_KEY), [event("m", "[3]")]) == Stored(1, 0)


def test_find_filters_and_pages(store: Any, clock: Clock) -> None:
    """Events are found by api key id, trust and time of receipt, both ends included, a page at a time."""
    for number in range(1, 6):
        store.store(received(number), [event(f"m-{number}")])
    store.store(received(6, claim_of("a", clock)), [event("signed", "{}", MAC)])
    store.store(received(7, api_key=API_KEY), [event("other")])

    def found(**filters: Any) -> list[str]:
        return [row.message_id for row in store.find(**filters)]

    assert found(api_key_id=api_key_id(API_KEY)) == ["other"]
    assert found(trust="high") == ["signed"]
    assert found(since=NOW + 2, until=NOW + 4) == ["m-2", "m-3", "m-4"]
    first = store.find(limit=3)
    assert [row.message_id for row in first] == ["m-1", "m-2", "m-3"]
    assert found(after=first[-1].row_id, limit=3) == ["m-4", "m-5", "signed"]
    assert found(api_key_id="' OR 1") == []


def test_scan_gives_every_row_over_pages(store: Any) -> None:
    """A scan gives each row once, also when more are stored meanwhile."""
    store.store(received(1), [event(f"a-{number}") for number in range(1_500)])
    scan = store.scan()
    ids = [next(scan).message_id]
    store.store(received(2), [event(f"b-{number}") for number in range(1_000)])
    ids += [row.message_id for row in scan]
    assert len(ids) == len(set(ids)) == 2_500
    assert [row.message_id for row in store.scan(after=2_499)] == ["b-999"]


def test_what_was_acknowledged_survives_a_kill(kind: Kind) -> None:
    """A process that is killed right after `store` returned has lost nothing."""
    code = (
        "import os, signal, sys\n"
        f"from {kind.module} import {kind.name} as Store\n"
        "from rp_signing.ingest.store import ReceivedEvent, ReceivedRequest\n"
        "store = Store(sys.argv[1])\n"
        "request = ReceivedRequest('r', 'track', 1, '0' * 16, True, None)\n"
        "store.store(request, [ReceivedEvent('m', 'track', '{}', None, None)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, kind.where], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    store = kind.opened()
    assert [row.message_id for row in store.find()] == ["m"]
    store.close()


def test_a_closed_store_refuses(kind: Kind) -> None:
    """After close nothing is taken and nothing is read."""
    store = kind.opened()
    store.close()
    assert refusal(store.store, received(1), [event("m")]).reason is Reason.EVENT_STORE_UNAVAILABLE
    with pytest.raises(StoreError):
        list(store.scan())


def test_a_forked_store_refuses(store: Any) -> None:
    """A child process must not use its parent's connection."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of pytest may run in here
        said = "stored"
        try:
            store.store(received(1), [event("m")])
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


def test_many_writers_share_one_place(store: Any, kind: Kind, clock: Clock) -> None:
    """Many writers at once, over two stores: of copies of a request one is taken, and no event is lost."""
    second = kind.opened(clock)
    claims = [claim_of(f"{number}", clock) for number in range(40)]

    def send(number: int) -> str:
        claim = claims[number % 40]
        try:
            (store if number % 2 else second).store(received(number, claim), [event(f"m-{number % 40}", "{}", MAC)])
        except VerificationError as error:
            return error.reason.value
        return "stored"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, [*range(40), *range(41, 81)]))
    second.close()
    assert (outcomes.count("stored"), outcomes.count("replayed")) == (40, 40)
    assert len(store) == 40


def test_the_doctor_finds_nothing_wrong_with_a_new_store(store: Any, clock: Clock) -> None:
    """A store that is well has no findings."""
    clock.now = time.time()
    assert store.doctor() == []
