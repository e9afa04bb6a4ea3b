"""JSON texts and headers, many spoiled in one place, and how the fast readers take them beside the careful ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import orjson
from parties import BODY, KEYS, Clock, signer
from spoiled import other_text
from traps import Traps

from rp_signing import Keyring, Verifier, canonical, wire
from rp_signing.errors import SigningError
from rp_signing.exact import parse_exactly, write_exactly
from rp_signing.grammar import NONCE, TIMESTAMP

SPLICES = (
    b".0", b"0", b"e5", b"E+05", b"-", b" ", b"\t", b",", b":", b'"', b"\\", b"\\u0061", b"\\ud800", b"\\udc00", b"[",
    b"]", b"{", b"}", b"\x00", b"\x7f", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"1e400", b"-0",
    b"-0.0", b"9007199254740993", b"12345678901234567890", b"null", b"nul", b"NaN", b"Infinity", b"/**/", b"'a'",
    b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b"[" * 65 + b"]" * 65,
)  # fmt: skip
CONTENT = (
    (b"content-type", b"application/json"), (b"content-type", b"application/json; charset=utf-8"),
    (b"Content-Type", b"APPLICATION/JSON"), (b"content-type", b"text/plain"), (b"content-type", b"application/json,"),
    (b"content-encoding", b"identity"), (b"content-encoding", b"Identity"), (b"content-encoding", b"gzip"),
    (b"content-encoding", b""), (b"cookie", b"a=b"), (b"x-rp-other", b"1"), (b"x_rp_nonce", b"1"), (b"", b""),
)  # fmt: skip

Pairs = list[tuple[bytes, bytes]]


def text(draw: Traps) -> bytes:
    """One JSON text, in the spelling of one of two writers; half of them spoiled in one place."""
    value = draw.text_of_json()
    raw = b""
    if draw.chance(0.5):
        with suppress(TypeError):
            raw = orjson.dumps(value)
    spaced = None if draw.chance(0.2) else (",", ":")
    raw = raw or json.dumps(value, ensure_ascii=draw.chance(0.5), separators=spaced).encode("utf-8", "surrogatepass")
    if draw.chance(0.5):
        return raw
    at, how = draw.below(len(raw) + 1), draw.below(6)
    if how == 0:
        return raw[:at] + bytes([draw.below(256)]) + raw[at + 1 :]
    if how == 1:
        return raw[:at] + raw[at + 1 :]
    if how == 2:
        return raw.replace(b'"n":', b'"n":1,"n":', 1)
    return raw[:at] + draw.pick(SPLICES) + raw[at:]


def headers(draw: Traps) -> Pairs:
    """The headers of a request, as an ASGI server hands them on; most with one thing or two otherwise."""
    pairs = [(name.lower().encode(), value.encode()) for name, value in SIGNED.items()]
    for _ in range(draw.below(3)):
        at, how = draw.below(len(pairs)), draw.below(7)
        name, value = pairs[at]
        if how == 0:
            del pairs[at]
        elif how == 1:
            pairs.append((draw.pick((name, name.title(), name.upper())), draw.pick((value, b"", value + b"0"))))
        elif how == 2:
            pairs[at] = (draw.pick((name.title(), name.upper(), name + b" ", name.replace(b"-", b"_"))), value)
        elif how == 3 and value:
            pairs[at] = (name, other_text(draw, value.decode("latin-1")).encode("latin-1"))
        elif how == 4:
            pairs[at] = (
                name,
                draw.pick((pairs[draw.below(len(pairs))][1], value + b" ", b"\t" + value, value.upper())),
            )
        else:
            pairs.insert(at, draw.pick(CONTENT))
        if not pairs:
            break
    return pairs


SIGNED = signer(Clock()).sign(BODY)
GATE = Verifier(Keyring.of(KEYS), nonces=None, clock=Clock())
CARRIERS: tuple[Callable[[Pairs], Any], ...] = (
    list,
    iter,
    tuple,
    lambda pairs: [list(pair) for pair in pairs],
    lambda pairs: [(name, bytearray(value)) for name, value in pairs],
    lambda pairs: [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs],
    lambda pairs: [(name, value.decode("latin-1")) for name, value in pairs],
    lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else list(pairs),
)
"""Ways to hand on the same headers; the first is the one that is read fast."""


def told(read: Callable[[Any], Any], given: Any) -> Any:
    """What is read, with every type of it, or the refusal in every word."""
    try:
        return repr(read(given))
    except SigningError as error:
        return error.reason, error.pointer, error.detail


def fields(given: Any) -> Any:
    """What is read of headers, the api key among it; and True, unless what a glance takes for proved is otherwise."""
    glanced = wire.glance(given)
    right = glanced is None or (TIMESTAMP.matches(glanced[2]) and NONCE.matches(glanced[3]))
    found = wire.read_headers(given)
    return type(found).__name__, tuple(found), right and glanced in (None, tuple(found))


def verdict(given: Any) -> Any:
    """What the gate makes of headers that come with the body that was signed."""
    return tuple(GATE.admit(given, BODY))


def compare_texts(seed: int, how_many: int) -> tuple[list[str], int]:
    """Of so many texts of a seed, those that the two paths read or refuse differently, and how many were read fast."""
    draw, found, slow, exact = Traps(seed), [], 0, canonical.parse_exactly

    def counted(raw: bytes) -> Any:
        nonlocal slow
        slow += 1
        return exact(raw)

    with patch.object(canonical, "parse_exactly", counted):
        for _ in range(how_many):
            raw = text(draw)
            if told(canonical.parse, raw) != told(exact, raw) or written_otherwise(raw):
                found.append(repr(raw)[:500])
    return found, how_many - slow


def written_otherwise(raw: bytes) -> bool:
    """Whether what was read of a text is written otherwise where its types are taken for known."""
    with suppress(SigningError):
        value = parse_exactly(raw)
        return canonical.canonicalize_parsed(value) != write_exactly(value)
    return False


def compare_headers(seed: int, how_many: int) -> list[str]:
    """Of so many requests of a seed, those whose headers are read differently when they are handed on otherwise."""
    draw, found = Traps(seed), []
    for _ in range(how_many):
        pairs = headers(draw)
        seen = {(told(fields, carrier(pairs)), told(verdict, carrier(pairs))) for carrier in CARRIERS}
        if len(seen) != 1:
            found.append(repr(pairs)[:500])
    return found
