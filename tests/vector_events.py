"""The vectors of event signatures: SPEC.md §6.2, [INP-4]."""

from __future__ import annotations

import json
from typing import Any

from second_event_signature import event_input, event_signature, signed_event, verified_event
from second_json import canonical, read
from second_wire import key_id, mac, signed_headers
from vector_keys import EXAMPLE
from vector_suite import (
    API,
    KEYS,
    LIVE,
    LIVE_API,
    NEW,
    NONCE,
    OLD,
    OTHER,
    OTHER_API,
    RETIRED,
    STRANGER,
    TIME,
    UNTIL,
    Json,
    Suite,
    hexed,
    outcome,
    refused,
    value_of,
)

EVENT: Json = json.loads(EXAMPLE)
MEMBER = "integrity_signature"


def signing(s: Suite) -> None:
    """Known answers of `sign event`."""
    rows: dict[str, tuple[str, str, Any, str, str]] = {
        "example-of-the-spec": (API, NEW, EXAMPLE, "input-otherwise", "the event of SPEC.md §1"),
        "live": (LIVE_API, LIVE, EXAMPLE, "", "a live api key"),
        "members-in-any-order": (API, NEW, json.dumps(dict(reversed(EVENT.items())), indent=1),
            "order-as-received", "the canonical form counts"),
        "null-member": (API, NEW, '{"type":"track","properties":{"a":null}}', "null-dropped",
            "null is content"),
        "signature-deeper-down": (API, NEW,
            '{"type":"track","properties":{"integrity_signature":"x"}}', "deep-member-removed",
            "only the member at the top is left out"),
        "numbers": (API, NEW, '{"a":[1.0,1e20,-0,1e-7,0.1]}', "number-as-host-writes",
            "numbers as ECMAScript writes them"),
        "names-outside-bmp": (API, NEW, '{"\uff41":1,"\U0001f600":2}', "code-point-order",
            "names in the order of UTF-16 code units"),
        "decomposed": (API, NEW, '{"n":"e\u0301 \u05d0"}', "normalised", "nothing is normalised"),
        "empty-object": (API, NEW, "{}", "", "an event without members has a signature too"),
    }  # fmt: skip
    for name, (api_key, secret, text, flag, comment) in rows.items():
        event = read(text.encode())
        line = event_input(event, api_key, secret)
        ok = {
            "integrity_signature": event_signature(event, api_key, secret),
            "canonical": hexed(canonical(event)),
            "signing_input": hexed(line),
            "mac": mac(secret, line),
            "signed": hexed(canonical(signed_event(event, api_key, secret))),
        }
        s.add(f"event-sign-{name}", "INP-1 INP-2 INP-4", flag, comment, {"ok": ok},
            do="sign_event", api_key=api_key, secret=secret, event=hexed(text))  # fmt: skip
    for name, value in (("signed", event_signature(EVENT, API, NEW)), ("null", None), ("empty", "")):
        s.add(f"event-sign-refused-{name}", "EVS-4", "signed-twice", "the member is there already",
            {"refused": "usage", "rule": "already_signed"}, do="sign_event", api_key=API, secret=NEW,
            event=hexed(json.dumps({**EVENT, MEMBER: value})))  # fmt: skip


def check(s: Suite, name: str, tags: str, flags: str, comment: str, reason: str | None,
    event: Any, **said: Any) -> None:  # fmt: skip
    """One event; reason None: it is verified."""
    whole: Json = {"do": "verify_event", "keys": KEYS, "api_key": API, "key_id": None,
        "at_rest": False, "received_at": None} | said  # fmt: skip
    if isinstance(event, dict) and event.keys() == {"object"}:
        whole["value"] = event
        value = value_of(event)
    else:
        whole["event"] = hexed(event if isinstance(event, str) else json.dumps(event))
        value = read(bytes.fromhex(whole["event"]))
    result = outcome(verified_event, whole, value)
    if reason is None:
        assert isinstance(result, str), (name, result)
        expect: Json = {"ok": {"key_id": result}}
    else:
        assert result[0] == reason, (name, result)
        expect = refused(reason, result[1] if reason.startswith("payload_") else None)
    s.add(f"event-{name}", tags, flags, comment, expect, **whole)


def right_and_altered(s: Suite) -> None:
    """One event, as it was signed and altered."""
    good = signed_event(EVENT, API, NEW)
    check(s, "good", "EVS-3 INP-4", "input-otherwise member-included", "a signed event", None, good)
    check(s, "good-older-secret", "EVS-3", "only-newest-tried", "each active secret is tried", None,
        signed_event(EVENT, API, OLD))  # fmt: skip
    check(s, "good-key-id", "EVS-3", "", "the key id kept as evidence", None, good,
        key_id=key_id(NEW))  # fmt: skip
    check(s, "good-older-key-id", "EVS-3", "", "the key id kept as evidence", None,
        signed_event(EVENT, API, OLD), key_id=key_id(OLD))  # fmt: skip
    check(s, "good-reordered", "INP-4", "order-as-received", "the order of members is no matter",
        None, dict(reversed(good.items())))  # fmt: skip
    check(s, "good-indented", "INP-4", "order-as-received", "white space is no matter", None,
        json.dumps(good, indent=2))  # fmt: skip
    check(s, "good-number-respelled", "INP-4", "number-as-host-writes", "49.9 and 4.990e1 are one",
        None, json.dumps(good).replace("49.9", "4.990e1"))  # fmt: skip
    deep = {**EVENT, "properties": {MEMBER: "sha256=" + "0" * 64, "a": [{MEMBER: None}]}}
    check(s, "good-deeper-member", "INP-4", "deep-member-removed", "deeper down it is content",
        None, signed_event(deep, API, NEW))  # fmt: skip
    sealed = signed_event(deep, API, NEW)
    stripped = {**sealed, "properties": {"a": [{}]}}
    check(s, "deeper-member-removed", "INP-4 EVS-3", "deep-member-removed",
        "deeper down it is content", "event_signature_mismatch", stripped)  # fmt: skip
    for name, changed in {
        "value": {"userId": "user-124"}, "type": {"type": "identify"}, "added": {"x": None},
        "nested": {"properties": {"currency": "EUR", "total": 49.90000000000001}},
        "number-as-string": {"properties": {"currency": "EUR", "total": "49.9"}},
    }.items():  # fmt: skip
        check(s, f"altered-{name}", "EVS-3 INP-4", "mac-unchecked", "altered after signing",
            "event_signature_mismatch", {**good, **changed})  # fmt: skip
    gone = {name: value for name, value in good.items() if name != "timestamp"}
    check(s, "altered-removed", "EVS-3 INP-4", "mac-unchecked", "altered after signing",
        "event_signature_mismatch", gone)  # fmt: skip
    composed = signed_event({**EVENT, "event": "e\u0301"}, API, NEW)
    check(s, "altered-normalised", "EVS-3 CAN-4", "normalised", "normalised after signing",
        "event_signature_mismatch", {**composed, "event": "\u00e9"})  # fmt: skip


def signatures(s: Suite) -> None:
    """Signatures that are missing, malformed, or of something else."""
    check(s, "signature-missing", "EVS-1", "missing-means-unchecked", "no member",
        "event_signature_missing", EVENT)  # fmt: skip
    text = event_signature(EVENT, API, NEW)
    for name, value in {
        "null": None, "number": 1, "true": True, "array": [text], "object": {"sha256": text[7:]},
        "empty": "", "upper-case-hex": "sha256=" + text[7:].upper(), "short": text[:-1],
        "long": text + "0", "prefix-only": "sha256=", "without-prefix": text[7:],
        "upper-case-prefix": "SHA256=" + text[7:], "newline-after": text + "\n",
        "space-before": " " + text,
    }.items():  # fmt: skip
        flag = "value-too-lax" if isinstance(value, str) else "value-too-lax crash"
        flag = {"null": "null-signature-skipped crash", "upper-case-hex": "hex-upper-case"}.get(name, flag)
        check(s, f"signature-{name}", "EVS-2", flag, "no string that is a signature",
            "event_signature_mismatch", {**EVENT, MEMBER: value})  # fmt: skip
    request = dict(signed_headers(API, NEW, TIME, NONCE, canonical(EVENT)))["X-RP-Signature"]
    rest = {
        "of-request": (request, "purpose-left-out", "a request's MAC is no event's"),
        "of-other-api-key": (event_signature(EVENT, OTHER_API, NEW), "api-key-outside-input",
            "signed for another api key"),
        "of-strange-secret": (event_signature(EVENT, API, STRANGER), "mac-unchecked",
            "a secret of nobody"),
        "of-other-secret": (event_signature(EVENT, API, OTHER), "key-id-unscoped",
            "another api key's secret"),
        "of-retired-secret": (event_signature(EVENT, API, RETIRED), "retired-taken",
            "a retired secret verifies nothing at the gate"),
    }  # fmt: skip
    for name, (value, flag, comment) in rest.items():
        tags = "EVS-3 KEY-6" if "retired" in name else "EVS-3"
        check(s, f"signature-{name}", tags, flag, comment, "event_signature_mismatch",
            {**EVENT, MEMBER: value})  # fmt: skip
    for place in (0, 31, 32, 63):
        digit = "0" if text[7 + place] != "0" else "1"
        check(s, f"mac-digit-{place:02}", "EVS-3", "mac-prefix-compared",
            "one digit of the MAC is another one", "event_signature_mismatch",
            {**EVENT, MEMBER: text[: 7 + place] + digit + text[8 + place :]})  # fmt: skip


def faults(s: Suite) -> None:
    """What is no event, or nobody's."""
    for name, text in (("array", "[]"), ("string", '"x"'), ("null", "null"), ("number", "1")):
        check(s, f"not-an-object-{name}", "VER-2", "crash", "an event is an object",
            "event_invalid", text)  # fmt: skip
    for name, value, reason in (
        ("surrogate", {"utf16": "d800"}, "payload_surrogate"),
        ("big-integer", {"int": "9007199254740992"}, "payload_number_range"),
        ("infinity", {"double": "7ff0000000000000"}, "payload_number_range"),
    ):
        check(s, f"no-canonical-form-{name}", "CAN-7 CAN-8 CAN-9", "crash",
            "a value that has no canonical form", reason,
            {"object": [["type", "track"], ["x", value]]})  # fmt: skip
    check(s, "api-key-unknown", "VER-4", "api-key-unchecked", "an api key that nobody has",
        "api_key_unknown", signed_event(EVENT, "rpx_test_nobody", NEW), api_key="rpx_test_nobody")  # fmt: skip


def key_ids(s: Suite) -> None:
    """Key ids kept as evidence; retired secrets at rest."""
    good, old = signed_event(EVENT, API, NEW), signed_event(EVENT, API, RETIRED)
    check(s, "key-id-of-nobody", "EVS-3 RSN-1", "key-id-ignored", "no secret has this key id",
        "key_id_unknown", good, key_id=key_id(STRANGER))  # fmt: skip
    check(s, "key-id-of-other-api-key", "EVS-3", "key-id-unscoped", "another api key's secret",
        "key_id_unknown", good, key_id=key_id(OTHER))  # fmt: skip
    check(s, "key-id-of-older-secret", "EVS-3", "key-id-ignored",
        "the newest signed, the evidence names the older one", "event_signature_mismatch", good,
        key_id=key_id(OLD))  # fmt: skip
    check(s, "retired-at-the-gate", "KEY-6", "retired-taken", "named, and not at rest",
        "key_id_unknown", old, key_id=key_id(RETIRED))  # fmt: skip
    for name, time, reason in (
        ("long-before", 1_000_000_000, None), ("second-before", UNTIL - 1, None),
        ("at", UNTIL, None), ("second-after", UNTIL + 1, "key_id_unknown"),
    ):  # fmt: skip
        flag = "retired-taken" if reason else "until-off-by-one" if time == UNTIL else "retired-refused"
        check(s, f"retired-at-rest-{name}-until", "KEY-6", flag,
            "taken when it was received at or before `until`", reason, old,
            key_id=key_id(RETIRED), at_rest=True, received_at=time)  # fmt: skip
        check(s, f"retired-at-rest-unnamed-{name}-until", "KEY-6 EVS-3", flag,
            "without a key id every usable secret is tried, retired ones too",
            reason and "event_signature_mismatch", old, at_rest=True, received_at=time)  # fmt: skip
    check(s, "active-at-rest", "KEY-6", "", "an active secret verifies at rest as well", None, good,
        key_id=key_id(NEW), at_rest=True, received_at=UNTIL + 1)  # fmt: skip
    check(s, "retired-at-rest-altered", "KEY-6 EVS-3", "mac-unchecked", "altered at rest",
        "event_signature_mismatch", {**old, "userId": "user-124"}, key_id=key_id(RETIRED),
        at_rest=True, received_at=UNTIL)  # fmt: skip


def add(s: Suite) -> None:
    """All of this file."""
    for section in (signing, right_and_altered, signatures, faults, key_ids):
        section(s)
