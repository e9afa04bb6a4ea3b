"""JSON value → its one canonical byte string, and text → value, strictly (SPEC §3; RFC 8785, RFC 7493).

Two paths write the same bytes. The exact path is the definition: one function, no JSON library's number or key
order in it. The fast path asks orjson, and is left for the exact one whenever its output might differ; a check that
is too careful costs time, one that is too lax would be a wrong byte.
"""

from __future__ import annotations

import gc
import marshal
import re
from enum import Enum
from json import JSONDecodeError, JSONDecoder
from json.encoder import encode_basestring
from typing import Any, NoReturn

import orjson

from .errors import CanonicalizationError, Reason

__all__ = ["DEFAULT_LIMIT", "MAX_DEPTH", "MAX_INTEGER", "canonicalize", "parse"]

MAX_DEPTH = 64
"""How many arrays and objects may stand in one another (SPEC CAN-10)."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that survives every JSON implementation (SPEC CAN-7)."""

DEFAULT_LIMIT = 1024 * 1024
"""Bytes that `parse` and a verifier read unless told otherwise (SPEC §10)."""

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)

# What orjson writes otherwise than RFC 8785, as it ends in the output: whole floats, and the exponents from 1e+16 to
# 1e+20 and of 1e-6. Text can look the same; then the exact path is taken for nothing.
_FOREIGN_NUMBER = re.compile(rb"\.0[,}\]]|e\+(?:1[6-9]|20)[,}\]]|e-6[,}\]]")

_CURE = {
    "Decimal": "write str(value), or float(value) where rounding is meant",
    "datetime": 'write value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")',
    "date": "write value.isoformat()",
    "time": "write value.isoformat()",
    "timedelta": "write value.total_seconds()",
    "UUID": "write str(value)",
    "bytes": "write base64.b64encode(value).decode()",
    "bytearray": "write base64.b64encode(value).decode()",
    "memoryview": "write base64.b64encode(value).decode()",
    "set": "write sorted(value), a list",
    "frozenset": "write sorted(value), a list",
    "complex": "write [value.real, value.imag]",
}


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
    try:
        written = orjson.dumps(value, option=_OPTIONS)
        # orjson takes types that are no JSON (UUID, Enum, Fragment) whatever its options; marshal takes just the
        # built-in ones, so that both together prove the types at the speed of C.
        proof = marshal.dumps(value, 4)
    except (TypeError, ValueError, RecursionError):
        return _exact(value)
    if _may_differ(value, written, proof):
        return _exact(value)
    return written


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
    if same and not _may_be_deep(value, raw):
        return value
    return _parse_exact(raw)


def _may_differ(value: Any, written: bytes, proof: bytes) -> bool:
    """Tell whether orjson's output could be other than the canonical form."""
    if type(value) is float or _may_be_deep(value, written):
        return True
    if (b".0" in written or b"e+" in written or b"e-6" in written) and _FOREIGN_NUMBER.search(written):
        return True
    # orjson writes null for infinities and NaN; in marshal's form their last byte is 0x7f or 0xff.
    if b"null" in written and (b"\x7f" in proof or b"\xff" in proof):
        return True
    # Code-point order is not UTF-16 order only where U+E000 to U+FFFF (UTF-8 from 0xEE) meets what is above
    # (UTF-8 from 0xF0).
    return (
        not written.isascii()
        and (b"\xee" in written or b"\xef" in written)
        and any(lead in written for lead in (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4"))
    )


def _may_be_deep(value: Any, text: bytes) -> bool:
    """Tell whether a value, proved to be JSON, could be nested deeper than is allowed."""
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return False
    level = gc.get_referents(value)
    for _ in range(MAX_DEPTH - 1):
        if not level:
            return False
        level = gc.get_referents(*level)
    return bool(level)


# The exact path


def _exact(value: Any) -> bytes:
    try:
        return _text(value, MAX_DEPTH).encode()
    except _Fault as fault:
        raise fault.error() from None


def _text(value: Any, room: int) -> str:
    """Write one value; `room` is how many levels of nesting are still allowed."""
    kind = type(value)
    if kind is str:
        return _string(value)
    if kind is dict:
        return _object(value, room)
    if kind is list or kind is tuple:
        return _array(value, room)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise _Fault(
                Reason.PAYLOAD_NUMBER_RANGE,
                "an integer outside ±(2^53-1) loses digits in other languages; send it as a string",
            )
        return int.__repr__(value)
    if kind is float:
        return _number(value)
    if kind is _Fault:
        raise value
    _refuse_type(value)


def _object(members: dict[Any, Any], room: int) -> str:
    if not room:
        raise _too_deep()
    for name in members:
        if type(name) is not str:
            raise _Fault(Reason.KEY_NOT_STRING, f"a name of type {type(name).__name__} stands here; names are str")
    parts = []
    # orjson's order is by code point; UTF-16 big-endian compares as bytes just as its code units do (CAN-2).
    for name in sorted(members, key=_utf16):
        try:
            parts.append(f"{_string(name)}:{_text(members[name], room - 1)}")
        except _Fault as fault:
            fault.path.append(name)
            raise
    return "{" + ",".join(parts) + "}"


def _array(items: list[Any] | tuple[Any, ...], room: int) -> str:
    if not room:
        raise _too_deep()
    parts = []
    for index, item in enumerate(items):
        try:
            parts.append(_text(item, room - 1))
        except _Fault as fault:
            fault.path.append(str(index))
            raise
    return "[" + ",".join(parts) + "]"


def _utf16(name: str) -> bytes:
    try:
        return name.encode("utf-16-be")
    except UnicodeEncodeError:
        raise _lone_surrogate("a name") from None


def _string(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _lone_surrogate("the string") from None
    # The standard library escapes just what RFC 8785 §3.2.2.2 asks for, in its spelling.
    return encode_basestring(text)


def _number(number: float) -> str:
    """Write a double as ECMAScript does (RFC 8785 §3.2.2.3), from the shortest digits that Python's repr finds."""
    if number == 0:
        return "0"
    if number - number != 0:
        raise _Fault(Reason.PAYLOAD_NUMBER_RANGE, "an infinity or NaN is no JSON number; leave it out or write null")
    text = float.__repr__(number)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text.removesuffix(".0")
    sign, digits = ("-", mantissa[1:]) if number < 0 else ("", mantissa)
    digits = digits.replace(".", "")
    power = int(exponent)
    if 0 < power < 21:
        return sign + digits.ljust(power + 1, "0")
    if -7 < power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{power:+d}"


def _refuse_type(value: Any) -> NoReturn:
    kind = type(value)
    base = next((base for base in (str, int, float, dict, list, tuple) if issubclass(kind, base)), None)
    if issubclass(kind, Enum):
        cure = "write value.value"
    elif base:
        cure = f"it is a subclass of {base.__name__}; write {base.__name__}(value)"
    else:
        cure = _CURE.get(kind.__name__, "convert it to a JSON type")
    raise _Fault(Reason.VALUE_NOT_JSON, f"a value of type {kind.__name__} is no JSON; {cure}")


class _Fault(Exception):
    """A fault on its way out, or, in a parsed tree, in the place where it was found."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.path: list[str] = []  # from the inside out

    def error(self) -> CanonicalizationError:
        names = (name.replace("~", "~0").replace("/", "~1") for name in reversed(self.path))
        return CanonicalizationError(self.reason, self.detail, "".join("/" + name for name in names))


def _too_deep() -> _Fault:
    return _Fault(Reason.PAYLOAD_DEPTH, f"nested deeper than {MAX_DEPTH} levels")


def _lone_surrogate(what: str) -> _Fault:
    return _Fault(Reason.PAYLOAD_SURROGATE, f"{what} holds half of a surrogate pair, which no UTF-8 can carry")


# Strict reading


def _bytes_of(text: Any) -> bytes:
    if isinstance(text, bytes):
        return text
    if isinstance(text, (bytearray, memoryview)):
        return bytes(text)
    if isinstance(text, str):
        try:
            return text.encode()
        except UnicodeEncodeError:
            raise CanonicalizationError(
                Reason.PAYLOAD_NOT_UTF8, "the str holds a lone surrogate; hand in the bytes that were received"
            ) from None
    raise CanonicalizationError(Reason.VALUE_NOT_JSON, f"parse takes bytes or str, not {type(text).__name__}")


def _parse_exact(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CanonicalizationError(
            Reason.PAYLOAD_NOT_UTF8, f"byte {error.start} is not UTF-8 ({error.reason})"
        ) from None
    # Before the parser sees it: its recursion must not decide how deep is too deep.
    if _brackets_too_deep(text):
        raise CanonicalizationError(Reason.PAYLOAD_DEPTH, f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = _DECODER.decode(text)
    except JSONDecodeError as error:
        hint = " (a byte order mark)" if text.startswith("\ufeff") else ""
        raise CanonicalizationError(
            Reason.PAYLOAD_NOT_JSON, f"line {error.lineno}, column {error.colno}: {error.msg}{hint}"
        ) from None
    # What has a canonical form has none of the faults left: surrogates, and those that the hooks left in place.
    _exact(value)
    return value


_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[\]{}]++")


def _brackets_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _NO_BRACKET.sub("", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                members[name] = _Fault(Reason.PAYLOAD_DUPLICATE_KEY, "this name stands twice in its object")
            seen.add(name)
    return members


def _integer(literal: str) -> int | float | _Fault:
    if len(literal) <= 17:
        integer = int(literal)
        if -MAX_INTEGER <= integer <= MAX_INTEGER:
            return integer
    number = float(literal)
    if number - number == 0 and _number(number) == literal:
        return number
    return _Fault(
        Reason.PAYLOAD_NUMBER_RANGE,
        "an integer outside ±(2^53-1) would lose digits; the sender must write it as a string",
    )


def _decimal(literal: str) -> float | _Fault:
    number = float(literal)
    if number - number == 0:
        return number
    return _Fault(Reason.PAYLOAD_NUMBER_RANGE, "this number is larger than any double")


def _constant(name: str) -> NoReturn:
    raise CanonicalizationError(Reason.PAYLOAD_NOT_JSON, f"{name} is no JSON")


_DECODER = JSONDecoder(object_pairs_hook=_members, parse_int=_integer, parse_float=_decimal, parse_constant=_constant)
