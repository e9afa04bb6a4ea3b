"""The vectors of request verification, body: SPEC.md §6.1, steps 1 and 7 to 9, and §7's window."""

from __future__ import annotations

import json
from typing import Any

from second_event_signature import event_input, signed_event
from second_wire import api_key_id, key_id, mac, signed_headers, signing_input
from vector_request import BODY, GOOD, JSON_TYPE, replaced, vector
from vector_suite import (
    API,
    FOURTH,
    KEYS,
    LIVE,
    LIVE_API,
    NEW,
    NONCE,
    OLD,
    OTHER_API,
    RETIRED,
    STRANGER,
    THIRD,
    TIME,
    Json,
    Suite,
    octets,
    times,
)

EVENT = json.loads(BODY)
FOUR: Json = {"api_keys": [{"api_key": API, "secrets": [NEW, OLD, THIRD, FOURTH]}]}
SHARED: Json = {"api_keys": [{"api_key": key, "secrets": [NEW]} for key in (API, OTHER_API)]}
LOOSE = json.dumps(EVENT, indent=2)


def signed(body: Any = BODY, secret: str = NEW, **said: Any) -> list[list[str]]:
    """The headers of a body, under the first secret."""
    data = octets(body) if isinstance(body, dict) else body
    data = data.encode() if isinstance(data, str) else data
    return signed_headers(API, secret, said.pop("time", TIME), NONCE, data, **said)


def with_mac(text: str) -> list[list[str]]:
    """The good headers with another MAC."""
    return replaced("X-RP-Signature", "sha256=" + text)


def which_secret(s: Suite) -> None:
    """Newest, older, unnamed, retired, of another api key."""
    vector(s, "good", "VER-7 INP-1 INP-3", "input-otherwise", "a signed request", None)
    vector(s, "good-live", "VER-7", "", "a live one", None, keys=KEYS,
        headers=signed_headers(LIVE_API, LIVE, TIME, NONCE, BODY.encode()))  # fmt: skip
    vector(s, "older-secret-named", "VER-7 KEY-5", "only-newest-tried", "the second of two", None,
        headers=signed(secret=OLD))  # fmt: skip
    for i, secret in enumerate((NEW, OLD, THIRD, FOURTH), 1):
        vector(s, f"unnamed-secret-{i}-of-4", "VER-7 KEY-5", "only-newest-tried",
            "without a key id each active secret is tried", None, keys=FOUR,
            headers=signed(secret=secret, named=False))  # fmt: skip
    vector(s, "unnamed-retired-secret", "VER-7 KEY-6", "retired-taken",
        "a retired secret verifies no request", "signature_mismatch", keys=KEYS,
        headers=signed(secret=RETIRED, named=False))  # fmt: skip
    vector(s, "unnamed-strange-secret", "VER-7", "mac-unchecked", "a secret of nobody",
        "signature_mismatch", headers=signed(secret=STRANGER, named=False))  # fmt: skip
    vector(s, "named-but-other-secret", "VER-7 RSN-1", "key-id-ignored stranger-told",
        "the key id names the older secret, the newest signed", "signature_mismatch",
        headers=replaced("X-RP-Key-Id", key_id(OLD)))  # fmt: skip
    line = signing_input("request", api_key_id(API), key_id(OLD), TIME, NONCE, BODY.encode())
    vector(s, "key-id-of-another-in-input", "VER-7", "key-id-ignored",
        "signed by the newest over the key id of the older", "signature_mismatch",
        headers=replaced("X-RP-Key-Id", key_id(OLD), with_mac(mac(NEW, line))))  # fmt: skip
    named = [pair for pair in signed(named=False) if pair[0] != "X-RP-Key-Id"]
    vector(s, "key-id-added-on-the-way", "VER-7 INP-1", "key-id-outside-input",
        "signed without a key id, sent with one", "signature_mismatch",
        headers=[*named, ["X-RP-Key-Id", key_id(NEW)]])  # fmt: skip
    vector(s, "api-key-swapped", "INP-1 VER-7", "api-key-outside-input",
        "two api keys share a secret; the request of one is no request of the other",
        "signature_mismatch", keys=SHARED, headers=replaced("X-RP-Api-Key", OTHER_API))  # fmt: skip


def inputs(s: Suite) -> None:
    """MACs over something that is not the eight lines."""
    lines = signing_input("request", api_key_id(API), key_id(NEW), TIME, NONCE, BODY.encode())
    parts = lines.split(b"\n")
    others = {
        "event-purpose": (lines.replace(b"\nrequest\n", b"\nevent\n"), "purpose-left-out"),
        "body-alone": (BODY.encode(), "body-alone-signed"),
        "without-length": (b"\n".join(parts[:6] + parts[7:]), "length-left-out"),
        "without-nonce": (b"\n".join(parts[:5] + parts[6:]), "nonce-left-out"),
        "without-version": (b"\n".join(parts[1:]), "version-left-out"),
        "without-purpose": (b"\n".join(parts[:1] + parts[2:]), "purpose-left-out"),
        "without-api-key-id": (b"\n".join(parts[:2] + parts[3:]), "api-key-outside-input"),
        "without-key-id": (b"\n".join(parts[:3] + parts[4:]), "key-id-outside-input"),
        "without-timestamp": (b"\n".join(parts[:4] + parts[5:]), "timestamp-outside-input"),
        "without-digest": (b"\n".join(parts[:7]), "input-otherwise"),
        "line-end-at-end": (lines + b"\n", "input-otherwise"),
        "carriage-returns": (lines.replace(b"\n", b"\r\n"), "input-otherwise"),
        "version-2": (lines.replace(b"RP1", b"RP2"), "version-left-out"),
        "body-in-place-of-digest": (b"\n".join([*parts[:7], BODY.encode()]), "input-otherwise"),
        "digest-upper-case": (b"\n".join([*parts[:7], parts[7].upper()]), "input-otherwise"),
        "api-key-in-place-of-id": (b"\n".join([*parts[:2], API.encode(), *parts[3:]]),
            "input-otherwise"),
    }  # fmt: skip
    for name, (line, flag) in others.items():
        vector(s, f"input-{name}", "INP-1 VER-7", flag, "the MAC of something else",
            "signature_mismatch", headers=with_mac(mac(NEW, line)))  # fmt: skip
    event = mac(NEW, event_input(EVENT, API, NEW))
    vector(s, "input-of-event-signature", "INP-1 VER-7", "purpose-left-out",
        "an event's MAC is no request's", "signature_mismatch", headers=with_mac(event))  # fmt: skip
    sealed = signed_event(EVENT, API, NEW)["integrity_signature"]
    vector(s, "signature-copied-from-event", "INP-1 VER-7", "purpose-left-out",
        "the member's value in the header", "signature_mismatch",
        body=json.dumps({**EVENT, "integrity_signature": sealed}),
        headers=replaced("X-RP-Signature", sealed))  # fmt: skip


def altered(s: Suite) -> None:
    """One thing altered after signing."""
    raw = BODY.encode()
    bodies: dict[str, tuple[bytes | str, str]] = {
        "first-bit": (bytes([raw[0] ^ 1]) + raw[1:], "mac-unchecked"),
        "last-bit": (raw[:-1] + bytes([raw[-1] ^ 1]), "mac-unchecked"),
        "letter-case": (BODY.replace("Order", "order"), "mac-unchecked"),
        "newline-appended": (BODY + "\n", "body-trimmed"),
        "carriage-return-appended": (BODY + "\r\n", "body-trimmed"),
        "space-before": (" " + BODY, "body-trimmed"),
        "byte-order-mark-before": ("\ufeff" + BODY, "body-trimmed"),
        "space-after-colons": (BODY.replace(":", ": "), "reserialized-unasked"),
        "members-reordered": (json.dumps(dict(reversed(EVENT.items())), separators=(",", ":")),
            "reserialized-unasked"),
        "indented": (LOOSE, "reserialized-unasked"),
        "character-escaped": (BODY.replace("O", "\\u004f"), "reserialized-unasked"),
        "cut-short": (BODY[:-1], "mac-unchecked"),
        "emptied": ("", "mac-unchecked"),
        "member-added": (BODY[:-1] + ',"x":1}', "mac-unchecked"),
        "same-length": (BODY.replace("m-1", "m-2"), "mac-unchecked"),
    }  # fmt: skip
    for name, (body, flag) in bodies.items():
        tags = "VER-13 INP-3" if flag == "reserialized-unasked" else "VER-7 INP-3"
        vector(s, f"body-{name}", tags, flag, "the body was altered after signing",
            "signature_mismatch", body=body)  # fmt: skip
    mac_now = dict(GOOD)["X-RP-Signature"][7:]
    for place in (0, 1, 7, 8, 15, 16, 31, 32, 47, 48, 62, 63):
        digit = "0" if mac_now[place] != "0" else "1"
        vector(s, f"mac-digit-{place:02}", "VER-7", "mac-prefix-compared",
            "one digit of the MAC is another one", "signature_mismatch",
            headers=with_mac(mac_now[:place] + digit + mac_now[place + 1 :]))  # fmt: skip
    for name, flag, text in (("zeros", "mac-unchecked", "0" * 64),
            ("reversed", "mac-prefix-compared", mac_now[::-1])):  # fmt: skip
        vector(s, f"mac-{name}", "VER-7", flag, "no MAC of this", "signature_mismatch",
            headers=with_mac(text))  # fmt: skip
    for name, flag, header, value in (
        ("timestamp", "timestamp-outside-input", "X-RP-Timestamp", "1795424401"),
        ("nonce", "nonce-left-out", "X-RP-Nonce", "B" + NONCE[1:]),
        ("nonce-case", "nonce-left-out", "X-RP-Nonce", NONCE.lower()),
        ("nonce-last-character", "nonce-decoded", "X-RP-Nonce", NONCE[:-1] + "x"),
    ):
        vector(s, f"altered-{name}", "VER-7 INP-1 HDR-6", flag, "a header altered after signing",
            "signature_mismatch", headers=replaced(header, value))  # fmt: skip


def window(s: Suite) -> None:
    """Both edges of the window, and clocks with fractions."""
    rows: dict[str, tuple[int | str, str | None, str, Json]] = {
        "past-edge": (300, None, "window-off-by-one", {}),
        "past-edge-fraction": ("300.999", None, "now-not-floored", {}),
        "past-beyond": (301, "timestamp_expired", "no-past-bound", {}),
        "past-year": (31_536_000, "timestamp_expired", "no-past-bound", {}),
        "future-edge": (-60, None, "window-off-by-one", {}),
        "future-beyond": (-61, "timestamp_future", "no-future-bound", {}),
        "future-beyond-fraction": ("-60.001", "timestamp_future", "now-not-floored", {}),
        "future-decade": (-315_360_000, "timestamp_future", "no-future-bound", {}),
        "future-of-three-days": (-259_200, "timestamp_future", "no-future-bound", {}),
        "own-past-edge": (5, None, "window-fixed", {"past": 5}),
        "own-past-beyond": (6, "timestamp_expired", "window-fixed", {"past": 5}),
        "own-future-edge": (-5, None, "window-fixed", {"future": 5}),
        "own-future-beyond": (-6, "timestamp_future", "window-fixed", {"future": 5}),
        "future-none": (0, None, "window-fixed", {"future": 0}),
        "future-none-beyond": (-1, "timestamp_future", "window-fixed", {"future": 0}),
        "longer-past": (900, None, "window-fixed", {"past": 900}),
    }  # fmt: skip
    for name, (age, reason, flag, said) in rows.items():
        whole, _, fraction = str(age).partition(".")
        now = int(TIME) + int(whole)
        if fraction:  # an age of -60.001 s is a clock that stands at .999 of the second before
            now, fraction = (now - 1, ".999") if now < int(TIME) else (now, "." + fraction)
        vector(s, f"window-{name}", "WIN-1 VER-8", flag, f"the request is {age} seconds old",
            reason, now=f"{now}{fraction}", **said)  # fmt: skip
    wrong = with_mac("0" * 64)
    for name, now in (("expired", int(TIME) + 301), ("future", int(TIME) - 61)):
        vector(s, f"order-mac-before-{name}", "VER-8", "order-of-checks",
            "whoever cannot sign learns nothing of the clock", "signature_mismatch",
            headers=wrong, now=str(now))  # fmt: skip
        vector(s, f"order-{name}-before-payload", "VER-8 VER-9", "order-of-checks",
            "outside the window, and no JSON", f"timestamp_{name}", body="no",
            headers=signed("no"), now=str(now))  # fmt: skip


def payload(s: Suite) -> None:
    """Faults of a body under a right MAC, and the same under a wrong one."""
    rows: dict[str, tuple[Any, str, str]] = {
        "empty": ("", "payload_not_json", "empty-body-taken"),
        "not-json": ("hello", "payload_not_json", "grammar-too-lax"),
        "form": ("a=1&b=2", "payload_not_json", "grammar-too-lax"),
        "byte-order-mark": ("\ufeff{}", "payload_not_json", "encoding-guessed"),
        "nan": ('{"a":NaN}', "payload_not_json", "grammar-too-lax"),
        "two-values": ("{}{}", "payload_not_json", "grammar-too-lax"),
        "not-utf8": (b'{"a":"\xff"}', "payload_not_utf8", "utf8-too-lax"),
        "duplicate-key": ('{"a":1,"a":2}', "payload_duplicate_key", "duplicate-taken"),
        "number-range": ('{"a":9007199254740993}', "payload_number_range", "big-integer-rounded"),
        "overflow": ('{"a":1e400}', "payload_number_range", "non-finite-taken"),
        "surrogate": ('{"a":"\\ud800"}', "payload_surrogate", "surrogate-replaced"),
        "depth": ("[" * 65 + "]" * 65, "payload_depth", "depth-unbounded"),
        "depth-100000": (times(("[", 100_000), ("]", 100_000)), "payload_depth",
            "depth-unbounded"),
    }  # fmt: skip
    for name, (body, reason, flag) in rows.items():
        vector(s, f"payload-{name}", "VER-9", flag, "a right MAC over a wrong body", reason,
            body=body, headers=signed(body))  # fmt: skip
        vector(s, f"order-mac-before-payload-{name}", "VER-1", "parse-before-mac",
            "a wrong MAC: not a byte of the body is parsed", "signature_mismatch", body=body,
            headers=with_mac("0" * 64))  # fmt: skip
    for name, body in (("indented", LOOSE), ("array", "[1,2]"), ("scalar", "true"),
            ("white-space-around", " {} \n"), ("depth-64", "[" * 64 + "]" * 64)):  # fmt: skip
        vector(s, f"payload-right-{name}", "VER-9 INP-3 PAR-9", "digest-of-canonical",
            "any JSON as it was sent, not as it would be written", None, body=body,
            headers=signed(body))  # fmt: skip


def sizes(s: Suite) -> None:
    """The limit of the body."""
    size = len(BODY)
    vector(s, "size-at-limit", "VER-3", "size-off-by-one", "as long as the limit", None,
        max_body=size)  # fmt: skip
    vector(s, "size-over-limit", "VER-3", "size-unbounded", "one byte over the limit",
        "payload_too_large", max_body=size - 1)  # fmt: skip
    half = times(('{"a":"', 1), ("x", 524_280), ('"}', 1))
    vector(s, "size-512-kib", "LIM-1 VER-3", "limit-too-low", "every receiver takes 512 KiB", None,
        body=half, headers=signed(half), max_body=524_288)  # fmt: skip
    vector(s, "size-over-1-mib", "LIM-1 VER-3", "size-unbounded", "one byte over 1 MiB",
        "payload_too_large", body=times(("x", 1_048_577)))  # fmt: skip


def rewritten(s: Suite) -> None:
    """The option `accept reserialized`."""
    asked: Json = {"accept_reserialized": True}
    unnamed = signed(named=False, secret=OLD)
    for name, body, flag, headers in (
        ("indented", LOOSE, "reserialized-refused", GOOD),
        ("reordered", json.dumps(dict(reversed(EVENT.items()))), "reserialized-refused", GOOD),
        ("without-key-id", LOOSE, "reserialized-refused", unnamed),
        ("unaltered", BODY, "reserialized-marked-always", GOOD),
        ("signed-as-indented", LOOSE, "reserialized-marked-always", signed(LOOSE)),
        ("65536-bytes", LOOSE + " " * (65_536 - len(LOOSE)), "reserialized-limit", GOOD),
    ):
        said = body
        if len(body) > 1000:
            said = times((LOOSE, 1), (" ", 65_536 - len(LOOSE)))  # type: ignore[assignment]
        vector(s, f"reserialized-{name}", "VER-13", flag, "asked for: the canonical form counts",
            None, body=said, headers=[JSON_TYPE, *headers], **asked)  # fmt: skip
    long = times((LOOSE, 1), (" ", 65_537 - len(LOOSE)))
    for name, spoiled, flag in (
        ("65537-bytes", long, "reserialized-limit"),
        ("altered", LOOSE.replace("m-1", "m-2"), "mac-unchecked"),
        ("duplicate-key", BODY[:-1] + ',"userId":"user-123"}', "duplicate-taken"),
        ("not-json", BODY + ",", "reserialized-reason-leaks"),
        ("not-utf8", BODY.encode() + b"\xff", "reserialized-reason-leaks"),
        ("depth", "[" * 65 + "]" * 65, "reserialized-reason-leaks"),
        ("empty", "", "reserialized-reason-leaks"),
    ):  # fmt: skip
        vector(s, f"reserialized-refused-{name}", "VER-13 RSN-1", flag,
            "any fault of the second try is a wrong signature", "signature_mismatch",
            body=spoiled, **asked)  # fmt: skip
    vector(s, "reserialized-signed-otherwise", "VER-13", "reserialized-refused",
        "what was signed was not canonical", "signature_mismatch", body=BODY,
        headers=signed(LOOSE), **asked)  # fmt: skip
    vector(s, "reserialized-signed-as-host-writes", "VER-13", "reserialized-refused",
        "what was signed is how some languages write JSON", "signature_mismatch", body=LOOSE,
        headers=signed(json.dumps(EVENT)), **asked)  # fmt: skip
    vector(s, "reserialized-key-id-unknown", "VER-13 VER-6", "key-id-unscoped",
        "no second try for an unknown key id", "key_id_unknown", body=LOOSE,
        headers=signed(secret=STRANGER), **asked)  # fmt: skip
    vector(s, "reserialized-expired", "VER-13 VER-8", "no-past-bound", "the window holds here too",
        "timestamp_expired", body=LOOSE, now=str(int(TIME) + 301), **asked)  # fmt: skip


def add(s: Suite) -> None:
    """All of this file."""
    for section in (which_secret, inputs, altered, window, payload, sizes, rewritten):
        section(s)
