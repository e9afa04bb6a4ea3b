"""What the two paths are compared on is tried itself: whatever it is made to find, it finds when it is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import orjson
import pytest
import readings
from no_json import FOREIGN
from traps import NO_NAMES, Traps, compare, disagreements, outcome

from rp_signing import Reason, canonical, exact, wire
from rp_signing.exact import type_name, write_exactly

MAKER = Traps(7)
DOCUMENTS = [MAKER.document() for _ in range(12_000)]
WANTED = [outcome(write_exactly, document) for document in DOCUMENTS]


def moved(name: str) -> bytes:
    """Where a name sorts when U+E000 to U+FFFF are put onto U+10E000 to U+10FFFF, and those stay there too."""
    return "".join(chr(ord(one) + 0x100000) if "\ue000" <= one <= "\uffff" else one for one in name).encode(
        "utf-8", "surrogatepass"
    )


def plain(name: str) -> bytes:
    """The order of code points."""
    return name.encode("utf-8", "surrogatepass")


def by_engine(number: float) -> str:
    """A number as orjson spells it, less the end of whole ones."""
    return orjson.dumps(number).decode().removesuffix(".0")


def zeros_kept(number: float) -> str:
    """A number with its minus, though it is zero."""
    return "-0" if str(number) == "-0.0" else NUMBER(number)


NUMBER = exact.write_number
BROKEN: dict[str, tuple[str, Any]] = {
    "names in the order of code points": ("_utf16", plain),
    "names that are moved onto others": ("_utf16", moved),
    "numbers as the engine spells them": ("write_number", by_engine),
    "numbers as Python spells them": ("write_number", lambda number: repr(number).removesuffix(".0")),
    "a zero that keeps its minus": ("write_number", zeros_kept),
    "a level too many": ("MAX_DEPTH", 65),
    "a level too few": ("MAX_DEPTH", 63),
    "an integer too many": ("MAX_INTEGER", 2**53),
}
MENDED = {
    "a whole number in a text": (rb"\.0(?=[,}\]])", b""),
    "a minus zero in a text": (rb"-0\.0(?=[,}\]])", b"0"),
    "an exponent in a text": (rb"1e-6(?=[,}\]])", b"0.000001"),
    "an exponent in a text, signed": (rb"e\+16(?=[,}\]])", b"0"),
    "a null in a text": (rb'"null"', b"null"),
    "a quote that a backslash does not hide": (rb'\\\\"', rb'\\"'),
    "a control that needs no escape": (b"\x7f", rb"\\u007f"),
    "a separator of lines": ("\u2028".encode(), rb"\\u2028"),
    "a slash": (b"/", rb"\\/"),
    "text that is composed": ("e\u0301".encode(), "é".encode()),
    "a plane": (b"\xf4\x8e", b"\xee"),
}  # fmt: skip


def found(write: Callable[[Any], bytes]) -> list[Any]:
    """The documents that this writes otherwise than the definition does."""
    return [one for one, wanted in zip(DOCUMENTS, WANTED, strict=True) if outcome(write, one) != wanted]


@pytest.mark.parametrize("name", BROKEN)
def test_a_writer_with_one_fault_is_found(name: str) -> None:
    """Order of names, spelling of numbers, depth: each fault shows in several documents."""
    what, wrong = BROKEN[name]
    with patch.object(exact, what, wrong):
        assert len(found(write_exactly)) > 3


@pytest.mark.parametrize("name", MENDED)
def test_a_writer_that_mends_too_much_is_found(name: str) -> None:
    """Text that looks like what is mended stands in several documents."""
    pattern, by = MENDED[name]
    assert len(found(lambda value: re.sub(pattern, by, write_exactly(value)))) > 3


def test_every_reason_to_refuse_is_there() -> None:
    """Numbers, halves of pairs, depth, names and types: each is refused in many documents."""
    reasons = [wanted[0] for wanted in WANTED if isinstance(wanted, tuple)]
    for reason in (Reason.PAYLOAD_NUMBER_RANGE, Reason.PAYLOAD_SURROGATE, Reason.PAYLOAD_DEPTH, Reason.KEY_NOT_STRING,
                   Reason.VALUE_NOT_JSON):  # fmt: skip
        assert reasons.count(reason) > 50, reason
    assert len(reasons) < len(WANTED) / 3


def test_every_foreign_type_is_there() -> None:
    """Enums of every mixture, UUIDs, fragments, bytes, subclasses: each stands as a value, and as a name if it can."""
    details = {wanted[2].partition(";")[0] for wanted in WANTED if isinstance(wanted, tuple)}
    for value in FOREIGN:
        assert f"a value of type {type_name(value)} is no JSON" in details
    for value in NO_NAMES:
        assert f"a name of type {type_name(value)} stands here" in details


def test_every_shape_is_there() -> None:
    """Tuples, levels of more than 200 and 1,000, one value in two places, and strangers far along a wide level."""
    tops = [one for one in DOCUMENTS if type(one) in (dict, list) and one]
    inside = [item for one in tops for item in (one.values() if type(one) is dict else one)]
    assert sum(type(item) is tuple for item in inside) > 50
    for size in (200, 201, 1_000, 1_001):
        assert any(len(one) == size for one in tops)
    lists = [one for one in tops if type(one) is list]
    wide = [wanted for one, wanted in zip(DOCUMENTS, WANTED, strict=True) if type(one) is list and len(one) > 198]
    assert {type(wanted) for wanted in wide} == {bytes, tuple}
    assert any(len(one) == 2 and type(one[1]) is dict and one[0] in one[1].get("again", ()) for one in lists)


def test_much_is_written_and_read_fast() -> None:
    """A third or more of documents and texts take the fast path: else it would be compared with nothing."""
    found, fast = compare(3, 4_000)
    assert (found, fast > 1_400) == ([], True)
    found, fast = readings.compare_texts(3, 4_000)
    assert (found, fast > 1_400) == ([], True)


def test_a_difference_is_told_with_its_document() -> None:
    """What differs is named, so that it can be tried alone."""
    with patch("traps.canonicalize", lambda value: write_exactly(value) + b" "):
        assert len(disagreements(1, 100)) > 50


def lax(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A reader that takes whatever an engine takes."""

    def parse(raw: bytes) -> Any:
        try:
            return read(raw)
        except (TypeError, ValueError):
            return canonical.parse_exactly(raw)

    return parse


def unbounded(raw: bytes) -> Any:
    """Orjson, where it gives again what it read: names and numbers are right then, and depth is not looked at."""
    value = orjson.loads(raw)
    if orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) != raw:
        raise ValueError
    return value


@pytest.mark.parametrize("read", [orjson.loads, unbounded], ids=["engine", "deep"])
def test_a_reader_that_forgives_is_found(read: Callable[[bytes], Any]) -> None:
    """Doubled names, large integers and depth that an engine lets pass show among the texts."""
    with patch.object(canonical, "parse", lax(read)):
        assert len(readings.compare_texts(5, 2_000)[0]) > 3


def last_of_two(pairs: Any) -> Any:
    """Of a list, the last line of each name counts."""
    return list(dict(pairs).items()) if type(pairs) is list and type(pairs[0]) is tuple else pairs


def stripped(pairs: Any) -> Any:
    """Of a list, white space around values is dropped."""
    return [(name, value.strip()) for name, value in pairs] if type(pairs) is list else pairs


@pytest.mark.parametrize("forgive", [last_of_two, stripped])
def test_a_reading_of_headers_that_forgives_is_found(forgive: Callable[[Any], Any]) -> None:
    """Where one shape of headers is read otherwise than another, it shows."""
    careful = wire.read_headers
    with patch.object(wire, "read_headers", lambda given: careful(forgive(given))):
        assert len(readings.compare_headers(5, 3_000)) > 3


def test_headers_are_taken_and_refused() -> None:
    """Of the requests about half are good, and each reason that headers can be refused for is among the others."""
    draw = Traps(9)
    seen = [readings.told(readings.fields, readings.headers(draw)) for _ in range(3_000)]
    assert 1_000 < sum(isinstance(one, str) for one in seen) < 2_000
    reasons = {one[0] for one in seen if isinstance(one, tuple)}
    assert reasons >= {Reason.HEADER_MALFORMED, Reason.HEADER_DUPLICATE, Reason.API_KEY_MISSING,
                       Reason.ENCODING_UNSUPPORTED, Reason.MEDIA_TYPE_UNSUPPORTED}  # fmt: skip
