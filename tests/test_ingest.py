"""The ingest endpoint over a real socket: what is taken, and what becomes of it (SPEC §9)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import corpus
import pytest
from ingested import DOCUMENT, JSON, Endpoint, endpoint, keyring_without, listening, signed, track
from parties import LIVE_API_KEY, NOW, OLD, OTHER, UNSIGNED_API_KEY, Clock
from served import ask, serving
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, canonicalize, parse
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.audit import Verdict, audit
from rp_signing.keyfile import keyring_of
from rp_signing.keys import api_key_id


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Endpoint]:
    """An endpoint with an empty store."""
    with endpoint(tmp_path) as served:
        yield served


def test_a_signed_event_is_stored_with_trust_high(served: Endpoint) -> None:
    """A signed request gets 202 and a receipt, and the event is in the store with its evidence."""
    served.clock.now = NOW + 0.75
    event = signed(track())
    answer = served.send("track", event)
    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    request_id = answer.document.pop("request_id")
    assert answer.document == {
        "stored": 1,
        "duplicates": 0,
        "trust": "high",
        "received_at": NOW,
        "server_time": NOW,
    }
    (row,) = served.store.find()
    assert row.content == canonicalize(track()).decode()
    assert row.integrity_signature == event["integrity_signature"]
    assert (row.trust, row.live, row.received_at) == ("high", False, NOW)
    assert row.request is not None
    assert (row.request.request_id, row.request.route) == (request_id, "track")
    assert row.request.signature is not None


def test_the_corpus_is_stored_byte_for_byte_one_by_one(served: Endpoint) -> None:
    """Each of 240 varied events, sent alone to its route, is stored as exactly its canonical bytes."""
    events = corpus.events(240)
    for event in events:
        answer = served.send(str(event["type"]), signed(event))
        assert (answer.status, answer.document["stored"]) == (202, 1), answer.document
    assert served.contents() == [canonicalize(event).decode() for event in events]
    assert audit(served.store, keyring_of(DOCUMENT)).ok


@pytest.mark.parametrize("size", [1, 17, 240])
def test_the_corpus_is_stored_byte_for_byte_in_batches(served: Endpoint, size: int) -> None:
    """The same in batches of any size, and the audit verifies every row again."""
    events = corpus.events(240)
    for _, group in groupby(enumerate(events), lambda pair: pair[0] // size):
        batch = [signed(event) for _, event in group]
        answer = served.send("batch", {"batch": batch, "sentAt": "2026-11-23T09:00:00Z"})
        assert (answer.status, answer.document["stored"]) == (202, len(batch)), answer.document
    assert served.contents() == [canonicalize(event).decode() for event in events]
    report = audit(served.store, keyring_of(DOCUMENT))
    assert report.counts[Verdict.VERIFIED] == 240
    assert report.ok


def test_the_corpus_is_stored_unsigned_too(served: Endpoint) -> None:
    """Where no signature is required, the same events are stored as standard, without any."""
    events = corpus.events(240)
    answer = served.send_unsigned("batch", {"batch": events})
    assert (answer.status, answer.document["trust"]) == (202, "standard")
    assert served.contents() == [canonicalize(event).decode() for event in events]
    assert {(row.trust, row.integrity_signature, row.key_id) for row in served.store.scan()} == {
        ("standard", None, None)
    }


def test_a_body_need_not_be_canonical(served: Endpoint) -> None:
    """What was signed is the body as sent; what is stored is the canonical form of its events."""
    event = signed(track(properties={"b": 1.0, "a": "\u00e9"}))
    body = b'{ "properties": {"b": 1.0, "a": "\\u00e9"},\n' + canonicalize(
        {name: value for name, value in event.items() if name != "properties"}
    ).removeprefix(b"{")
    assert ask(f"{served.url}/v1/track", body, served.headers(body)).status == 202
    assert served.contents() == [canonicalize(track(properties={"a": "\u00e9", "b": 1})).decode()]


def test_a_retry_is_idempotent(served: Endpoint) -> None:
    """The same event in a new request is a duplicate and success; within a batch too."""
    served.send("track", signed(track()))
    answer = served.send("track", signed(track()))
    assert (answer.status, answer.document["stored"], answer.document["duplicates"]) == (202, 0, 1)
    answer = served.send("batch", {"batch": [signed(track()), signed(track("m-2")), signed(track("m-2"))]})
    assert (answer.document["stored"], answer.document["duplicates"]) == (1, 2)


def test_a_replay_is_refused(served: Endpoint) -> None:
    """The very same request again is replayed, over the whole window."""
    body = canonicalize(signed(track()))
    headers = served.headers(body)
    assert ask(f"{served.url}/v1/track", body, headers).status == 202
    for now in (NOW, NOW + 300):
        served.clock.now = now
        answer = ask(f"{served.url}/v1/track", body, headers)
        assert (answer.status, answer.document["code"]) == (409, "replayed")
    served.clock.now = NOW + 301
    assert ask(f"{served.url}/v1/track", body, headers).document["code"] == "timestamp_expired"
    assert len(served.store) == 1


def test_copies_at_once_are_taken_once(served: Endpoint) -> None:
    """Of twenty copies that arrive together one is stored."""
    body = canonicalize(signed(track()))
    headers = served.headers(body)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(f"{served.url}/v1/track", body, headers), range(20)))
    codes = [answer.document.get("code", "stored") for answer in answers]
    assert (codes.count("stored"), codes.count("replayed")) == (1, 19)


def test_a_batch_may_cross_a_rotation(served: Endpoint) -> None:
    """Events signed under an older active secret are taken, and each row keeps the key that verified it."""
    batch = [signed(track("new")), signed(track("old"), OLD)]
    assert served.send("batch", {"batch": batch}).document["stored"] == 2
    assert len({row.key_id for row in served.store.find()}) == 2


def test_an_unsigned_request_is_standard_where_it_is_allowed(served: Endpoint) -> None:
    """An api key that has a secret and does not require it takes both, apart from one another."""
    unsigned = served.send_unsigned("track", track(), LIVE_API_KEY)
    high = served.send("track", signed(track(event="Other"), OTHER, LIVE_API_KEY), LIVE_API_KEY)
    assert [answer.document["trust"] for answer in (unsigned, high)] == ["standard", "high"]
    assert [row.trust for row in served.store.find(api_key_id=api_key_id(LIVE_API_KEY))] == ["standard", "high"]


def test_a_keyring_can_be_replaced_while_serving(served: Endpoint) -> None:
    """After `use`, the next request is judged by the new keyring: a retired secret passes no more."""
    event = signed(track(), OLD)
    body = canonicalize(event)
    assert ask(f"{served.url}/v1/track", body, served.headers(body, secret=OLD)).status == 202
    keyring = keyring_without(SECRET)
    served.app.use(keyring)
    assert served.app.keyring is keyring
    answer = ask(f"{served.url}/v1/track", body, served.headers(body, secret=OLD))
    assert (answer.status, answer.document["code"]) == (401, "signature_invalid")
    assert served.send("track", event).document["errors"][0]["reason"] == "event_signature_mismatch"
    with pytest.raises(TypeError, match="must be a Keyring"):
        served.app.use({})  # type: ignore[arg-type]


def test_every_bad_event_of_a_batch_is_named(served: Endpoint) -> None:
    """A batch with bad events is refused whole; rules and signatures are named at once, in order of index."""
    batch = [
        signed(track("good")),
        {**signed(track("altered")), "event": "Order Refunded"},
        signed(track("extra", plan="pro")),
        track("bare"),
        "no object",
        {**track("null"), "integrity_signature": None},
        {**signed(track("trusted")), "trust": "high"},
    ]
    answer = served.send("batch", {"batch": batch})
    assert answer.status == 422
    named = [(error["index"], error["reason"], error["pointer"]) for error in answer.document["errors"]]
    assert named == [
        (1, "event_signature_mismatch", "/integrity_signature"),
        (2, "event_invalid", "/plan"),
        (3, "event_signature_missing", "/integrity_signature"),
        (4, "event_invalid", ""),
        (5, "event_signature_mismatch", "/integrity_signature"),
        (6, "trust_claimed", "/trust"),
    ]
    assert (answer.document["code"], answer.document["pointer"]) == named[0][1:]
    assert all(error["detail"] for error in answer.document["errors"])
    assert len(served.store) == 0


def test_every_conflict_of_a_batch_is_named(served: Endpoint) -> None:
    """A messageId with other content is refused with its index; nothing is stored, and the nonce is not used up."""
    served.send("batch", {"batch": [signed(track("a")), signed(track("b"))]})
    batch = [signed(track("a")), signed(track("b", event="Other")), signed(track("c")), signed(track("c", event="X"))]
    body = canonicalize({"batch": batch})
    headers = served.headers(body)
    for _ in range(2):
        answer = ask(f"{served.url}/v1/batch", body, headers)
        assert (answer.status, answer.document["code"]) == (409, "message_id_conflict")
        named = [(error["index"], error["reason"], error["pointer"]) for error in answer.document["errors"]]
        assert named == [(1, "message_id_conflict", "/messageId"), (3, "message_id_conflict", "/messageId")]
    assert len(served.store) == 2


@pytest.mark.parametrize("value", [None, "", "sha256=" + "0" * 64, "right"])
def test_an_unsigned_request_carries_no_event_signature(served: Endpoint, value: Any) -> None:
    """A signed event in an unsigned request is refused, never downgraded: whatever the member holds."""
    right = signed(track(), OTHER, LIVE_API_KEY)
    event = right if value == "right" else {**track(), "integrity_signature": value}
    answer = served.send_unsigned("batch", {"batch": [track("m-0"), event]}, LIVE_API_KEY)
    assert (answer.status, answer.document["code"]) == (401, "signature_missing")
    assert answer.document["errors"][0]["index"] == 1
    assert len(served.store) == 0


def test_a_request_refused_for_its_payload_leaves_no_nonce(served: Endpoint) -> None:
    """The same bad bytes get the same answer again (SPEC VER-12)."""
    body = canonicalize(track(plan="pro"))
    headers = served.headers(body)
    answers = [ask(f"{served.url}/v1/track", body, headers).document["code"] for _ in range(2)]
    assert answers == ["event_invalid", "event_invalid"]


def test_an_application_under_a_path_finds_its_routes(tmp_path: Path) -> None:
    """Mounted under a root path, the routes are below that."""
    with endpoint(tmp_path) as served:

        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            await served.app({**scope, "root_path": "/events"} if scope["type"] == "http" else scope, receive, send)

        with serving(mounted) as url:
            body = canonicalize(signed(track()))
            assert ask(f"{url}/events/v1/track", body, served.headers(body)).status == 202


def test_success_is_logged_without_credentials(served: Endpoint) -> None:
    """A stored request is logged with its public ids; neither api key, secret nor MAC is."""
    body = canonicalize(signed(track()))
    headers = served.headers(body)
    with listening() as heard:
        ask(f"{served.url}/v1/track", body, headers)
    (record,) = heard.records
    assert (record.getMessage(), record.__dict__["trust"], record.__dict__["stored"]) == ("stored", "high", 1)
    assert record.__dict__["api_key_id"] == api_key_id(API_KEY)
    for hidden in (API_KEY, SECRET, headers["X-RP-Signature"][7:], parse(body)["integrity_signature"][7:]):
        assert hidden not in heard.text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"body_timeout": 0}, "body_timeout"),
        ({"body_timeout": float("nan")}, "body_timeout"),
        ({"max_body": -1}, "max_body"),
        ({"past": 1.5}, "past"),
        ({"future": "60"}, "future"),
    ],
)
def test_misconfiguration_fails_at_construction(options: dict[str, Any], message: str) -> None:
    """An argument that makes no sense is refused when the application is made."""
    with pytest.raises(ValueError, match=message):
        Ingest(Keyring.of({UNSIGNED_API_KEY: []}), None, clock=Clock(), **options)  # type: ignore[arg-type]


def test_json_with_a_charset_is_json(served: Endpoint) -> None:
    """`charset=utf-8`, in any case and quoted, is the same media type."""
    for number, charset in enumerate(("charset=utf-8", 'Charset="UTF-8"')):
        body = canonicalize(signed(track(f"m-{number}")))
        headers = served.headers(body) | JSON | {"Content-Type": f"Application/JSON ; {charset}"}
        assert ask(f"{served.url}/v1/track", body, headers).status == 202
