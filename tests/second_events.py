"""The second implementation: the rules of events and batches, written from SPEC.md §9 alone."""

from __future__ import annotations

import calendar
import re
from typing import Any

from second_event_signature import verified_event
from second_json import Refused, pointer_of, read

TYPES = ("track", "identify", "group")
TEXTS = ("userId", "anonymousId", "event", "groupId")
OBJECTS = ("properties", "traits", "context")
MESSAGE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
STAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.[0-9]{1,9})?(?:Z|[+-]([0-9]{2}):([0-9]{2}))"
)
NEEDED = {"track": ("event",), "group": ("groupId",)}
LARGEST_BATCH = 1000
LONGEST = 256
Fault = tuple[str, str]


def is_time(value: Any) -> bool:
    """Whether a value is a timestamp of an event."""
    match = STAMP.fullmatch(value) if isinstance(value, str) else None
    if not match:
        return False
    year, month, day, hour, minute, second, zone_hour, zone_minute = (int(x or 0) for x in match.groups())
    clock = hour <= 23 and minute <= 59 and second <= 59 and zone_hour <= 23 and zone_minute <= 59
    date = year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    return clock and date


def is_text(value: Any) -> bool:
    """Whether a value is a string of 1 to 256 characters."""
    return isinstance(value, str) and 1 <= characters(value) <= LONGEST


def characters(text: str) -> int:
    """How long a text is, in code points."""
    return len(text)


def is_object(value: Any) -> bool:
    """Whether a value is an object."""
    return isinstance(value, dict)


def right(name: str, value: Any) -> bool:
    """Whether a member is one of the table, with a value that it may have."""
    return bool(
        name in ("type", "integrity_signature")
        or (name == "messageId" and isinstance(value, str) and MESSAGE_ID.fullmatch(value))
        or (name in TEXTS and is_text(value))
        or (name in OBJECTS and is_object(value))
        or (name == "timestamp" and is_time(value))
    )


def members(event: dict[str, Any]) -> list[Fault]:
    """The faults of single members, in the order of the members."""
    found = []
    for name, value in event.items():
        if not right(name, value):
            found.append(("trust_claimed" if name == "trust" else "event_invalid", pointer_of((name,))))
    return found


def kind(event: dict[str, Any], route: str) -> list[Fault]:
    """What is wrong with the type."""
    if event.get("type") not in TYPES:
        return [("event_invalid", "/type")]
    return [] if route in (event["type"], "batch") else [("type_mismatch", "/type")]


def missing(event: dict[str, Any]) -> list[Fault]:
    """The members that are required and not there."""
    needed = ["messageId", *NEEDED.get(str(event.get("type")), ())]
    found = [("event_invalid", f"/{name}") for name in needed if name not in event]
    if "userId" not in event and "anonymousId" not in event:
        found.append(("event_invalid", "/userId"))
    return found


def faults(event: Any, route: str) -> list[Fault]:
    """All that is wrong with an event, signatures aside."""
    if not is_object(event):
        return [("event_invalid", "")]
    return kind(event, route) + members(event) + missing(event)


def signature_fault(event: Any, vector: dict[str, Any]) -> list[Fault]:
    """What is wrong with an event's signature, or its being there."""
    if not vector["signed"]:
        there = isinstance(event, dict) and "integrity_signature" in event
        return [("signature_missing", "/integrity_signature")] if there else []
    try:
        verified_event({**vector, "key_id": None, "at_rest": False}, event)
    except Refused as fault:
        return [(fault.reason, "/integrity_signature")]
    return []


def batch(payload: Any) -> list[Any]:
    """The events of a batch."""
    if not isinstance(payload, dict) or not isinstance(payload.get("batch"), list):
        raise Refused("event_invalid")
    if len(payload["batch"]) > LARGEST_BATCH:
        raise Refused("batch_too_long")
    if not payload["batch"] or not payload.keys() <= {"batch", "sentAt"}:
        raise Refused("event_invalid")
    if "sentAt" in payload and not is_time(payload["sentAt"]):
        raise Refused("event_invalid")
    return list(payload["batch"])


def events_of(vector: dict[str, Any], data: bytes) -> list[Any]:
    """The events of a payload, or Refused for a fault of the batch itself."""
    payload = read(data)
    return batch(payload) if vector["route"] == "batch" else [payload]


def ingested(vector: dict[str, Any], events: list[Any]) -> list[tuple[int, str, str]]:
    """The faults of all events."""
    return [
        (index, reason, pointer)
        for index, event in enumerate(events)
        for reason, pointer in faults(event, vector["route"]) or signature_fault(event, vector)
    ]
