"""Requests, events, texts and headers that are spoiled in one place, from a seed: each of them has to be refused."""

from __future__ import annotations

import base64
import json
import random
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from parties import BODY, KEYS, NOW, OTHER, Clock, signer
from spec_page import API_KEY

from rp_signing import Keyring, MemoryNonceStore, Signer, Verifier, canonicalize, parse, sign_event, verify_event, wire
from rp_signing.errors import SigningError

KEYRING = Keyring.of(KEYS)
SECRET = KEYS[API_KEY][0]
PRINTABLE = string.ascii_letters + string.digits + "_-=+/,;: \t\"'\x00\x7f\xa0\xff"
EVENT = {"type": "track", "event": "Order Completed", "userId": "user-123", "messageId": "m-1",
         "properties": {"total": 12.5, "items": [1, 2, {"sku": "a"}], "note": None}}  # fmt: skip


def gate() -> Verifier:
    """A gate that has taken nothing, so that what it took by mistake hides no second mistake."""
    return Verifier(KEYRING, nonces=MemoryNonceStore(born=0), clock=Clock())


@cache
def request() -> tuple[tuple[str, str], ...]:
    """The headers of a request that would pass."""
    return tuple(signer(Clock()).sign(BODY).items())


@cache
def signed() -> dict[str, Any]:
    """An event that would pass."""
    return sign_event(EVENT, api_key=API_KEY, secret=SECRET)


def other_bytes(draw: random.Random, octets: bytes) -> bytes:
    """One bit turned, one byte put in, taken out or doubled, or two ends cut."""
    at = draw.randrange(len(octets))
    how = draw.randrange(5)
    if how == 0:
        return octets[:at] + bytes([octets[at] ^ 1 << draw.randrange(8)]) + octets[at + 1 :]
    if how == 1:
        return octets[:at] + bytes([draw.randrange(256)]) + octets[at:]
    if how == 2:
        return octets[:at] + octets[at + 1 :]
    return octets[: at + 1] + octets[at:] if how == 3 else octets[at:] * 2 + b" "


def other_text(draw: random.Random, text: str) -> str:
    """One character replaced, put in, taken out or doubled, or its case changed."""
    while True:
        at = draw.randrange(len(text))
        swapped = text[at].swapcase() if draw.random() < 0.2 else draw.choice(PRINTABLE)
        made = draw.choice((text[:at] + swapped + text[at + 1 :], text[:at] + swapped + text[at:],
                            text[:at] + text[at + 1 :], text[: at + 1] + text[at:]))  # fmt: skip
        if made != text:
            return made


def spoil_request(draw: random.Random) -> None:
    """Call `verify` with a request that is spoiled in its headers or its body."""
    headers, body = list(request()), BODY
    at = draw.randrange(len(headers))
    name, value = headers[at]
    how = draw.randrange(9)
    if how <= 2:
        body = other_bytes(draw, body)
    elif how <= 4:
        headers[at] = (name, other_text(draw, value))
    elif how == 5:
        headers.insert(draw.randrange(len(headers) + 1), (name.lower() if draw.random() < 0.5 else name, value))
    elif how == 6:
        # The key id alone may be missing in a request that was signed so; in this one it is signed.
        del headers[at]
    elif how == 7:
        now = NOW + draw.choice((-1, 1)) * draw.randrange(400, 10**8)
        headers = list(Signer(api_key=API_KEY, secret=SECRET, clock=lambda: now).sign(body).items())
    else:
        headers = list(Signer(api_key=API_KEY, secret=OTHER, clock=lambda: NOW).sign(body).items())
    gate().verify(as_a_server_does(headers) if draw.random() < 0.5 else headers, body)


def as_a_server_does(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """The same headers as an ASGI server hands them on, the shape that is read fastest."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def spoil_event(draw: random.Random) -> None:
    """Call `verify_event` with an event that is spoiled in a member or in its signature."""
    event = dict(signed())
    name = draw.choice(sorted(event))
    how = draw.randrange(5)
    if how == 0:
        del event[name]
    elif how == 1:
        event[other_text(draw, name)] = event.pop(name)
    elif how == 2:
        event[name] = other_text(draw, event[name]) if isinstance(event[name], str) else draw.random()
    elif how == 3:
        event[draw.choice(("extra", "Type", "user_id", ""))] = draw.choice((None, 1, "x", []))
    else:
        event = sign_event({**EVENT, "userId": str(draw.random())}, api_key=API_KEY, secret=SECRET)
        event["userId"] = EVENT["userId"]
    verify_event(event, keyring=KEYRING, api_key=API_KEY)


_BAD_VALUES = ("01", "+1", "1.", ".5", "NaN", "Infinity", "-", "0x1", "1e400", "9007199254740993", "True", "nul", "'a'",
               '"\\ud800"', '"\\x41"', '"\t"', "[1,]", "[,1]", '{"a":1,}', '{"a":1,"a":1}', '{"a":1,"\\u0061":2}',
               "[" * 70 + "]" * 70, '{"a" 1}', "{a:1}", "[1 2]", "", "1_000", "--1", "1e", '"', "\ufeff1")  # fmt: skip


def spoil_text(draw: random.Random) -> None:
    """Call `parse` with a text that holds one thing that no strict reader takes."""
    bad = draw.choice(_BAD_VALUES)
    text = json.dumps({"a": draw.random(), "MARK": 1, "b": ["x" * draw.randrange(9), {"c": draw.randrange(9)}]})
    how = draw.randrange(6)
    if how < 3:
        raw = text.replace('"MARK": 1', f'"MARK": {bad}').encode("utf-8", "surrogatepass")
    elif how == 3:
        raw = text.encode() + draw.choice((b"x", b"\x00", b"{}", b",", b"]", b"\xef\xbb\xbf", b"//"))
    elif how == 4:
        raw = text[: draw.randrange(1, len(text) - 1)].encode()
    else:
        at = text.index("MARK") + draw.randrange(5)
        raw = text[:at].encode() + draw.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x80")) + text[at:].encode()
    parse(raw)


def spoil_headers(draw: random.Random) -> None:
    """Call the reading of headers with one that is malformed, doubled or of the wrong type."""
    headers: list[tuple[Any, Any]] = [(name.encode(), value.encode("latin-1")) for name, value in request()]
    at = draw.randrange(len(headers))
    name, value = headers[at]
    how = draw.randrange(5)
    if how == 0:
        headers.append((name.lower(), value))
    elif how == 1:
        headers[at] = (
            name,
            draw.choice((value + b" ", b" " + value, value + b"\x00", value + b",", b"", value + b"\n")),
        )
    elif how == 2:
        headers[at] = (name, value[:5] + bytes([draw.randrange(128, 256)]) + value[6:])
    elif how == 3:
        headers[at] = (name, draw.choice((None, 1, 1.5, [value])))
    else:
        headers += [(b"content-encoding", b"gzip")]
    wire.read_headers(headers)


KINDS: dict[str, Callable[[random.Random], None]] = {
    "verify": spoil_request,
    "verify_event": spoil_event,
    "parse": spoil_text,
    "headers": spoil_headers,
}


def tally(kind: str, seed: int, count: int) -> Counter[str]:
    """Make so many spoiled calls: how many were refused, accepted, and ended by another exception, with an example."""
    draw = random.Random(f"{kind} {seed}")
    seen: Counter[str] = Counter()
    for number in range(count):
        try:
            KINDS[kind](draw)
        except SigningError:
            seen["refused"] += 1
        except Exception as error:
            seen[f"foreign: {type(error).__name__}"] += 1
        else:
            seen[f"accepted: number {number} of seed {seed}"] += 1
    return seen


def spellings(value: str) -> Iterator[str]:
    """Every text next to a header's value: each octet in each place, put in or instead, and known ones."""
    octets = [chr(octet) for octet in range(256)]
    for at in range(len(value) + 1):
        for octet in octets:
            yield value[:at] + octet + value[at:]
            if at < len(value):
                yield value[:at] + octet + value[at + 1 :]
        if at < len(value):
            yield value[:at] + value[at + 1 :]
    yield from (
        value.upper(),
        value.title(),
        value.swapcase(),
        f'"{value}"',
        f"{value}, {value}",
        value * 2,
        value[::-1],
    )
    yield from (
        f"+{value}",
        f"0{value}",
        f"{value}.0",
        f"{value}000",
        f"{value}\r\n",
        f" {value} ",
        value.replace("=", ":"),
    )
    yield from ("".join(chr(ord(digit) + 0xFEE0) if digit.isdigit() else digit for digit in value), "")
    if value.startswith("sha256="):
        mac = bytes.fromhex(value[7:])
        yield from (
            value[7:],
            f"sha256={base64.b64encode(mac).decode()}",
            f"SHA256={value[7:]}",
            f"sha256={value[7:71].upper()}",
        )
        yield from (f"sha256=0x{value[7:]}", f"hmac-sha256={value[7:]}", f"sha1={value[7:]}", f"v1={value[7:]}")


def accepted_spellings() -> tuple[int, list[tuple[str, str]]]:
    """Verify a good request, in both shapes, for every other spelling of each of its headers: how many, which taken."""
    tried, taken = 0, []
    # A key id that is not there, or another nonce, is signed too: no other spelling of any of the five can pass.
    for at, (name, value) in enumerate(request()):
        for other in dict.fromkeys(spellings(value)):
            if other == value:
                continue
            tried += 1
            headers = [*request()[:at], (name, other), *request()[at + 1 :]]
            # No octets carry what lies outside Latin-1; only a caller in Python can hand that in.
            octets = [as_a_server_does(headers)] if max(other, default="") <= "\xff" else []
            for shape in (headers, *octets):
                try:
                    Verifier(KEYRING, nonces=None, clock=Clock()).check(shape, BODY)
                except SigningError:
                    continue
                taken.append((name, other))
    return tried, taken


def unspoiled_passes() -> bool:
    """What the spoiled ones are made from is taken: else all of this would say nothing."""
    fresh = Verifier(KEYRING, nonces=MemoryNonceStore(born=0), clock=Clock())
    fresh.verify(request(), BODY)
    gate().verify(as_a_server_does(request()), BODY)
    verify_event(signed(), keyring=KEYRING, api_key=API_KEY)
    return canonicalize(parse(BODY)) == canonicalize(json.loads(BODY)) and bool(wire.read_headers(request()))
