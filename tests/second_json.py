"""The second implementation: canonical form and strict reading, written from SPEC.md §3 alone."""

from __future__ import annotations

import math
import re
from typing import Any

from second_number import number

LARGEST = 2**53 - 1
DEEPEST = 64
COMMA, COLON = ",", ":"
SHORT_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
READ_ESCAPES = dict(zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True))
SPACE = re.compile(r"[ \t\n\r]*")
NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?")
PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
HEX4 = re.compile(r"[0-9A-Fa-f]{4}")
LONE = re.compile(r"[\ud800-\udfff]")


def pointer_of(path: tuple[str | int, ...]) -> str:
    """The JSON Pointer of a path."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


class Refused(Exception):
    """Input was refused: a reason of SPEC.md, and the path to the place."""

    def __init__(self, reason: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pointer = pointer_of(path)


def quoted(text: str) -> str:
    """A string with the few escapes that the canonical form has."""
    pieces = []
    for character in text:
        code = ord(character)
        plain = character if code >= 0x20 else f"\\u{code:04x}"
        pieces.append(SHORT_ESCAPES.get(code, plain))
    return '"' + "".join(pieces) + '"'


def order(name: str) -> bytes:
    """What names are sorted by: their UTF-16 code units."""
    return name.encode("utf-16-be")


def whole_text(text: str, path: tuple[str | int, ...]) -> str:
    """A text without lone surrogates."""
    if LONE.search(text):
        raise Refused("payload_surrogate", path)
    return text


def integer(value: int, path: tuple[str | int, ...]) -> str:
    """An integer that a double tells from its neighbours."""
    if abs(value) > LARGEST:
        raise Refused("payload_number_range", path)
    return str(value)


def finite(value: float, path: tuple[str | int, ...]) -> str:
    """A double that is a number."""
    if not math.isfinite(value):
        raise Refused("payload_number_range", path)
    return number(value)


def foreign(value: Any, path: tuple[str | int, ...]) -> str:
    """A value that a language has and JSON has not."""
    raise Refused("value_not_json", path)


def scalar(value: Any, path: tuple[str | int, ...]) -> str:
    """A value that holds no other."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return integer(value, path)
    if isinstance(value, float):
        return finite(value, path)
    if isinstance(value, str):
        return quoted(whole_text(value, path))
    return foreign(value, path)


def array_text(value: list[Any], path: tuple[str | int, ...]) -> str:
    """An array; its order is its own."""
    return "[" + COMMA.join([written(item, (*path, i)) for i, item in enumerate(value)]) + "]"


def name_text(name: Any, path: tuple[str | int, ...]) -> str:
    """A name that can stand in an object."""
    if not isinstance(name, str):
        raise Refused("key_not_string", path)
    return whole_text(name, path)


def object_text(value: dict[Any, Any], path: tuple[str | int, ...]) -> str:
    """An object, its members sorted."""
    named = {name_text(name, path): item for name, item in value.items()}
    ordered = sorted(named, key=order)
    return "{" + COMMA.join([quoted(name) + COLON + written(named[name], (*path, name)) for name in ordered]) + "}"


def written(value: Any, path: tuple[str | int, ...] = ()) -> str:
    """The canonical form as text."""
    if not isinstance(value, dict | list):
        return scalar(value, path)
    if len(path) >= DEEPEST:
        raise Refused("payload_depth", path)
    return array_text(value, path) if isinstance(value, list) else object_text(value, path)


def encoded(text: str) -> bytes:
    """The bytes of a text."""
    return text.encode()


def canonical(value: Any) -> bytes:
    """The canonical form of a value."""
    return encoded(written(value))


class Reader:
    """A strict reader of one JSON text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def space(self) -> None:
        """Go past white space."""
        match = SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def take(self, token: str) -> bool:
        """Go past a token, where it stands here."""
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def need(self, token: str) -> None:
        """Go past a token that has to stand here."""
        if not self.take(token):
            raise Refused("payload_not_json")

    def value(self, path: tuple[str | int, ...]) -> Any:
        """Read one value, with the white space around it."""
        self.space()
        for token, inside in (("{", self.members), ("[", self.items)):
            if self.take(token):
                if len(path) >= DEEPEST:
                    raise Refused("payload_depth", path)
                found: Any = inside(path)
                break
        else:
            found = self.single(path)
        self.space()
        return found

    def single(self, path: tuple[str | int, ...]) -> Any:
        """Read a value that holds no other."""
        for token, constant in (("null", None), ("true", True), ("false", False)):
            if self.take(token):
                return constant
        if self.take('"'):
            return self.string(path)
        match = NUMBER.match(self.text, self.at)
        if not match:
            raise Refused("payload_not_json")
        self.at = match.end()
        return self.numeral(match, path)

    def numeral(self, match: re.Match[str], path: tuple[str | int, ...]) -> int | float:
        """A number, as the double or the integer that it is."""
        literal, (whole, fraction, exponent) = match[0], match.groups()
        value = float(literal)
        if math.isinf(value):
            raise Refused("payload_number_range", path)
        if fraction or exponent or literal == "-0":
            return value
        if len(whole) < 18 and abs(int(whole)) <= LARGEST:
            return int(whole)
        if number(value) != literal:
            raise Refused("payload_number_range", path)
        return value

    def items(self, path: tuple[str | int, ...]) -> list[Any]:
        """The rest of an array."""
        found: list[Any] = []
        self.space()
        if self.take("]"):
            return found
        while True:
            found.append(self.value((*path, len(found))))
            if self.take("]"):
                return found
            self.need(",")

    def members(self, path: tuple[str | int, ...]) -> dict[str, Any]:
        """The rest of an object."""
        found: dict[str, Any] = {}
        self.space()
        if self.take("}"):
            return found
        while True:
            self.space()
            self.need('"')
            name = self.string(path)
            self.once(found, name, path)
            self.space()
            self.need(":")
            found[name] = self.value((*path, name))
            if self.take("}"):
                return found
            self.need(",")

    def once(self, found: dict[str, Any], name: str, path: tuple[str | int, ...]) -> None:
        """A name stands once in its object."""
        if name in found:
            raise Refused("payload_duplicate_key", (*path, name))

    def string(self, path: tuple[str | int, ...]) -> str:
        """The rest of a string; pairs of escaped surrogates become one character."""
        pieces = []
        while True:
            match = PLAIN.match(self.text, self.at)
            pieces.append(match[0] if match else "")
            self.at += len(pieces[-1])
            if self.take('"'):
                break
            self.need("\\")
            pieces.append(self.escape())
        return self.joined("".join(pieces).encode("utf-16-be", "surrogatepass"), path)

    def joined(self, units: bytes, path: tuple[str | int, ...]) -> str:
        """The text of UTF-16 code units."""
        try:
            return units.decode("utf-16-be")
        except UnicodeDecodeError:
            raise Refused("payload_surrogate", path) from None

    def escape(self) -> str:
        """What stands after a reverse solidus."""
        if self.take("u"):
            match = HEX4.match(self.text, self.at)
            if not match:
                raise Refused("payload_not_json")
            self.at += 4
            return chr(int(match[0], 16))
        letter = self.text[self.at : self.at + 1]
        if letter not in READ_ESCAPES or not letter:
            raise Refused("payload_not_json")
        self.at += 1
        return READ_ESCAPES[letter]


def too_large(data: bytes, limit: int) -> bool:
    """Whether bytes are longer than a limit."""
    return len(data) > limit


def decoded(data: bytes) -> str:
    """The text of UTF-8, strictly."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("payload_not_utf8") from None


def parsed(text: str) -> Any:
    """The one value of a text."""
    reader = Reader(text)
    value = reader.value(())
    if reader.at != len(reader.text):
        raise Refused("payload_not_json")
    return value


def read(data: bytes, limit: int | None = None) -> Any:
    """The one value of a JSON text."""
    if limit is not None and too_large(data, limit):
        raise Refused("payload_too_large")
    return parsed(decoded(data))
