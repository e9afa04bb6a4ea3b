"""The vectors of event rules: SPEC.md §9, [EVT-1] to [EVT-6]."""

from __future__ import annotations

import json
from typing import Any

from second_event_signature import event_signature, signed_event
from second_events import events_of, ingested
from vector_suite import (
    API,
    KEYS,
    NEW,
    OLD,
    OTHER_API,
    RETIRED,
    STRANGER,
    Json,
    Suite,
    hexed,
    octets,
    outcome,
    refused,
    times,
)

TRACK: Json = {"type": "track", "messageId": "m-1", "userId": "u", "event": "E"}
IDENTIFY: Json = {"type": "identify", "messageId": "m-2", "userId": "u", "traits": {"plan": "pro"}}
GROUP: Json = {"type": "group", "messageId": "m-3", "userId": "u", "groupId": "g"}
ROUTES = {"track": TRACK, "identify": IDENTIFY, "group": GROUP}
WHOLE: Json = {
    **TRACK, "anonymousId": "a", "groupId": "g", "properties": {}, "traits": {}, "context": {},
    "timestamp": "2026-11-23T09:00:00Z",
}  # fmt: skip
ASTRAL = "\U0001f600"
CODES = {"key_id_unknown": "signature_invalid", "signature_mismatch": "signature_invalid"}

GOOD_TIMES = ["2026-11-23T09:00:00Z", "2026-11-23T09:00:00.1Z", "2026-11-23T09:00:00.123456789Z",
    "2026-11-23T09:00:00+00:00", "2026-11-23T23:59:59-23:59", "2024-02-29T00:00:00Z",
    "2000-02-29T00:00:00+05:30", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z", "1600-01-01T00:00:00-00:00"]  # fmt: skip
BAD_TIMES = {
    "leap-second": "2016-12-31T23:59:60Z", "hour-24": "2026-11-23T24:00:00Z",
    "minute-60": "2026-11-23T09:60:00Z", "february-30": "2026-02-30T00:00:00Z",
    "february-29-of-common-year": "2026-02-29T00:00:00Z",
    "february-29-of-1900": "1900-02-29T00:00:00Z", "april-31": "2026-04-31T00:00:00Z",
    "month-0": "2026-00-01T00:00:00Z", "month-13": "2026-13-01T00:00:00Z",
    "day-0": "2026-11-00T00:00:00Z", "day-32": "2026-12-32T00:00:00Z",
    "lower-case-z": "2026-11-23T09:00:00z", "lower-case-t": "2026-11-23t09:00:00Z",
    "space-for-t": "2026-11-23 09:00:00Z", "without-zone": "2026-11-23T09:00:00",
    "fraction-of-10-digits": "2026-11-23T09:00:00.1234567890Z",
    "fraction-empty": "2026-11-23T09:00:00.Z", "fraction-comma": "2026-11-23T09:00:00,5Z",
    "without-seconds": "2026-11-23T09:00Z", "date-alone": "2026-11-23",
    "zone-hour-24": "2026-11-23T09:00:00+24:00", "zone-minute-60": "2026-11-23T09:00:00+00:60",
    "zone-without-colon": "2026-11-23T09:00:00+0000", "zone-hours-alone": "2026-11-23T09:00:00+01",
    "zone-name": "2026-11-23T09:00:00 UTC", "week-date": "2026-W48-1T09:00:00Z",
    "basic-format": "20261123T090000Z", "year-of-5-digits": "12026-11-23T09:00:00Z",
    "signed-year": "+002026-11-23T09:00:00Z", "unix-seconds-text": "1795424400", "empty": "",
    "newline-after": "2026-11-23T09:00:00Z\n", "space-before": " 2026-11-23T09:00:00Z",
    "digits-outside-ascii": "\uff12026-11-23T09:00:00Z",
    "unicode-minus": "2026-11-23T09:00:00\u221201:00",
}  # fmt: skip


def entry(s: Suite, name: str, tags: str, flags: str, comment: str, route: str, payload: Any,
    wanted: list[tuple[int, str, str]] | str | None = None, signed: bool = False) -> None:  # fmt: skip
    """One payload at a route; wanted: the faults of its events, or the reason of the whole."""
    whole: Json = {"do": "ingest", "route": route, "signed": signed}
    whole |= {"keys": KEYS, "api_key": API} if signed else {}
    if not (isinstance(payload, dict) and payload.keys() == {"repeat"}):
        payload = hexed(json.dumps(payload))
    whole["payload"] = payload
    result = outcome(lambda: ingested(whole, events_of(whole, octets(payload))))
    if isinstance(wanted, str):
        assert result == (wanted, ""), (name, result)
        expect = refused(wanted)
    elif wanted:
        assert result == wanted, (name, result)
        errors = [{"index": i, "reason": CODES.get(reason, reason), "pointer": pointer}
            for i, reason, pointer in wanted]  # fmt: skip
        expect = refused(wanted[0][1]) | {"errors": errors}
        del expect["pointer"]
    else:
        assert result == [], (name, result)
        events = read_events(route, octets(payload))
        expect = {"ok": {"events": events}}
    s.add(f"ingest-{name}", tags, flags, comment, expect, **whole)


def read_events(route: str, data: bytes) -> int:
    """How many events a payload holds."""
    return len(json.loads(data)["batch"]) if route == "batch" else 1


def invalid(pointer: str) -> list[tuple[int, str, str]]:
    """One fault, of the event itself."""
    return [(0, "event_invalid", pointer)]


def texts(s: Suite) -> None:
    """Bounds of strings, in characters."""
    for member in ("userId", "anonymousId", "event", "groupId"):
        right = {"1-character": "x", "256-characters": "x" * 256, "256-astral": ASTRAL * 256,
            "256-latin": "\u00e9" * 256,
            "any-script": "\u05d0\u0645\u4f60\u00e9", "space": " ", "nul": "\u0000"}  # fmt: skip
        for kind, value in right.items():
            flag = "code-units-counted" if kind in ("256-astral", "256-latin") else "bounds"
            entry(s, f"{member.lower()}-{kind}", "EVT-1", flag, "1 to 256 code points", "track",
                {**WHOLE, member: value})  # fmt: skip
        wrong: Json = {"0-characters": "", "257-characters": "x" * 257,
            "257-astral": ASTRAL * 257, "number": 7, "null": None, "true": True, "array": ["x"],
            "object": {}}  # fmt: skip
        for kind, value in wrong.items():
            flag = "bounds" if "characters" in kind or "astral" in kind else "converted"
            entry(s, f"{member.lower()}-refused-{kind}", "EVT-1", flag,
                "no string of 1 to 256 characters", "track", {**WHOLE, member: value},
                invalid(f"/{member}"))  # fmt: skip
    for kind, value in {"1-character": "x", "128-characters": "x" * 128, "all-signs": "aZ09_.:-",
            "uuid": "550e8400-e29b-41d4-a716-446655440000"}.items():  # fmt: skip
        entry(s, f"messageid-{kind}", "EVT-1", "bounds", "1 to 128 of its characters", "track",
            {**TRACK, "messageId": value})  # fmt: skip
    for kind, value in {"0-characters": "", "129-characters": "x" * 129, "space": "a b",
            "solidus": "a/b", "plus": "a+b", "newline-after": "a\n", "letter-outside-ascii":
            "\u00e9", "digit-outside-ascii": "\u0661", "number": 1, "null": None}.items():  # fmt: skip
        entry(s, f"messageid-refused-{kind}", "EVT-1", "bounds", "no message id", "track",
            {**TRACK, "messageId": value}, invalid("/messageId"))  # fmt: skip


def members(s: Suite) -> None:
    """Objects, required members, members that are none."""
    for member in ("properties", "traits", "context"):
        entry(s, f"{member}-any-content", "EVT-1", "", "any content", "track",
            {**TRACK, member: {"": None, "trust": "high", "a": [1, {"b": {}}], "email": "x"}})  # fmt: skip
        for kind, value in (("array", []), ("string", "{}"), ("null", None), ("number", 0)):
            entry(s, f"{member}-refused-{kind}", "EVT-1", "converted", "no object", "track",
                {**TRACK, member: value}, invalid(f"/{member}"))  # fmt: skip
    for route, event in ROUTES.items():
        entry(s, f"least-{route}", "EVT-1", "", "the members that are required", route, event)
        entry(s, f"all-members-on-{route}", "EVT-1", "members-by-type",
            "every member is allowed on every type", route, {**WHOLE, "type": route})  # fmt: skip
    entry(s, "anonymousid-alone", "EVT-1", "", "either of the two ids", "track",
        {**{k: v for k, v in TRACK.items() if k != "userId"}, "anonymousId": "a"})  # fmt: skip
    required = {"track": ["type", "messageId", "userId", "event"],
        "identify": ["messageId", "userId"], "group": ["messageId", "userId", "groupId"]}  # fmt: skip
    for route, names in required.items():
        for member in names:
            event = {k: v for k, v in ROUTES[route].items() if k != member}
            wanted = invalid(f"/{member}")
            entry(s, f"{route}-without-{member.lower()}", "EVT-1", "required-member",
                "pointed at where it would stand", route, event, wanted)  # fmt: skip
    for member, pointer in {"user_id": "/user_id", "userid": "/userid", "version": "/version",
            "sentAt": "/sentAt", "a/b~c": "/a~1b~0c", "": "/", "batch": "/batch",
            "integritySignature": "/integritySignature", "Trust": "/Trust"}.items():  # fmt: skip
        entry(s, f"unknown-member-{member.replace('/', '-').replace('~', '-') or 'empty'}".lower()
            .replace("_", "-") + ("-capital" if member == "Trust" else ""), "EVT-2",
            "unknown-dropped" + " pointer-otherwise" * ("~" in pointer), "never dropped silently",
            "track", {**TRACK, member: "x"}, invalid(pointer))  # fmt: skip
    for kind, value in (("high", "high"), ("standard", "standard"), ("null", None)):
        entry(s, f"trust-{kind}", "EVT-2", "trust-taken", "trust is set by the verifier alone",
            "track", {**TRACK, "trust": value}, [(0, "trust_claimed", "/trust")])  # fmt: skip


def types_and_times(s: Suite) -> None:
    """The type and its route; timestamps."""
    for route in ROUTES:
        for kind in ROUTES:
            if kind != route:
                entry(s, f"type-{kind}-at-{route}", "EVT-3", "type-unbound",
                    "the type inside binds an event to its route", route, {**WHOLE, "type": kind},
                    [(0, "type_mismatch", "/type")])  # fmt: skip
        entry(s, f"type-{route}-in-batch", "EVT-3", "", "a batch takes all three", "batch",
            {"batch": [ROUTES[route]]})  # fmt: skip
    for kind, value in {"page": "page", "capital": "Track", "empty": "", "null": None, "number": 1,
            "array": ["track"], "batch": "batch", "space": "track "}.items():  # fmt: skip
        entry(s, f"type-refused-{kind}", "EVT-3", "type-unbound", "none of the three", "track",
            {**TRACK, "type": value}, invalid("/type"))  # fmt: skip
    for i, value in enumerate(GOOD_TIMES, 1):
        entry(s, f"time-{i:02}", "EVT-1", "time-too-strict", f"{value} is a timestamp, of any age",
            "track", {**TRACK, "timestamp": value})  # fmt: skip
    for kind, value in BAD_TIMES.items():
        entry(s, f"time-refused-{kind}", "EVT-1", "time-too-lax", "no timestamp", "track",
            {**TRACK, "timestamp": value}, invalid("/timestamp"))  # fmt: skip
    for kind, other in (("number", 1795424400), ("null", None)):
        entry(s, f"time-refused-{kind}", "EVT-1", "converted", "no timestamp", "track",
            {**TRACK, "timestamp": other}, invalid("/timestamp"))  # fmt: skip
    for kind, payload in (("array", []), ("string", "x"), ("null", None), ("batch-of-one", [TRACK])):
        entry(s, f"not-an-object-{kind}", "EVT-1", "crash", "an event is an object", "track",
            payload, invalid(""))  # fmt: skip


def batches(s: Suite) -> None:
    """Batches, good and malformed."""
    one = json.dumps(TRACK, separators=(",", ":"))
    three = list(ROUTES.values())
    entry(s, "batch-of-three", "EVT-4", "", "one of each type", "batch", {"batch": three})
    entry(s, "batch-sentat", "EVT-4", "", "when it was sent", "batch",
        {"batch": three, "sentAt": "2026-11-23T09:00:00.5+01:00"})  # fmt: skip
    for size, wanted in ((500, None), (1000, None), (1001, "batch_too_long")):
        tags = "EVT-4 LIM-1"
        entry(s, f"batch-of-{size}", tags, "batch-limit", "1 to 1,000 events", "batch",
            times(('{"batch":[', 1), (one + ",", size - 1), (one + "]}", 1)), wanted)  # fmt: skip
    malformed: Json = {
        "empty": {"batch": []}, "missing": {"sentAt": "2026-11-23T09:00:00Z"}, "no-members": {},
        "object": {"batch": TRACK}, "null": {"batch": None}, "top-array": [TRACK],
        "event-alone": TRACK, "unknown-member": {"batch": [TRACK], "trust_level": 1},
        "sentat-date": {"batch": [TRACK], "sentAt": "2026-11-23"},
        "sentat-number": {"batch": [TRACK], "sentAt": 1795424400},
        "sentat-null": {"batch": [TRACK], "sentAt": None},
    }  # fmt: skip
    for kind, payload in malformed.items():
        entry(s, f"batch-refused-{kind}", "EVT-4", "batch-shape", "no batch", "batch", payload,
            "event_invalid")  # fmt: skip
    spoiled = [TRACK, {**TRACK, "x": 1}, IDENTIFY, {**GROUP, "groupId": 7}, 5, {**TRACK, "trust": 1}]
    entry(s, "batch-names-every-bad-event", "EVT-5", "first-fault-only",
        "a refusal names every bad event", "batch", {"batch": spoiled},
        [(1, "event_invalid", "/x"), (3, "event_invalid", "/groupId"), (4, "event_invalid", ""),
            (5, "trust_claimed", "/trust")])  # fmt: skip


def signatures(s: Suite) -> None:
    """Event signatures inside requests, signed and not."""
    good = signed_event(TRACK, API, NEW)
    at = "/integrity_signature"
    entry(s, "signed", "EVT-6 VER-10", "", "each event has its signature", "track", good,
        signed=True)  # fmt: skip
    entry(s, "signed-by-older-secret", "EVT-6", "only-newest-tried", "any active secret",
        "track", signed_event(TRACK, API, OLD), signed=True)  # fmt: skip
    entry(s, "signed-batch", "EVT-6", "only-newest-tried", "a batch may cross a rotation", "batch",
        {"batch": [good, signed_event(IDENTIFY, API, OLD)]}, signed=True)  # fmt: skip
    entry(s, "signed-request-bare-event", "EVT-6 VER-10", "event-unsigned-taken",
        "in a signed request each event needs its own", "track", TRACK,
        [(0, "event_signature_missing", at)], signed=True)  # fmt: skip
    wrong = {
        "altered": {**good, "userId": "v"}, "null": {**TRACK, "integrity_signature": None},
        "of-stranger": signed_event(TRACK, API, STRANGER),
        "of-retired": signed_event(TRACK, API, RETIRED),
        "of-other-api-key": signed_event(TRACK, OTHER_API, NEW),
        "number": {**TRACK, "integrity_signature": 1},
    }  # fmt: skip
    for kind, event in wrong.items():
        entry(s, f"signed-refused-{kind}", "EVT-6 VER-10", "event-unsigned-taken",
            "present but wrong is refused", "track", event,
            [(0, "event_signature_mismatch", at)], signed=True)  # fmt: skip
    entry(s, "signed-batch-one-bare", "EVT-6 EVT-5", "event-unsigned-taken", "one of two is bare",
        "batch", {"batch": [good, IDENTIFY]}, [(1, "event_signature_missing", at)], signed=True)  # fmt: skip
    for kind, value in (("right", event_signature(TRACK, API, NEW)), ("null", None), ("empty", "")):
        entry(s, f"unsigned-with-signature-{kind}", "EVT-6", "downgraded",
            "in an unsigned request the member is refused, even null", "track",
            {**TRACK, "integrity_signature": value}, [(0, "signature_missing", at)])  # fmt: skip


def add(s: Suite) -> None:
    """All of this file."""
    for section in (texts, members, types_and_times, batches, signatures):
        section(s)
