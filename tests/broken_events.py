"""Bugs of event signatures and event rules: SPEC.md §6.2 and §9."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

from broken_bug import Bugs
from second_event_signature import bare, in_time, member, usable, verified_event
from second_events import (
    NEEDED,
    OBJECTS,
    batch,
    faults,
    ingested,
    is_object,
    is_text,
    is_time,
    kind,
    members,
    missing,
    right,
    signature_fault,
)
from second_wire import key_id

BUGS = Bugs()
Event = dict[str, Any]
Vector = dict[str, Any]
Fault = tuple[str, str]

BUGS.put("member-included", "events", bare=lambda event: event)
BUGS.put("signed-twice", "events", unsigned=lambda event: None)
BUGS.put("batch-limit.500", "events", LARGEST_BATCH=499)
BUGS.put("batch-limit.none", "events", LARGEST_BATCH=10**9)
BUGS.put("bounds.none", "events", LONGEST=10**9)
BUGS.put("bounds.255", "events", LONGEST=255)
BUGS.put("code-units-counted", "events", characters=lambda text: len(text.encode("utf-16-be")) // 2)
BUGS.put("code-units-counted.bytes", "events", characters=lambda text: len(text.encode()))
BUGS.put("required-member.event", "events", NEEDED={**NEEDED, "track": ()})
BUGS.put("required-member", "events", missing=lambda event: [])
BUGS.put("first-fault-only", "events", ingested=lambda vector, events: ingested(vector, events)[:1])
BUGS.put("first-fault-only.event", "events", ingested=lambda vector, events: ingested(vector, events[:1]))
BUGS.put("bounds.message-id-word", "events", MESSAGE_ID=re.compile(r"[\w.:-]{1,128}"))
BUGS.put("bounds.message-id-dollar", "events", MESSAGE_ID=re.compile(r"[A-Za-z0-9_.:-]{1,128}\n?"))
BUGS.put("crash.event", "events", an_object=lambda event: None, is_object=lambda value: True)
BUGS.put("until-off-by-one", "events", in_time=lambda vector, old: in_time(vector, {"until": old["until"] - 1}))
BUGS.put(
    "unknown-dropped", "events", right=lambda name, value: name != "trust" and (name not in KNOWN or right(name, value))
)
BUGS.put("trust-taken", "events", right=lambda name, value: name == "trust" or right(name, value))
BUGS.put("type-unbound", "events", kind=lambda event, route: kind(event, "batch"))
BUGS.put("type-unbound.any", "events", kind=lambda event, route: [])
KNOWN = ("type", "messageId", "userId", "anonymousId", "event", "groupId", *OBJECTS, "timestamp", "integrity_signature")


def without_member(value: Any) -> Any:
    """A value without the member, wherever it stands."""
    if isinstance(value, dict):
        return {name: without_member(item) for name, item in value.items() if name != "integrity_signature"}
    return [without_member(item) for item in value] if isinstance(value, list) else value


BUGS.put("deep-member-removed", "events", bare=without_member)


@BUGS.piece("covered_bytes", "order-as-received", "events")
def as_received(event: Event) -> bytes:
    """The event as the language writes it, in the order in which its members came."""
    return json.dumps(bare(event), separators=(",", ":"), ensure_ascii=False).encode()


@BUGS.piece("usable", "retired-taken.event", "events")
def retired_too(vector: Vector, entry: dict[str, Any]) -> list[str]:
    """A retired secret is a secret, whenever the event was received."""
    return usable({**vector, "at_rest": True, "received_at": 0}, entry)


@BUGS.piece("usable", "retired-refused", "events")
def retired_only_named(vector: Vector, entry: dict[str, Any]) -> list[str]:
    """Without a key id only active secrets are tried, at rest too."""
    return list(entry["secrets"]) if vector["key_id"] is None else usable(vector, entry)


@BUGS.piece("verified_event", "null-signature-skipped", "events")
def null_is_none(vector: Vector, event: Any) -> str:
    """A signature that is null is a signature that was not made."""
    if isinstance(event, dict) and event.get("integrity_signature", "") is None:
        return key_id(vector["keys"]["api_keys"][0]["secrets"][0])
    return verified_event(vector, event)


@BUGS.piece("verified_event", "missing-means-unchecked.event", "events")
def none_to_check(vector: Vector, event: Any) -> str:
    """There is no signature to check."""
    if isinstance(event, dict) and "integrity_signature" not in event:
        return key_id(vector["keys"]["api_keys"][0]["secrets"][0])
    return verified_event(vector, event)


@BUGS.piece("member", "hex-upper-case.event", "events")
def lower_case(event: Event) -> str:
    """Hex is made lower case before it is looked at."""
    value = event["integrity_signature"]
    return member({"integrity_signature": value.lower() if isinstance(value, str) else value})


@BUGS.piece("member", "value-too-lax.event", "events")
def trimmed(event: Event) -> str:
    """White space around the signature is taken away."""
    value = event["integrity_signature"]
    return member({"integrity_signature": value.strip() if isinstance(value, str) else value})


@BUGS.piece("member", "crash.signature", "events")
def any_member(event: Event) -> str:
    """A number has no method for text."""
    return member({"integrity_signature": event["integrity_signature"].replace("\0", "")})


@BUGS.piece("signature_fault", "event-unsigned-taken", "events")
def if_there(event: Any, vector: Vector) -> list[Fault]:
    """In a signed request an event's own signature is checked where it has one."""
    if vector["signed"] and "integrity_signature" not in event:
        return []
    return signature_fault(event, vector)


@BUGS.piece("signature_fault", "event-unsigned-taken.never", "events")
def request_is_enough(event: Any, vector: Vector) -> list[Fault]:
    """The request is signed: that is enough."""
    return [] if vector["signed"] else signature_fault(event, vector)


@BUGS.piece("signature_fault", "downgraded", "events")
def unsigned_is_fine(event: Any, vector: Vector) -> list[Fault]:
    """In an unsigned request nobody looks at event signatures."""
    return signature_fault(event, vector) if vector["signed"] else []


@BUGS.piece("signature_fault", "downgraded.null", "events")
def null_is_fine(event: Any, vector: Vector) -> list[Fault]:
    """A null is no signature."""
    return signature_fault(event, vector) if event.get("integrity_signature") is not None or vector["signed"] else []


@BUGS.piece("is_text", "converted", "events")
def any_scalar(value: Any) -> bool:
    """A number is written as a string."""
    return is_text(value) or (isinstance(value, int | float) and not isinstance(value, bool))


@BUGS.piece("right", "converted.null", "events")
def null_is_absent(name: str, value: Any) -> bool:
    """A member that is null is not there."""
    return (value is None and name in KNOWN) or right(name, value)


@BUGS.piece("is_time", "converted.time", "events")
def seconds_too(value: Any) -> bool:
    """Unix seconds are a time as well."""
    return isinstance(value, int) or is_time(value)


@BUGS.piece("is_object", "converted.object", "events")
def array_for_object(value: Any) -> bool:
    """An empty array is an empty object, as in PHP."""
    return value == [] or is_object(value)


@BUGS.piece("faults", "members-by-type", "events")
def only_its_own(event: Any, route: str) -> list[Fault]:
    """Each type has its own members."""
    own = {
        "track": ("groupId", "traits"),
        "identify": ("event", "groupId", "properties"),
        "group": ("event", "properties"),
    }
    strange = own.get(event.get("type"), ()) if isinstance(event, dict) and isinstance(event.get("type"), str) else ()
    return faults(event, route) or [("event_invalid", f"/{name}") for name in strange if name in event]


@BUGS.piece("is_time", "time-too-lax", "events")
def iso_format(value: Any) -> bool:
    """What the language's own reader takes."""
    try:
        datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


@BUGS.piece("is_time", "time-too-lax.shape", "events")
def shape_alone(value: Any) -> bool:
    """The shape is right; whether there is such a day is not asked."""
    return is_time(value) or (isinstance(value, str) and is_time(value[:5] + "01-01" + value[10:]) and value[4] == "-")


@BUGS.piece("is_time", "time-too-strict", "events")
def one_format(value: Any) -> bool:
    """Whole seconds and Z."""
    return is_time(value) and len(value) == 20


@BUGS.piece("is_time", "time-too-strict.age", "events")
def of_this_century(value: Any) -> bool:
    """Nothing happened before 1970."""
    return is_time(value) and value >= "1970-01-01T00:00:01Z"


@BUGS.piece("batch", "batch-shape", "events")
def any_shape(payload: Any) -> list[Any]:
    """An array is a batch, and so is one event; other members are no matter."""
    if isinstance(payload, dict) and isinstance(payload.get("batch"), list):
        return batch({"batch": payload["batch"]})
    return payload if isinstance(payload, list) else [payload]


@BUGS.piece("batch", "batch-shape.sent-at", "events")
def any_time(payload: Any) -> list[Any]:
    """When it was sent is not looked at."""
    if isinstance(payload, dict):
        payload = {name: value for name, value in payload.items() if name != "sentAt"}
    return batch(payload)


@BUGS.piece("batch", "batch-shape.empty", "events")
def empty_is_fine(payload: Any) -> list[Any]:
    """No events, no faults."""
    return [] if isinstance(payload, dict) and payload.get("batch") == [] else batch(payload)


@BUGS.piece("right", "bounds.message-id", "events")
def any_message_id(name: str, value: Any) -> bool:
    """A messageId is any text."""
    return right("userId" if name == "messageId" else name, value)


@BUGS.piece("members", "trust-taken.unnamed", "events")
def trust_is_unknown(event: Event) -> list[Fault]:
    """Trust is a member like any other that nobody knows."""
    return [("event_invalid", pointer) for _, pointer in members(event)]


@BUGS.piece("missing", "required-member.either", "events")
def user_id_only(event: Event) -> list[Fault]:
    """A user needs no id."""
    return [fault for fault in missing(event) if fault[1] != "/userId"]
