"""Events: the table of SPEC §9, each fault with its index, reason and pointer."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from rp_signing.errors import Reason, VerificationError
from rp_signing.events import (
    MAX_BATCH,
    Batch,
    EventFault,
    EventsRefused,
    Group,
    Identify,
    Track,
    events_of,
    judge_events,
)

TRACK: dict[str, Any] = {"type": "track", "messageId": "m-1", "userId": "u", "event": "Opened"}
GROUP: dict[str, Any] = {"type": "group", "messageId": "m-1", "userId": "u", "groupId": "g"}


def judged(event: Any, route: str = "batch") -> list[tuple[Reason, str]]:
    """Give the reason and the pointer of each fault."""
    return [(fault.reason, fault.pointer) for fault in judge_events(route, [event])]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"anonymousId": "a", "groupId": "g", "traits": {}, "context": {"ip": None}, "properties": {"a": [1.0]}},
        {"userId": "\U0001f600" * 256},
        {"messageId": "aZ09._:-" * 16},
        {"integrity_signature": None},
        {"integrity_signature": 5},
        *({"timestamp": text} for text in (
            "2026-11-23T09:00:00Z",
            "2024-02-29T23:59:59.123456789+23:59",
            "1970-01-01T00:00:00-00:00",
            "9999-12-31T00:00:00.0Z",
        )),
    ],
)  # fmt: skip
def test_an_event_within_the_rules_is_taken(more: dict[str, Any]) -> None:
    """What the table allows is taken, at its edges too; a signature is not looked at here."""
    assert judged({**TRACK, **more}, "track") == []
    assert judged({**GROUP, **more}, "group") == []
    assert judged({**TRACK, **more, "type": "identify"}, "identify") == []


@pytest.mark.parametrize("name", ["userId", "anonymousId", "event", "groupId"])
@pytest.mark.parametrize("value", ["", "\U0001f600" * 257, 5, 5.5, True, None, [], {}])
def test_a_text_that_is_none_is_pointed_at(name: str, value: Any) -> None:
    """Texts are strings of 1 to 256 characters, and nothing is turned into one."""
    assert judged({**TRACK, name: value}) == [(Reason.EVENT_INVALID, f"/{name}")]


@pytest.mark.parametrize("value", ["", "a" * 129, "a b", "a\n", "é", "a/b", 7, None])
def test_a_message_id_has_one_alphabet(value: Any) -> None:
    """A messageId is 1 to 128 of its alphabet, matched whole."""
    assert judged({**TRACK, "messageId": value}) == [(Reason.EVENT_INVALID, "/messageId")]


@pytest.mark.parametrize("name", ["properties", "traits", "context"])
@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_content_is_an_object(name: str, value: Any) -> None:
    """Properties, traits and context are objects."""
    assert judged({**TRACK, name: value}) == [(Reason.EVENT_INVALID, f"/{name}")]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T09:60:00Z",
        "2026-11-23T09:00:60Z",
        "2026-11-23T09:00:00",
        "2026-11-23 09:00:00Z",
        "2026-11-23t09:00:00Z",
        "2026-11-23T09:00:00z",
        "2026-11-23T09:00:00.Z",
        "2026-11-23T09:00:00.0123456789Z",
        "2026-11-23T09:00:00,5Z",
        "2026-11-23T09:00:00+24:00",
        "2026-11-23T09:00:00+0100",
        "2026-11-23T09:00:00Z\n",
        " 2026-11-23T09:00:00Z",
        "٢٠٢٦-11-23T09:00:00Z",
        "2026-11-23",
        "",
        1795424400,
        None,
    ],
)
def test_a_timestamp_has_one_spelling(text: Any) -> None:
    """A timestamp is a date and time that exist, spelled as SPEC has it."""
    assert judged({**TRACK, "timestamp": text}) == [(Reason.EVENT_INVALID, "/timestamp")]


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        ({"messageId": "m", "userId": "u"}, "/type"),
        ({**TRACK, "type": "page"}, "/type"),
        ({**TRACK, "type": None}, "/type"),
        ({**TRACK, "type": ["track"]}, "/type"),
        ({"type": "identify", "userId": "u"}, "/messageId"),
        ({"type": "identify", "messageId": "m"}, "/userId"),
        ({"type": "track", "messageId": "m", "userId": "u"}, "/event"),
        ({"type": "group", "messageId": "m", "userId": "u"}, "/groupId"),
        ({**TRACK, "a/b~c": 1}, "/a~1b~0c"),
        ({**TRACK, "user_id": "u"}, "/user_id"),
        (["track"], ""),
        (None, ""),
        ("track", ""),
    ],
)
def test_what_is_missing_or_too_much_is_pointed_at(event: Any, pointer: str) -> None:
    """A required member is pointed at where it would stand, any other member where it stands."""
    assert judged(event) == [(Reason.EVENT_INVALID, pointer)]


@pytest.mark.parametrize("value", ["high", None, 1])
def test_trust_cannot_be_claimed(value: Any) -> None:
    """Trust is set by the verifier alone."""
    assert judged({**TRACK, "trust": value}) == [(Reason.TRUST_CLAIMED, "/trust")]


def test_a_type_of_another_route_is_a_mismatch() -> None:
    """An event's type is its route's; a batch takes all three."""
    assert judged(GROUP, "track") == [(Reason.TYPE_MISMATCH, "/type")]
    assert judged(GROUP, "group") == judged(GROUP, "batch") == []
    assert judged({**TRACK, "type": "batch"}, "track") == [(Reason.EVENT_INVALID, "/type")]


def test_every_fault_of_every_event_is_named_in_order() -> None:
    """Nobody mends one fault only to be told of the next."""
    faults = judge_events("batch", [{}, TRACK, {**TRACK, "userId": 5, "trust": 1, "x": 1}])
    assert [(fault.index, fault.pointer) for fault in faults] == [
        (0, "/type"),
        (0, "/messageId"),
        (0, "/userId"),
        (2, "/userId"),
        (2, "/trust"),
        (2, "/x"),
    ]


def test_details_say_what_to_write_and_not_what_stood_there() -> None:
    """A detail names what was expected, and never holds the value."""
    (number,) = judge_events("track", [{**TRACK, "userId": 90210}])
    assert number.detail == "userId must be a string of 1 to 256 characters; this is a number: send it as a string"
    (unix,) = judge_events("track", [{**TRACK, "timestamp": 1700000000}])
    assert unix.detail.endswith("a date and time that exist; this is a number: write the time out")
    (long,) = judge_events("track", [{**TRACK, "event": "hush" * 100}])
    assert "of length 400" in long.detail
    (null,) = judge_events("track", [{**TRACK, "event": None}])
    assert "leave it out" in null.detail
    (python,) = judge_events("track", [{**TRACK, "user_id": "hush"}])
    assert "userId" in python.detail
    assert not any("hush" in fault.detail or "90210" in fault.detail for fault in (number, long, null, python))


def test_a_fault_is_told_with_its_public_code() -> None:
    """What stands in a problem document is the public code."""
    fault = EventFault(3, Reason.KEY_ID_UNKNOWN, "/a", "why")
    assert fault.document() == {"index": 3, "reason": "signature_invalid", "pointer": "/a", "detail": "why"}


def test_a_batch_gives_its_events_untouched() -> None:
    """What is judged is what was parsed: the very same objects."""
    events = [TRACK, {"anything": [1.0]}, 7]
    given = events_of("batch", {"batch": events, "sentAt": "2026-11-23T09:00:00Z"})
    assert all(one is other for one, other in zip(given, events, strict=True))
    assert events_of("track", 7) == [7]
    before = {**TRACK, "properties": {"total": 50.0, "big": 1e300, "deep": {"a": None}}}
    kept = repr(before)
    assert judge_events("track", [before]) == []
    assert repr(before) == kept


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ([], ""),
        (None, ""),
        ({}, "/batch"),
        ({"batch": []}, "/batch"),
        ({"batch": {}}, "/batch"),
        ({"batch": None}, "/batch"),
        ({"batch": [TRACK], "sentAt": "today"}, "/sentAt"),
        ({"batch": [TRACK], "sentAt": None}, "/sentAt"),
        ({"batch": [TRACK], "sent_at": "2026-11-23T09:00:00Z"}, "/sent_at"),
        ({"batch": [TRACK], "x": 1}, "/x"),
    ],
)
def test_a_malformed_batch_is_refused(payload: Any, pointer: str) -> None:
    """The envelope has its rules too; the pointer is into the payload."""
    with pytest.raises(EventsRefused) as caught:
        events_of("batch", payload)
    assert [(e.index, e.reason, e.pointer) for e in caught.value.errors] == [(0, Reason.EVENT_INVALID, pointer)]


def test_a_batch_that_is_too_long_says_both_numbers() -> None:
    """1,000 events are taken, 1,001 are not, and the refusal says so."""
    assert len(events_of("batch", {"batch": [TRACK] * MAX_BATCH})) == MAX_BATCH
    with pytest.raises(VerificationError, match=r"1,001 events, the limit is 1,000") as caught:
        events_of("batch", {"batch": [TRACK] * (MAX_BATCH + 1)})
    assert caught.value.reason is Reason.BATCH_TOO_LONG


def test_the_refusal_of_events_names_each() -> None:
    """Its str names every event with index, reason and pointer; what it is as a whole is its first fault."""
    faults = judge_events("batch", [TRACK, {**TRACK, "userId": 5}, 7])
    error = EventsRefused(faults)
    assert (error.reason, error.pointer, error.detail) == (faults[0].reason, "/userId", faults[0].detail)
    assert "event 1: event_invalid at /userId: " in str(error)
    assert "event 2: event_invalid at its root: " in str(error)
    assert pickle.loads(pickle.dumps(error)).errors == faults  # noqa: S301 - our own bytes


def test_models_take_both_spellings_and_write_one() -> None:
    """In Python user_id and userId both do; on the wire it is camelCase, and only what was given."""
    properties = {"total": 49.0}
    model = Track(user_id="u", event="Opened", properties=properties, message_id="m-1")
    assert model == Track(userId="u", event="Opened", properties=properties, messageId="m-1")
    assert model.to_wire() == {**TRACK, "properties": {"total": 49.0}}
    assert model.to_wire()["properties"] is properties
    assert Group(user_id="u", group_id="g", messageId="m-1").to_wire() == GROUP
    assert Identify(anonymous_id="a").to_wire() == {"type": "identify", "anonymousId": "a"}
    assert Batch(batch=[TRACK], sent_at="2026-11-23T09:00:00Z").sent_at == "2026-11-23T09:00:00Z"


@pytest.mark.parametrize("wrong", [{}, {"user_id": 5}, {"user_id": "u", "trust": "high"}, {"user_id": None}])
def test_models_refuse_what_the_wire_refuses(wrong: dict[str, Any]) -> None:
    """A model that breaks a rule is not made, and its error does not show the value."""
    with pytest.raises(ValidationError):
        Track(event="Opened", **wrong)
    with pytest.raises(ValidationError) as caught:
        Track(user_id="u", event="hush" * 100)
    assert "hush" not in str(caught.value)
