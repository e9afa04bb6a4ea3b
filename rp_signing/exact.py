"""The canonical form and the strict reading by definition, with the place of every fault (SPEC §3; RFC 8785, RFC 7493).

Nothing in here asks a JSON library how a number is written or how names are ordered. `rp_signing.canonical` is faster,
and has to give the same bytes and the same values.
"""

from __future__ import annotations

import re
from enum import Enum
from json import JSONDecodeError, JSONDecoder
from json.encoder import encode_basestring
from typing import Any, NoReturn

from .errors import CanonicalizationError, Reason

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "parse_exactly", "type_name", "write_exactly", "write_number"]

MAX_DEPTH = 64
"""How many arrays and objects may stand in one another (SPEC CAN-10)."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that survives every JSON implementation (SPEC CAN-7)."""

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


def write_exactly(value: Any) -> bytes:
    """Do what `rp_signing.canonicalize` does, the slow way."""
    try:
        return _text(value, MAX_DEPTH).encode()
    except Fault as fault:
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
            raise Fault(
                Reason.PAYLOAD_NUMBER_RANGE,
                "an integer outside ±(2^53-1) loses digits in other languages; send it as a string",
            )
        return int.__repr__(value)
    if kind is float:
        return write_number(value)
    if kind is Fault:
        raise value
    _refuse_type(value)


def _object(members: dict[Any, Any], room: int) -> str:
    if not room:
        raise _too_deep()
    for name in members:
        if type(name) is not str:
            raise Fault(Reason.KEY_NOT_STRING, f"a name of type {type_name(name)} stands here; names are str")
    parts = []
    # orjson's order is by code point; UTF-16 big-endian compares as bytes just as its code units do (CAN-2).
    for name in sorted(members, key=_utf16):
        try:
            parts.append(f"{_string(name)}:{_text(members[name], room - 1)}")
        except Fault as fault:
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
        except Fault as fault:
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


def write_number(number: float) -> str:
    """Write a double as ECMAScript does (RFC 8785 §3.2.2.3), from the shortest digits that Python's repr finds."""
    if number == 0:
        return "0"
    if number - number != 0:
        raise Fault(Reason.PAYLOAD_NUMBER_RANGE, "an infinity or NaN is no JSON number; leave it out or write null")
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
        cure = _CURE.get(type_name(value), "convert it to a JSON type")
    raise Fault(Reason.VALUE_NOT_JSON, f"a value of type {type_name(value)} is no JSON; {cure}")


def type_name(value: Any) -> str:
    """Give the name of an object's type, whatever the type says of itself."""
    name: str = type.__dict__["__name__"].__get__(type(value))
    return name


class Fault(Exception):
    """A fault on its way out, or, in a parsed tree, in the place where it was found."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.path: list[str] = []  # from the inside out

    def error(self) -> CanonicalizationError:
        """Give what the caller of the package sees."""
        names = (name.replace("~", "~0").replace("/", "~1") for name in reversed(self.path))
        return CanonicalizationError(self.reason, self.detail, "".join("/" + name for name in names))


def _too_deep() -> Fault:
    return Fault(Reason.PAYLOAD_DEPTH, f"nested deeper than {MAX_DEPTH} levels")


def _lone_surrogate(what: str) -> Fault:
    return Fault(Reason.PAYLOAD_SURROGATE, f"{what} holds half of a surrogate pair, which no UTF-8 can carry")


# Reading


def parse_exactly(raw: bytes) -> Any:
    """Do what `rp_signing.parse` does, the slow way, of bytes of whatever length."""
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
    write_exactly(value)
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
                members[name] = Fault(Reason.PAYLOAD_DUPLICATE_KEY, "this name stands twice in its object")
            seen.add(name)
    return members


def _integer(literal: str) -> int | float | Fault:
    if len(literal) <= 17:
        integer = int(literal)
        if -MAX_INTEGER <= integer <= MAX_INTEGER:
            return integer
    number = float(literal)
    if number - number == 0 and write_number(number) == literal:
        return number
    return Fault(
        Reason.PAYLOAD_NUMBER_RANGE,
        "an integer outside ±(2^53-1) would lose digits; the sender must write it as a string",
    )


def _decimal(literal: str) -> float | Fault:
    number = float(literal)
    if number - number == 0:
        return number
    return Fault(Reason.PAYLOAD_NUMBER_RANGE, "this number is larger than any double")


def _constant(name: str) -> NoReturn:
    raise CanonicalizationError(Reason.PAYLOAD_NOT_JSON, f"{name} is no JSON")


_DECODER = JSONDecoder(object_pairs_hook=_members, parse_int=_integer, parse_float=_decimal, parse_constant=_constant)
