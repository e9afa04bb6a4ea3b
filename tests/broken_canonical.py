"""Bugs of canonical form: SPEC.md §3.1 and §3.2."""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal
from typing import Any

from broken_bug import Bugs
from second_json import Refused, array_text, name_text, object_text, quoted, written
from second_number import number

BUGS = Bugs()
Path = tuple[str | int, ...]
WRITING = "canonical parse events"

BUGS.put("white-space", WRITING, COMMA=", ", COLON=": ")
BUGS.put("depth-off-by-one.65", "canonical parse verify", DEEPEST=65)
BUGS.put("depth-off-by-one.63", "canonical parse verify", DEEPEST=63)
BUGS.put("depth-unbounded", "canonical parse verify replay", DEEPEST=10**9)
BUGS.put("exponent-threshold.large", "canonical parse", WIDEST=16)
BUGS.put("exponent-threshold.small", "canonical", SMALLEST=-4)
BUGS.put("safe-integer-refused", "canonical", LARGEST=2**53 - 2)


@BUGS.piece("pointer_of", "pointer-otherwise", "canonical parse events")
def unescaped(path: Path) -> str:
    """The names are joined as they are."""
    return "".join(f"/{step}" for step in path)


@BUGS.piece("name_text", "pointer-otherwise.name", "canonical")
def at_the_member(name: Any, path: Path) -> str:
    """The pointer of a faulty name ends with it."""
    try:
        return name_text(name, path)
    except Refused as fault:
        raise Refused(fault.reason, (*path, name)) from None


@BUGS.piece("order", "code-point-order", "canonical events")
def by_code_point(name: str) -> str:
    """Python's own order of strings."""
    return name


@BUGS.piece("order", "locale-order.case", "canonical events")
def by_letter(name: str) -> tuple[str, str]:
    """As a dictionary has them."""
    return name.casefold(), name


@BUGS.piece("order", "locale-order.accents", WRITING)
def as_in_french(name: str) -> tuple[str, str]:
    """Accents count where the letters are equal, and from the end."""
    plain = (c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    return "".join(plain), name[::-1]


@BUGS.piece("order", "locale-order.length", WRITING)
def by_length(name: str) -> tuple[int, bytes]:
    """Short names first, as CBOR has them."""
    return len(name), name.encode("utf-16-be")


@BUGS.piece("order", "locale-order.numbers", "canonical")
def numbers_first(name: str) -> tuple[bool, int, bytes]:
    """Names that are numbers come first and by value, as JavaScript's objects have them."""
    digits = name.isdecimal()
    return not digits, int(name) if digits else 0, name.encode("utf-16-be")


@BUGS.piece("order", "sorted-escaped", "canonical")
def by_escaped(name: str) -> bytes:
    """The pieces of the output are sorted."""
    return quoted(name).encode("utf-16-be")


@BUGS.piece("order", "rfc8785-pair.unsorted", WRITING)
def as_received(name: str) -> int:
    """Members stay in the order in which they came."""
    return 0


@BUGS.piece("written", "rfc8785-pair.json-dumps", WRITING)
def host_writes(value: Any, path: Path = ()) -> str:
    """The line that everybody tries first."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@BUGS.piece("array_text", "array-sorted", "canonical events")
def sorted_array(value: list[Any], path: Path) -> str:
    """Arrays are sorted too."""
    return "[" + ",".join(sorted(written(item, (*path, i)) for i, item in enumerate(value))) + "]"


@BUGS.piece("object_text", "null-dropped", "canonical events")
def without_nulls(value: dict[Any, Any], path: Path) -> str:
    """Members that are null are left out, as many serialisers do."""
    return object_text({name: item for name, item in value.items() if item is not None}, path)


@BUGS.piece("object_text", "null-dropped.empty", WRITING)
def without_empty(value: dict[Any, Any], path: Path) -> str:
    """Members that are empty are left out, as in Go's `omitempty`."""
    return object_text({name: item for name, item in value.items() if item not in (None, "", [], {})}, path)


@BUGS.piece("quoted", "white-space.squeezed", WRITING)
def without_spaces(text: str) -> str:
    """White space is taken out with a regular expression, of strings too."""
    return re.sub(r"\s+", "", quoted(text))


@BUGS.piece("quoted", "escapes.ascii", WRITING)
def ascii_quoted(text: str) -> str:
    """Python's default."""
    return json.dumps(text)


@BUGS.piece("quoted", "escapes.html", "canonical parse")
def html_quoted(text: str) -> str:
    """Go's default."""
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", quoted(text))


@BUGS.piece("quoted", "escapes.solidus", "canonical parse")
def solidus_quoted(text: str) -> str:
    """PHP's default."""
    return quoted(text).replace("/", "\\/")


@BUGS.piece("quoted", "escapes.upper-case", "canonical")
def upper_case_quoted(text: str) -> str:
    """Hex digits in upper case."""
    return re.sub(r"\\u00[0-9a-f]{2}", lambda match: "\\u" + match[0][2:].upper(), quoted(text))


@BUGS.piece("quoted", "escapes.long", "canonical parse")
def long_quoted(text: str) -> str:
    """No short escapes for control characters."""
    return '"' + re.sub(r'["\\\x00-\x1f]', lambda match: f"\\u{ord(match[0]):04x}", text) + '"'


@BUGS.piece("quoted", "normalised.nfc", "canonical parse events")
def composed(text: str) -> str:
    """NFC, so that what looks alike is alike."""
    return quoted(unicodedata.normalize("NFC", text))


@BUGS.piece("quoted", "normalised.nfkc", WRITING)
def compatible(text: str) -> str:
    """NFKC."""
    return quoted(unicodedata.normalize("NFKC", text))


@BUGS.piece("quoted", "normalised.nfd", WRITING)
def decomposed(text: str) -> str:
    """NFD, as file names of some systems."""
    return quoted(unicodedata.normalize("NFD", text))


@BUGS.piece("quoted", "noncharacter-dropped", "canonical parse")
def without_noncharacters(text: str) -> str:
    """Noncharacters are taken for rubbish."""
    return quoted("".join(c for c in text if ord(c) & 0xFFFE != 0xFFFE and not 0xFDD0 <= ord(c) <= 0xFDEF))


@BUGS.piece("quoted", "noncharacter-dropped.mark", "canonical")
def without_mark(text: str) -> str:
    """A byte order mark is taken away wherever it stands."""
    return quoted(text.replace("\ufeff", ""))


@BUGS.piece("encoded", "surrogates-encoded-apart", WRITING)
def cesu_8(text: str) -> bytes:
    """UTF-8 of each UTF-16 code unit, as old databases have it."""
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = (units[i] << 8 | units[i + 1] for i in range(0, len(units), 2))
    return "".join(map(chr, pairs)).encode("utf-8", "surrogatepass")


@BUGS.piece("number", "number-as-host-writes", WRITING)
def host_number(value: float) -> str:
    """Python's repr."""
    return repr(value)


@BUGS.piece("number", "number-as-host-writes.whole", WRITING)
def with_fraction(value: float) -> str:
    """A double is written with a fraction: 1.0."""
    text = number(value)
    return text + ".0" if text.lstrip("-").isdecimal() else text


@BUGS.piece("number", "number-as-host-writes.exponent", "canonical events")
def two_digit_exponent(value: float) -> str:
    """An exponent has two digits: 1e-07."""
    return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", number(value))


@BUGS.piece("shortest", "digits-not-shortest.17", WRITING)
def seventeen(value: float) -> str:
    """17 digits are enough for every double."""
    return f"{value:.16e}"


@BUGS.piece("shortest", "digits-not-shortest.15", WRITING)
def fifteen(value: float) -> str:
    """15 digits look nicer."""
    return f"{value:.14e}"


@BUGS.piece("zero", "negative-zero", WRITING)
def signed_zero(value: float) -> str:
    """Zero keeps its sign."""
    return f"{value:.0f}"


@BUGS.piece("finite", "non-finite-written.null", "canonical events")
def null_for_infinity(value: float, path: Path) -> str:
    """As JSON.stringify writes it."""
    return "null" if value - value != 0 else number(value)


@BUGS.piece("finite", "non-finite-written.literal", "canonical events")
def host_literal(value: float, path: Path) -> str:
    """As json.dumps writes it."""
    return json.dumps(value) if value - value != 0 else number(value)


@BUGS.piece("integer", "big-integer-rounded.written", "canonical events")
def through_a_double(value: int, path: Path) -> str:
    """Every number is a double."""
    return number(float(value))


@BUGS.piece("integer", "big-integer-rounded.host", "canonical events")
def any_integer(value: int, path: Path) -> str:
    """All digits are written; the reader at the other end rounds them."""
    return str(value)


@BUGS.piece("whole_text", "surrogate-replaced.written", "canonical events")
def replacement(text: str, path: Path) -> str:
    """U+FFFD for what cannot be encoded."""
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


@BUGS.piece("foreign", "foreign-converted.values", "canonical")
def as_text(value: Any, path: Path) -> str:
    """`default=str`, and lists of what can be gone through."""
    if isinstance(value, set):
        return array_text(sorted(value), path)
    return str(value) if isinstance(value, Decimal) else quoted(str(value))


@BUGS.piece("name_text", "foreign-converted.names", "canonical")
def name_as_text(name: Any, path: Path) -> str:
    """A name is made a string, as json.dumps does."""
    return name if isinstance(name, str) else json.dumps(name)
