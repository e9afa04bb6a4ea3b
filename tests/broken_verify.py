"""Bugs of verification: SPEC.md §6.1, steps 1 and 7 to 9, and §7's window."""

from __future__ import annotations

import json
from typing import Any

from broken_bug import Bugs
from second_json import Refused, canonical, read
from second_wire import (
    attempt,
    bounded,
    fields,
    gate,
    known,
    media,
    reserialized,
    result,
    verified,
    window,
)

BUGS = Bugs()
Vector = dict[str, Any]
Found = dict[str, str]
Signed = tuple[str, bytes, bool]

BUGS.put("mac-unchecked", "verify events replay", equal=lambda wanted, received: True)
BUGS.put("mac-prefix-compared.half", "verify events", equal=lambda wanted, received: wanted[:39] == received[:39])
BUGS.put("now-not-floored", "verify replay", clock=float)
BUGS.put("now-not-floored.rounded", "verify replay", clock=lambda text: round(float(text)))


@BUGS.piece("equal", "mac-prefix-compared", "verify events")
def starts_with(wanted: str, received: str) -> bool:
    """As many characters as came."""
    return wanted.startswith(received)


@BUGS.piece("fits", "mac-prefix-compared", "verify events")
def any_length(word: str, value: str) -> bool:
    """The comparison will see to the length."""
    return value.startswith("sha256=") if word == "signature" else True


@BUGS.piece("equal", "mac-prefix-compared.digits", "verify")
def same_digits(wanted: str, received: str) -> bool:
    """The digits are counted, not where they stand."""
    return sorted(wanted) == sorted(received)


def trimming(trim: Any) -> Any:
    """A gate that verifies less than what came."""
    return lambda vector, body: gate(vector, trim(body))


BUGS.put("body-trimmed", "verify", gate=trimming(bytes.strip))
BUGS.put("body-trimmed.newline", "verify", gate=trimming(lambda body: body.rstrip(b"\r\n")))
BUGS.put("body-trimmed.mark", "verify", gate=trimming(lambda body: body.removeprefix(b"\xef\xbb\xbf")))
BUGS.put("limit-too-low", "verify", gate=lambda vector, body: gate({**vector, "max_body": 65_536}, body))


@BUGS.piece("window", "window-fixed", "verify replay")
def defaults(vector: Vector, timestamp: int) -> None:
    """300 and 60, whatever was configured."""
    window({**vector, "past": 300, "future": 60}, timestamp)


@BUGS.piece("window", "window-fixed.symmetric", "verify replay")
def symmetric(vector: Vector, timestamp: int) -> None:
    """One number for both sides."""
    window({**vector, "future": vector["past"]}, timestamp)


@BUGS.piece("window", "window-off-by-one", "verify replay")
def edges_outside(vector: Vector, timestamp: int) -> None:
    """The edges are outside."""
    window({**vector, "past": vector["past"] - 1, "future": vector["future"] - 1}, timestamp)


@BUGS.piece("window", "window-fixed.wide", "verify replay")
def edges_wide(vector: Vector, timestamp: int) -> None:
    """A second more on both sides, to be kind."""
    window({**vector, "past": vector["past"] + 1, "future": vector["future"] + 1}, timestamp)


@BUGS.piece("window", "no-future-bound", "verify replay")
def past_alone(vector: Vector, timestamp: int) -> None:
    """Only what is too old is refused."""
    window({**vector, "future": 10**10}, timestamp)


@BUGS.piece("window", "no-past-bound", "verify replay")
def future_alone(vector: Vector, timestamp: int) -> None:
    """Only what is too new is refused."""
    window({**vector, "past": 10**10}, timestamp)


@BUGS.piece("gate", "parse-before-mac", "verify")
def framework_parses(vector: Vector, body: bytes) -> dict[str, Any]:
    """The framework parses before anybody asks."""
    bounded(vector, body)
    media(vector["headers"])
    fields(vector["headers"])
    read(body)
    return gate(vector, body)


def ordered(early: Any) -> Any:
    """A gate that does one of its later steps before the MAC."""

    def steps(vector: Vector, body: bytes) -> dict[str, Any]:
        bounded(vector, body)
        media(vector["headers"])
        found = fields(vector["headers"])
        early(vector, found)
        return gate(vector, body)

    return steps


def window_of(vector: Vector, found: Found) -> None:
    """The window of a request whose timestamp nobody vouched for."""
    if "timestamp" in found:
        window(vector, int(found["timestamp"]))


BUGS.put("order-of-checks.window-first", "verify", gate=ordered(window_of))


@BUGS.piece("gate", "order-of-checks.parse-before-window", "verify")
def window_last(vector: Vector, body: bytes) -> dict[str, Any]:
    """The clock is asked last."""
    found = fields(vector["headers"])
    bounded(vector, body)
    media(vector["headers"])
    secret, text, again = verified(vector, found, known(vector, found), body)
    read(body)
    window(vector, int(found["timestamp"]))
    return result(found, secret, text, again)


@BUGS.piece("known", "order-of-checks.mac-before-key-id", "verify")
def no_key_id_then(vector: Vector, found: Found) -> list[str]:
    """A key id that is unknown makes a wrong signature, and that is what is said."""
    try:
        return known(vector, found)
    except Refused as fault:
        if fault.reason == "key_id_unknown":
            raise Refused("signature_mismatch") from None
        raise


@BUGS.piece("attempt", "parse-before-mac.needed", "verify")
def parsed_for_the_mac(found: Found, secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """The parsed body is at hand when the MAC is checked."""
    read(body)
    return attempt(found, secrets, body)


def second_try(vector: Vector, found: Found, secrets: list[str], body: bytes, text: bytes) -> Signed:
    """What verified as written anew, or else as it came."""
    try:
        return attempt(found, secrets, text)[0], text, True
    except Refused:
        return verified({**vector, "accept_reserialized": False}, found, secrets, body)


@BUGS.piece("verified", "reserialized-unasked", "verify")
def always(vector: Vector, found: Found, secrets: list[str], body: bytes) -> Signed:
    """The option is always on."""
    return verified({**vector, "accept_reserialized": True}, found, secrets, body)


@BUGS.piece("verified", "reserialized-refused", "verify")
def never(vector: Vector, found: Found, secrets: list[str], body: bytes) -> Signed:
    """The option was forgotten."""
    return verified({**vector, "accept_reserialized": False}, found, secrets, body)


@BUGS.piece("reserialized", "reserialized-refused.host", "verify")
def host_writes(found: Found, secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """What is tried is what the language writes by default."""
    try:
        text = json.dumps(read(body)).encode()
    except Refused:
        raise Refused("signature_mismatch") from None
    return attempt(found, secrets, text)[0], text


@BUGS.piece("verified", "reserialized-marked-always", "verify")
def canonical_first(vector: Vector, found: Found, secrets: list[str], body: bytes) -> Signed:
    """The canonical form is tried first."""
    if not vector["accept_reserialized"]:
        return verified(vector, found, secrets, body)
    try:
        text = canonical(read(body))
    except Refused:
        raise Refused("signature_mismatch") from None
    return second_try(vector, found, secrets, body, text)


@BUGS.piece("reserialized", "reserialized-reason-leaks", "verify")
def reason_told(found: Found, secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """A body that is no JSON is called so."""
    text = canonical(read(body))
    return attempt(found, secrets, text)[0], text


@BUGS.piece("reserialized", "reserialized-limit", "verify")
def unbounded(found: Found, secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """The second try has no limit of its own."""
    try:
        text = canonical(read(body))
    except Refused:
        raise Refused("signature_mismatch") from None
    return attempt(found, secrets, text)[0], text


@BUGS.piece("reserialized", "reserialized-limit.off-by-one", "verify")
def short(found: Found, secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """64 KiB is one byte too long."""
    if len(body) == 65_536:
        raise Refused("signature_mismatch")
    return reserialized(found, secrets, body)


@BUGS.piece("attempt", "key-id-outside-input.either", "verify")
def with_or_without(found: Found, secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """A sender who signed without a key id is let through."""
    try:
        return attempt(found, secrets, body)
    except Refused:
        return attempt({word: value for word, value in found.items() if word != "key_id"}, secrets, body)
