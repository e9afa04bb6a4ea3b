"""JSON value → its one canonical byte string, and text → value, strictly (SPEC §3; RFC 8785, RFC 7493).

`rp_signing.exact` is the definition. Here orjson writes, and what it writes otherwise than RFC 8785 is mended in its
output where that can be proved to be right; wherever it cannot, the exact path writes. A check that is too careful
costs time, one that is too lax would be a wrong byte.
"""

from __future__ import annotations

import gc
import re
from math import copysign
from typing import Any

import orjson

from .errors import CanonicalizationError, Reason
from .exact import MAX_DEPTH, MAX_INTEGER, parse_exactly, type_name, write_exactly

__all__ = ["DEFAULT_LIMIT", "MAX_DEPTH", "MAX_INTEGER", "canonicalize", "canonicalize_parsed", "parse"]

DEFAULT_LIMIT = 1024 * 1024
"""Bytes that `parse` and a verifier read unless told otherwise (SPEC §10)."""

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def canonicalize(value: Any) -> bytes:
    """Give the canonical form of a JSON value (SPEC §3.1; RFC 8785).

    Args:
        value: None, bool, int, float, str, list, tuple (an array) or dict with str names, of exactly these types and
            at most 64 levels deep. Nothing else is converted.

    Returns:
        UTF-8 bytes without a byte order mark. Equal values give equal bytes, here and in every implementation.

    Raises:
        CanonicalizationError: ``payload_number_range``, ``payload_surrogate``, ``payload_depth``, ``key_not_string``
            or ``value_not_json``, with a JSON Pointer to the place (SPEC §3.2).
    """
    parts = _parts_of(value)
    floats: list[float] = []
    if not _NO_FLOATS.issuperset(map(type, parts)):  # ends at the first float, and a foreign type is rarer still
        floats = [part for part in parts if type(part) not in _NO_FLOATS]
        if not _JSON_TYPES.issuperset(map(type, floats)):
            return write_exactly(value)
    try:
        written = orjson.dumps(value, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return write_exactly(value)
    mended: bytes | None = written
    if floats:
        mended = _with_own_numbers(written, floats)
    if mended and not mended.isascii():
        mended = _in_utf16_order(mended)
    return mended or write_exactly(value)


def canonicalize_parsed(value: Any) -> bytes:
    """Do what `canonicalize` does, in half the time, of what `parse` gave: its types need no proof.

    Args:
        value: what `parse` gave, a part of it, or the same with members left out. Of anything else the bytes may be
            wrong.
    """
    written = orjson.dumps(value, option=_SORTED)
    if _whole(written) or _small(written) or (43 in written and _large(written)):
        return canonicalize(value)
    return written if written.isascii() else _in_utf16_order(written) or write_exactly(value)


def parse(text: bytes | str, limit: int = DEFAULT_LIMIT) -> Any:
    """Read a JSON text strictly: one value, or a refusal that says where (SPEC §3.3).

    Args:
        text: the bytes, UTF-8 without a byte order mark (a str counts as its UTF-8 bytes).
        limit: how many bytes are read at the most.

    Returns:
        None, bool, int, float, str, list or dict; `canonicalize` takes it.

    Raises:
        CanonicalizationError: ``payload_too_large``, ``payload_not_utf8``, ``payload_not_json``,
            ``payload_duplicate_key``, ``payload_surrogate``, ``payload_depth`` or ``payload_number_range``; and
            ``value_not_json`` for an argument that is no text.
    """
    raw = _bytes_of(text)
    if len(raw) > limit:
        raise CanonicalizationError(
            Reason.PAYLOAD_TOO_LARGE, f"the text has {len(raw):,} bytes, the limit is {limit:,}"
        )
    try:
        value = orjson.loads(raw)
        # Written again in the order it was read and equal to what came: so no member was lost to another of its name,
        # and no number changed.
        same = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) == raw
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        same = False
    if same and _is_shallow(value):
        return value
    return parse_exactly(raw)


# Mending what orjson wrote

# orjson takes types that are no JSON (UUID, Enum, Fragment) whatever its options, and some of them end the process. So
# types are proved from the objects, before it sees them.
_CONTAINERS = (list, dict, tuple)
_NO_FLOATS = frozenset({str, int, bool, type(None), *_CONTAINERS})
_JSON_TYPES = _NO_FLOATS | {float}
_inside = gc.get_referents
_DEPTHS = range(MAX_DEPTH)

_WIDE, _VERY_WIDE, _MANY = 200, 1_000, 5_000_000
_NO_END = [NotImplemented]


def _parts_of(value: Any) -> list[Any]:
    """Give a value and everything inside it, but names; something that is no JSON where it is too deep, or without end.

    Names are not looked at: orjson takes none but str, and a subclass of it comes as a part.
    """
    parts = [value]
    level = _inside(value)
    for _ in _DEPTHS:
        if not level:
            return parts
        parts += level
        if len(level) > _WIDE and not _may_go_on(level):
            return _NO_END
        level = _inside(*level)
    # An array or object at the last depth could be one level too deep; the exact path knows.
    return _NO_END


def _is_shallow(value: Any) -> bool:
    """Tell whether a value that orjson has read is surely not too deep."""
    level = [value]
    for _ in _DEPTHS:
        level = _inside(*level)
        if not level:
            return True
    return False


def _may_go_on(level: list[Any]) -> bool:
    """Look at a wide level before the next: what is inside a foreign object could be the whole process.

    And a list that holds itself twice doubles with each level; the exact path ends where the depth does.
    """
    if not set(map(type, level)) <= _JSON_TYPES:
        return False
    return len(level) < _VERY_WIDE or sum([len(part) for part in level if part.__class__ in _CONTAINERS]) <= _MANY


def _in_utf16_order(written: bytes) -> bytes | None:
    """Bring names that orjson sorted by code point into the order of UTF-16 code units (SPEC CAN-2).

    The two orders differ only where a name with U+E000 to U+FFFF (UTF-8 from 0xEE or 0xEF) stands beside one with a
    character above U+FFFF (UTF-8 from 0xF0). Then the former are moved, by their first byte, to where they sort last,
    U+10E000 to U+10FFFF, the document is sorted again, and they are moved back.
    """
    if not (0xEF in written or 0xEE in written):
        return written
    if 0xF1 in written or 0xF2 in written or 0xF3 in written or 0xF4 in written:
        return None
    if 0xF0 not in written or not (_in_a_name(b"\xef", written) or _in_a_name(b"\xee", written)):
        return written
    moved = written.replace(b"\xee", b"\xf4\x8e").replace(b"\xef", b"\xf4\x8f")
    sorted_again = orjson.dumps(orjson.loads(moved), option=orjson.OPT_SORT_KEYS)
    if 0xEE in written:
        sorted_again = _MOVED_EE.sub(b"\xee", sorted_again)
    return _MOVED_EF.sub(b"\xef", sorted_again)


def _in_a_name(lead: bytes, written: bytes) -> bool:
    """Tell whether a character of which this is the first byte stands in a member's name."""
    at = written.find(lead)
    while at >= 0:
        end = _REST_OF_STRING.match(written, at).end()  # type: ignore[union-attr]  # each string has an end
        if written.startswith(b":", end):
            return True
        at = written.find(lead, end)
    return False


_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"')
# A third of the time that bytes.replace takes for two bytes.
_MOVED_EE, _MOVED_EF = re.compile(b"\xf4\x8e"), re.compile(b"\xf4\x8f")


_FRACTION = re.compile(rb"\.0(?=[,}\]])")


def _with_own_numbers(written: bytes, floats: list[float]) -> bytes | None:
    """Take the ``.0`` from whole floats; None where another spelling of orjson's needs the exact path.

    Those are ``-0.0``, exponents from 1e+16 to 1e+20 and of 1e-6, and ``null`` for infinities and NaN.
    """
    whole = 0
    for number in floats:
        if not 1e-5 <= number < 1e16 and not _is_usual(number):
            return None
        if number.is_integer():
            whole += 1
    if not whole:
        return written
    # Text can look like a whole float; then more places are found than there are such floats.
    mended, found = _FRACTION.subn(b"", written)
    return mended if found == whole else None


# What looks like the end of a number that orjson spells otherwise, in text too.
_whole, _small, _large = (re.compile(end + rb"(?=[,}\]]|\Z)").search for end in (rb"\.0", rb"e-6", rb"\+(?:1[6-9]|20)"))


def _is_usual(number: float) -> bool:
    """Tell whether orjson writes a double as ECMAScript does, but for a ``.0`` at its end."""
    return 1e-5 <= abs(number) < 1e16 or (number == 0 and copysign(1, number) > 0)


# Strict reading


def _bytes_of(text: Any) -> bytes:
    # By its type, not by what it says of itself: what is measured must be what is read.
    kind = type(text)
    if kind is bytes:
        return bytes(text)
    if issubclass(kind, str):
        try:
            return str.encode(text)
        except UnicodeEncodeError:
            raise CanonicalizationError(
                Reason.PAYLOAD_NOT_UTF8, "the str holds a lone surrogate; hand in the bytes that were received"
            ) from None
    if issubclass(kind, (bytes, bytearray, memoryview)):
        try:
            return memoryview(text).tobytes()
        except ValueError:
            pass
    raise CanonicalizationError(Reason.VALUE_NOT_JSON, f"parse takes bytes or str, not {type_name(text)}")
