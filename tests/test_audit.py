"""The audit: every stored event verified again from its evidence (SPEC §6.2, KEY-6)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import corpus
import pytest
from parties import NOW, OLD, OTHER_API_KEY, STRANGER, UNSIGNED_API_KEY, Clock, signer
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, Secret, canonicalize, parse, sign_event
from rp_signing.ingest.audit import AuditReport, Verdict, audit
from rp_signing.ingest.judge import judge
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.ingest.store import ReceivedRequest
from rp_signing.keys import ApiKey, RetiredSecret
from rp_signing.verifier import Unsigned, Verifier
from rp_signing.wire import signing_input

NUMBERS = count(1)


def keys(*entries: ApiKey) -> Keyring:
    """The keyring of most tests, with these entries in the place of its own."""
    usual = {API_KEY: ApiKey(API_KEY, [SECRET, OLD]), UNSIGNED_API_KEY: ApiKey(UNSIGNED_API_KEY)}
    texts = {entry.api_key_id: text for text, entry in usual.items()}
    return Keyring(usual | {texts[entry.api_key_id]: entry for entry in entries})


class Sender:
    """Stores events as the endpoint does, without the network."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.store = SQLiteEventStore(path, self.clock)

    def send(self, *events: dict[str, Any], secret: str | None = SECRET, key_id: bool = True) -> None:
        """Send a batch; unsigned without a secret."""
        api_key = API_KEY if secret else UNSIGNED_API_KEY
        whole = {"batch": [sign_event(event, api_key=api_key, secret=secret) if secret else event for event in events]}
        body = canonicalize(whole)
        headers = {"X-RP-Api-Key": api_key}
        if secret:
            sender = signer(self.clock, secret)
            sender._nonce = lambda: f"{next(NUMBERS):022d}"
            headers = sender.sign(body)
            if not key_id:
                body, headers = self._without_key_id(body, headers, secret)
        outcome = Verifier(keys(), nonces=None, clock=self.clock).admit(headers, body)
        claim = None if isinstance(outcome, Unsigned) else outcome
        entry = keys().find(api_key)
        assert entry is not None
        number = f"{next(NUMBERS):032x}"
        request = ReceivedRequest(number, "batch", int(self.clock()), entry.api_key_id, entry.live, claim)
        self.store.store(request, judge("batch", parse(body), claim, entry))

    def _without_key_id(self, body: bytes, headers: dict[str, str], secret: str) -> tuple[bytes, dict[str, str]]:
        headers.pop("X-RP-Key-Id")
        lines = signing_input(
            "request",
            keys().find(API_KEY).api_key_id,  # type: ignore[union-attr]
            None,
            headers["X-RP-Timestamp"],
            headers["X-RP-Nonce"],
            len(body),
            sha256(body).hexdigest(),
        )
        return body, headers | {"X-RP-Signature": "sha256=" + Secret(secret).mac(lines).hex()}

    def spoil(self, change: str, *values: Any) -> None:
        """Alter the file behind the store's back."""
        with sqlite3.connect(self.path) as database:
            assert database.execute(change, values).rowcount
        database.close()

    def audit(self, *entries: ApiKey, **options: Any) -> AuditReport:
        """Run the audit with the usual keys, or these in their place."""
        return audit(self.store, keys(*entries), **options)


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    """A sender and its store."""
    sender = Sender(tmp_path / "events.db")
    yield sender
    sender.store.close()


def track(message_id: str = "m-1") -> dict[str, Any]:
    """A small event."""
    return {"type": "track", "messageId": message_id, "userId": "u", "event": "Paid", "properties": {"total": 49.9}}


def counted(report: AuditReport) -> dict[str, int]:
    """The verdicts that were given, and how often."""
    return {verdict.value: number for verdict, number in report.counts.items() if number}


def test_the_corpus_verifies(sender: Sender) -> None:
    """Every event of the corpus, signed under either secret or unsigned, verifies at rest."""
    events = corpus.events(240)
    sender.send(*events[:120])
    sender.send(*events[120:180], secret=OLD)
    sender.send(*events[180:200], key_id=False)
    sender.send(*events[200:], secret=None)
    report = sender.audit()
    assert counted(report) == {"verified": 200, "unsigned": 40}
    assert report.ok
    assert (report.bad, report.total) == ([], 240)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("UPDATE rp_event SET content = replace(content, '49.9', '59.9')", "not what the integrity_signature covers"),
        ("UPDATE rp_event SET content = replace(content, '49.9', '49.90')", "not in the canonical form"),
        ("UPDATE rp_event SET content = replace(content, 'Paid', '')", "not what the integrity_signature covers"),
        ("UPDATE rp_event SET content = content || ' '", "not in the canonical form"),
        ("UPDATE rp_event SET content = 'gone'", "no strict JSON any more: payload_not_json"),
        ("UPDATE rp_event SET content = CAST(x'22ff22' AS TEXT)", "no strict JSON any more"),
        ("UPDATE rp_event SET content = '[]'", "not in the canonical form of an event"),
        ("UPDATE rp_event SET message_id = 'm-2'", "column of messageId"),
        ("UPDATE rp_event SET type = 'group'", "column of type"),
        ("UPDATE rp_event SET integrity_signature = NULL", "gone or malformed"),
        ("UPDATE rp_event SET integrity_signature = upper(integrity_signature)", "gone or malformed"),
        ("UPDATE rp_event SET integrity_signature = 'sha256=' || hex(zeroblob(32))", "not what the integrity"),
        ("UPDATE rp_event SET key_id = NULL", "key id is gone"),
        ("UPDATE rp_event SET live = 1", "live of a test api key"),
        ("UPDATE rp_event SET received_at = received_at + 1", "another api key, trust or time"),
        ("UPDATE rp_event SET trust = 'standard'", "another api key, trust or time"),
        ("UPDATE rp_event SET request = 99", "row of its request is gone"),
        ("DELETE FROM rp_request", "row of its request is gone"),
        ("UPDATE rp_request SET signature = NULL", "signature of its request is gone"),
        ("UPDATE rp_request SET signature = 'sha256=' || hex(zeroblob(32))", "kept lines of its request"),
        ("UPDATE rp_request SET timestamp = timestamp + 1", "kept lines of its request"),
        ("UPDATE rp_request SET nonce = 'ä'", "not ASCII"),
        ("UPDATE rp_request SET nonce = NULL", "a line of its request is gone"),
        ("UPDATE rp_request SET length = length + 1", "kept lines of its request"),
        ("UPDATE rp_request SET digest = upper(digest)", "kept lines of its request"),
        ("UPDATE rp_request SET sent_key_id = NULL", "kept lines of its request"),
        ("UPDATE rp_request SET sent_key_id = 'x'", "names one key and was verified by another"),
    ],
)
def test_every_alteration_is_seen(sender: Sender, change: str, detail: str) -> None:
    """Whichever column of the evidence is altered, the row is named as altered."""
    sender.send(track())
    sender.spoil(change)
    report = sender.audit()
    assert counted(report) == {"altered": 1}
    assert not report.ok
    assert report.bad[0].verdict is Verdict.ALTERED
    assert detail in report.bad[0].detail


def test_trust_cannot_be_raised_or_lowered(sender: Sender) -> None:
    """A row whose trust was changed in both tables is altered: high has a signature, standard has none."""
    sender.send(track("signed"))
    sender.send(track("unsigned"), secret=None)
    sender.spoil("UPDATE rp_event SET trust = iif(trust = 'high', 'standard', 'high')")
    sender.spoil("UPDATE rp_request SET trust = iif(trust = 'high', 'standard', 'high')")
    assert counted(sender.audit()) == {"altered": 2}


def test_a_trust_that_is_none_is_seen(sender: Sender) -> None:
    """A third word for trust is altered too."""
    sender.send(track())
    sender.spoil("UPDATE rp_event SET trust = 'higher'")
    sender.spoil("UPDATE rp_request SET trust = 'higher'")
    assert counted(sender.audit()) == {"altered": 1}


def test_the_bad_row_is_named_and_the_others_verify(sender: Sender) -> None:
    """One altered row of a batch is named by number and messageId; its neighbours stay verified."""
    sender.send(track("a"), track("b"), track("c"))
    sender.spoil("UPDATE rp_event SET content = replace(content, '49.9', '0') WHERE message_id = 'b'")
    report = sender.audit()
    assert counted(report) == {"verified": 2, "altered": 1}
    assert [(row.row_id, row.message_id, row.verdict) for row in report.bad] == [(2, "b", Verdict.ALTERED)]


def test_an_altered_request_spoils_its_events_alone(sender: Sender) -> None:
    """The evidence of one request speaks for its own events only."""
    sender.send(track("a"), track("b"))
    sender.send(track("c"))
    sender.spoil("UPDATE rp_request SET nonce = 'x' WHERE id = 1")
    report = sender.audit()
    assert [row.message_id for row in report.bad] == ["a", "b"]
    assert counted(report) == {"verified": 1, "altered": 2}


def test_a_key_that_is_missing_is_told_from_alteration(sender: Sender) -> None:
    """Without the secret, or without the api key, a row is key_unavailable and counts as bad."""
    sender.send(track("a"))
    sender.send(track("b"), secret=OLD)
    assert counted(sender.audit(ApiKey(API_KEY, [SECRET]))) == {"verified": 1, "key_unavailable": 1}
    assert counted(sender.audit(ApiKey(API_KEY, [STRANGER]))) == {"key_unavailable": 2}
    report = audit(sender.store, Keyring.of({OTHER_API_KEY: STRANGER}))
    assert counted(report) == {"key_unavailable": 2}
    assert not report.ok


def test_a_retired_secret_verifies_what_came_until_then(sender: Sender) -> None:
    """A retired secret verifies what was received in the second of its until, and nothing later (SPEC KEY-6)."""
    for number, now in enumerate((NOW, NOW + 10, NOW + 11)):
        sender.clock.now = now + 0.9
        sender.send(track(f"m-{number}"), secret=OLD)
    retired = ApiKey(API_KEY, [SECRET], retired=[RetiredSecret(OLD, NOW + 10)])
    report = sender.audit(retired)
    assert counted(report) == {"verified": 2, "key_retired_before": 1}
    assert [(row.message_id, row.verdict) for row in report.bad] == [("m-2", Verdict.KEY_RETIRED_BEFORE)]


def test_the_audit_changes_nothing_and_tells_its_progress(sender: Sender) -> None:
    """Progress comes in steps with the total, ends at the total, and the audit writes nothing."""
    sender.send(*(track(f"a-{number}") for number in range(1_000)))
    sender.send(*(track(f"b-{number}") for number in range(201)))
    steps: list[tuple[int, int]] = []
    before = sender.store._database.total_changes
    report = sender.audit(progress=lambda done, total: steps.append((done, total)))
    assert steps == [(500, 1201), (1000, 1201), (1201, 1201)]
    assert report.counts[Verdict.VERIFIED] == 1201
    assert sender.store._database.total_changes == before


def test_an_empty_store_is_well(sender: Sender) -> None:
    """Nothing stored is nothing bad."""
    report = sender.audit()
    assert report.ok
    assert report.total == 0
