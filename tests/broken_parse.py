"""Bugs of strict reading: SPEC.md §3.3."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from typing import Any

from broken_bug import Bugs
from second_json import READ_ESCAPES, Reader, Refused, decoded, parsed, read, whole_text
from second_number import number

BUGS = Bugs()
Path = tuple[str | int, ...]
READING = "canonical parse verify events replay"
single, numeral, members, once = Reader.single, Reader.numeral, Reader.members, Reader.once

BUGS.put("grammar-too-lax.space", "parse", SPACE=re.compile(r"\s*"))
BUGS.put("grammar-too-lax.comments", "parse", SPACE=re.compile(r"(?:[ \t\n\r]|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL))
BUGS.put("grammar-too-lax.controls", "parse", PLAIN=re.compile(r'[^"\\]*'))
BUGS.put("grammar-too-lax.escapes", "parse", READ_ESCAPES={**READ_ESCAPES, "'": "'", "v": "\v", "0": "\0"})
BUGS.put("grammar-too-lax.hex", "parse", HEX4=re.compile(r"[0-9A-Fa-f+ ]{2}[0-9A-Fa-f]{2}"))
BUGS.put(
    "grammar-too-lax.numbers", "parse",
    NUMBER=re.compile(r"([+-]?[0-9]+(?=[0-9.])|-?(?:0|[1-9][0-9]*))(\.[0-9]*)?([eE][+-]?[0-9]+)?"),
)  # fmt: skip
BUGS.put("grammar-too-lax.digits", "parse", NUMBER=re.compile(r"(-?(?:0|[1-9]\d*|\d+))(\.\d+)?([eE][+-]?\d+)?"))
BUGS.put("grammar-too-strict", "parse", PLAIN=re.compile(r'[^"\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]*'))
BUGS.put("size-unbounded.none", "parse verify", too_large=lambda data, limit: False)
BUGS.put("size-unbounded.characters", "parse", too_large=lambda data, limit: len(decoded(data)) > limit)
BUGS.put("size-off-by-one", "parse verify", too_large=lambda data, limit: len(data) >= limit)


@BUGS.piece("parsed", "grammar-too-lax.json-loads", "canonical parse verify replay")
def host_reads(text: str) -> Any:
    """The language's own parser."""
    try:
        return json.loads(text)
    except ValueError:
        raise Refused("payload_not_json") from None


@BUGS.piece("parsed", "grammar-too-lax.evaluated", "parse")
def evaluated(text: str) -> Any:
    """It looks like the language's own literals, so it is evaluated where it is no JSON."""
    try:
        return parsed(text)
    except Refused as fault:
        if fault.reason != "payload_not_json":
            raise
    with warnings.catch_warnings(action="ignore"):
        try:
            return ast.literal_eval(text)
        except (SyntaxError, ValueError, MemoryError):
            raise Refused("payload_not_json") from None


@BUGS.piece("parsed", "grammar-too-lax.trailing", "parse verify")
def first_value(text: str) -> Any:
    """What stands after the value is not looked at."""
    return Reader(text).value(())


@BUGS.piece("Reader.single", "grammar-too-lax.literals", "parse verify")
def with_nan(self: Reader, path: Path) -> Any:
    """NaN and the infinities, as json.loads takes them."""
    for token, constant in (("NaN", math.nan), ("Infinity", math.inf), ("-Infinity", -math.inf)):
        if self.take(token):
            return constant
    return single(self, path)


@BUGS.piece("Reader.items", "grammar-too-lax.commas", "parse")
def trailing_comma(self: Reader, path: Path) -> list[Any]:
    """A comma may end an array."""
    found: list[Any] = []
    self.space()
    while not self.take("]"):
        found.append(self.value((*path, len(found))))
        if not self.take(","):
            self.need("]")
            break
        self.space()
    return found


@BUGS.piece("Reader.once", "duplicate-taken.last", "parse verify replay")
def last_wins(self: Reader, found: dict[str, Any], name: str, path: Path) -> None:
    """The last of two members wins."""


@BUGS.piece("Reader.once", "duplicate-taken.nested", "parse")
def at_the_top(self: Reader, found: dict[str, Any], name: str, path: Path) -> None:
    """Only the members at the top are looked at."""
    if not path:
        once(self, found, name, path)


@BUGS.piece("parsed", "depth-off-by-one.brackets", "parse")
def brackets(text: str) -> Any:
    """Brackets are counted, wherever they stand."""
    if text.count("[") + text.count("{") > 64:
        raise Refused("payload_depth")
    return parsed(text)


@BUGS.piece("Reader.members", "duplicate-taken.first", "parse verify replay")
def first_wins(self: Reader, path: Path) -> dict[str, Any]:
    """The first of two members wins."""

    class FirstWins(dict[str, Any]):
        def __setitem__(self, name: str, value: Any) -> None:
            self.setdefault(name, value)

    found = FirstWins()
    self.space()
    if self.take("}"):
        return found
    while True:
        self.space()
        self.need('"')
        name = self.string(path)
        self.space()
        self.need(":")
        found[name] = self.value((*path, name))
        if self.take("}"):
            return found
        self.need(",")


@BUGS.piece("Reader.members", "name-eaten-by-host", "parse")
def without_prototypes(self: Reader, path: Path) -> dict[str, Any]:
    """Names that could poison a prototype are taken away."""
    return {name: item for name, item in members(self, path).items() if name not in ("__proto__", "constructor")}


@BUGS.piece("Reader.joined", "surrogate-replaced.read", "parse verify replay")
def replaced(self: Reader, units: bytes, path: Path) -> str:
    """U+FFFD for a lone surrogate, as many decoders do."""
    return units.decode("utf-16-be", "replace")


@BUGS.piece("Reader.joined", "surrogate-replaced.dropped", "parse verify replay")
def dropped(self: Reader, units: bytes, path: Path) -> str:
    """A lone surrogate is left out."""
    return units.decode("utf-16-be", "ignore")


@BUGS.piece("decoded", "utf8-too-lax.replace", "parse verify")
def replacing(data: bytes) -> str:
    """U+FFFD for what is no UTF-8."""
    return data.decode("utf-8", "replace")


@BUGS.piece("decoded", "utf8-too-lax.surrogates", "parse")
def passing(data: bytes) -> str:
    """Surrogates that are encoded as UTF-8 come through."""
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Refused("payload_not_utf8") from None
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


@BUGS.piece("decoded", "utf8-too-lax.latin-1", "parse verify")
def or_latin(data: bytes) -> str:
    """What is no UTF-8 must be Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


@BUGS.piece("decoded", "encoding-guessed.mark", "parse verify")
def without_mark(data: bytes) -> str:
    """A byte order mark is skipped."""
    return decoded(data).removeprefix("\ufeff")


@BUGS.piece("decoded", "encoding-guessed.utf-16", "parse verify")
def detected(data: bytes) -> str:
    """The encoding is guessed from the first bytes, as json.loads does."""
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        raise Refused("payload_not_utf8") from None


@BUGS.piece("Reader.numeral", "big-integer-rounded", "parse verify")
def a_double(self: Reader, match: re.Match[str], path: Path) -> float:
    """Every number is read as a double, as in JavaScript."""
    value = float(match[0])
    if math.isinf(value):
        raise Refused("payload_number_range", path)
    return value


@BUGS.piece("Reader.numeral", "large-double-refused", "canonical parse")
def safe_integers(self: Reader, match: re.Match[str], path: Path) -> int | float:
    """An integer literal beyond 2^53-1 is always refused."""
    value = numeral(self, match, path)
    if match[2] is match[3] is None and abs(value) > 2**53 - 1:
        raise Refused("payload_number_range", path)
    return value


@BUGS.piece("Reader.numeral", "non-finite-taken", "verify replay")
def infinite(self: Reader, match: re.Match[str], path: Path) -> int | float:
    """`1e400` is what float() says it is."""
    value = float(match[0])
    return value if math.isinf(value) else numeral(self, match, path)


@BUGS.piece("Reader.numeral", "underflow-refused", "canonical parse")
def exact(self: Reader, match: re.Match[str], path: Path) -> int | float:
    """A number that would lose digits is refused."""
    value = numeral(self, match, path)
    digits = re.sub(r"[eE].*|[-.]", "", match[0]).strip("0")
    if isinstance(value, float) and digits != re.sub(r"e.*|[-.]", "", number(value)).strip("0"):
        raise Refused("payload_number_range", path)
    return value


@BUGS.piece("Reader.numeral", "long-number-crash", "parse")
def integer_first(self: Reader, match: re.Match[str], path: Path) -> int | float:
    """int() of as many digits as somebody sent."""
    if match[2] is match[3] is None and abs(int(match[0])) <= 2**53 - 1 and match[0] != "-0":
        return int(match[0])
    return numeral(self, match, path)


@BUGS.piece("read", "empty-body-taken", "verify replay")
def empty_is_an_object(data: bytes, limit: int | None = None) -> Any:
    """No body is an empty object."""
    return read(data, limit) if data else {}


@BUGS.piece("whole_text", "crash.surrogate", "events")
def unguarded(text: str, path: Path) -> str:
    """A lone surrogate goes on to the encoder, which raises."""
    text.encode()
    return whole_text(text, path)
