"""A JSON value has one canonical byte string, or a refusal with its place."""

import dataclasses
import datetime
import decimal
import enum
import math
import resource
import uuid
from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import spec_page
from corpus import events
from second_json import canonical as second_canonical

from rp_signing import CanonicalizationError, Reason, canonicalize, parse
from rp_signing.canonical import canonicalize_parsed
from rp_signing.exact import write_exactly

SPEC_NUMBERS = [
    (value, form)
    for values, forms in spec_page.rows(spec_page.section("### 3.1 Writing"))
    for value, form in zip(values.split(", "), forms.split(", "), strict=True)
]
FORMS = [
    ("null", None, b"null"),
    ("true", True, b"true"),
    ("false", False, b"false"),
    ("tuple", (1, (2, ())), b"[1,[2,[]]]"),
    ("empties", [{}, [], ""], b'[{},[],""]'),
    ("names by code unit", {"\ufb33": 3, "\U0001f600": 2, "€": 1}, '{"€":1,"\U0001f600":2,"\ufb33":3}'.encode()),
    ("private use above astral", [{"\ue000": 1, "\U0001f600": [0.5]}], '[{"😀":[0.5],"\ue000":1}]'.encode()),
    ("first and last plane", {"\uffff": 1, "\U0001f600": 3}, '{"\U0001f600":3,"\uffff":1}'.encode()),
    ("private use in text alone", {"\U0001f600": "\ue000"}, '{"\U0001f600":"\ue000"}'.encode()),
    ("astral in text alone", {"\ue000": "\U0001f600"}, '{"\ue000":"\U0001f600"}'.encode()),
    ("last planes", {"\uffff": 1, "\U0010ffff": 2, "\U00040000": 3},
     '{"\U00040000":3,"\U0010ffff":2,"\uffff":1}'.encode()),
    ("names of several depths", {"b": {"z": 1, "a": 2}, "a": 0}, b'{"a":0,"b":{"a":2,"z":1}}'),
    ("short escapes", '\b\t\n\f\r"\\', rb'"\b\t\n\f\r\"\\"'),
    ("long escapes", "\0\x01\x0b\x1f", rb'"\u0000\u0001\u000b\u001f"'),
    ("no other escapes", "/\x7f\u2028<é", '"/\x7f\u2028<é"'.encode()),
    ("nothing is normalised", ["\u00e9", "e\u0301", "\ufb01"], '["\u00e9","e\u0301","\ufb01"]'.encode()),
    ("noncharacters", "\ufffe\U0010fffe", "\"\ufffe\U0010fffe\"".encode()),
    ("largest integers", [2**53 - 1, 1 - 2**53], b"[9007199254740991,-9007199254740991]"),
    ("whole floats", {"a": 1.0, "b": [10.0, -5.0]}, b'{"a":1,"b":[10,-5]}'),
    ("whole floats beside their like in text", [1.0, "1.0,", "-0.0]", '\\".0}'], rb'[1,"1.0,","-0.0]","\\\".0}"]'),
    ("an exponent beside the like of a whole float", [1e16, ".0,"], b'[10000000000000000,".0,"]'),
    ("zeros", [0.0, -0.0, 0, {"a": -0.0}], b'[0,0,0,{"a":0}]'),
    ("null beside 0x7f", [None, "\x7f", 127], b'[null,"\x7f",127]'),
]  # fmt: skip
# One float each, alone, in an array, and in an object: what orjson spells otherwise lies at these thresholds.
EDGES = {
    5e-324: "5e-324", 2.2250738585072014e-308: "2.2250738585072014e-308", 1e-7: "1e-7", 9.999999999999997e-7:
    "9.999999999999997e-7", 1e-6: "0.000001", 1.5e-6: "0.0000015", 9.5e-6: "0.0000095", 1e-5: "0.00001",
    1e-4: "0.0001", 0.1: "0.1", 1.0: "1", 123456789.0: "123456789", 2251799813685249.5: "2251799813685249.5",
    1e15: "1000000000000000", 1e16: "10000000000000000", 1.5e16: "15000000000000000", 1e17: "100000000000000000",
    123456789012345680000.0: "123456789012345680000", 1e20: "100000000000000000000",
    999999999999999900000.0: "999999999999999900000", 1e21: "1e+21", 1.5e21: "1.5e+21", 1e22: "1e+22", 1e23: "1e+23",
    1e100: "1e+100", 1.7976931348623157e308: "1.7976931348623157e+308",
}  # fmt: skip


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """A value that is walked without bound fails its test, and takes nothing else down with it."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def nested(depth: int, innermost: Any = None, *, objects: bool = False) -> Any:
    """Arrays or objects in one another."""
    value = ({} if objects else []) if innermost is None else innermost
    for _ in range(depth - (innermost is None)):
        value = {"a": value} if objects else [value]
    return value


def refused(value: Any) -> tuple[Reason, str | None]:
    """The reason and place of a value that both paths must refuse alike."""
    told = []
    for write in (canonicalize, write_exactly):
        with pytest.raises(CanonicalizationError) as caught:
            write(value)
        told.append((caught.value.reason, caught.value.pointer, caught.value.detail))
    assert told[0] == told[1]
    return told[0][:2]


@pytest.mark.parametrize(("value", "form"), SPEC_NUMBERS)
def test_the_number_table_of_the_spec(value: str, form: str) -> None:
    """Every number of SPEC §3.1 is written as the page says."""
    number = math.fsum(map(float, value.strip("`").split(" + ")))
    assert canonicalize(number) == write_exactly(number) == form.strip("`").encode()


def test_the_event_of_the_spec() -> None:
    """SPEC §1's event, in whatever order it was made, is written byte for byte as there."""
    event = {
        "userId": "user-123",
        "type": "track",
        "properties": {"total": 49.9, "currency": "EUR"},
        "messageId": "ord-1001-paid",
        "timestamp": "2026-11-23T09:00:00Z",
        "event": "Order Completed",
    }
    assert canonicalize(event) == spec_page.EVENT
    assert canonicalize({"integrity_signature": spec_page.SIGNATURE, **event}) == spec_page.BODY
    assert [len(spec_page.EVENT), len(spec_page.BODY)] == [spec_page.LENGTHS[0], spec_page.LENGTHS[2]]


@pytest.mark.parametrize(("value", "form"), [row[1:] for row in FORMS], ids=[row[0] for row in FORMS])
def test_the_one_form_of_a_value(value: Any, form: bytes) -> None:
    """Members, escapes and numbers are written as RFC 8785 says."""
    assert canonicalize(value) == write_exactly(value) == form


@pytest.mark.parametrize(
    "name", ["\uff0b", '\ue000"', '\uff0b\\"', "\uff0b\n\\", 'a\uff0b":', "\uff0b\U0001f6d2"], ids=range(6)
)
@pytest.mark.parametrize("other", ["\U0001f6d2", "a\U0001f6d2", '\U0001f6d2"'], ids=range(3))
def test_names_keep_their_order_whatever_is_escaped_in_them(name: str, other: str) -> None:
    """A name that sorts otherwise by code point is seen beyond its quotes and backslashes, in text it is left alone."""
    for value in (
        {name: 1, other: [name]},
        {"text": name + '":', other: f'{name}\\":'},
        {"a": name, name: name, other: name},
        [name, other, {other: name}],
        name,
    ):
        assert canonicalize(value) == canonicalize_parsed(value) == write_exactly(value) == second_canonical(value)


@pytest.mark.parametrize(("number", "form"), EDGES.items())
def test_a_double_is_written_as_ecmascript_does(number: float, form: str) -> None:
    """A double has one spelling, alone or inside, negative or not."""
    for sign, signed in (("", number), ("-", -number)):
        assert canonicalize(signed) == f"{sign}{form}".encode()
        assert canonicalize([signed]) == f"[{sign}{form}]".encode()
        assert canonicalize({"a": signed, "b": [1.5, signed, "x"]}) == (
            f'{{"a":{sign}{form},"b":[1.5,{sign}{form},"x"]}}'.encode()
        )


def test_what_was_parsed_is_put_in_order_too() -> None:
    """Names that came in another order are sorted, inside too; so where a number or a name needs the careful way."""
    names = ('{"\ue000":1,"\U0001f600":2}', '{"\ue000":1,"\U00040000":2}')
    for more in ("1", "1.0", '"\ue000\U0001f600"', *names):
        value = parse(f'{{"b":[{{"z":1,"a":{more}}}],"a":2}}')
        assert canonicalize_parsed(value) == write_exactly(value) != orjson.dumps(value)


def test_every_power_of_two_and_its_neighbours() -> None:
    """The fast path writes a double exactly as the exact one does, over all exponents."""
    for power in range(-1074, 1024):
        double = math.ldexp(1.0, power)
        for number in (double, -double, math.nextafter(double, 0), math.nextafter(double, math.inf), 3 * double / 2):
            if math.isfinite(number):
                assert canonicalize(number) == write_exactly(number)
                assert canonicalize([number]) == write_exactly([number])
                assert canonicalize_parsed(number) == canonicalize_parsed([number])[1:-1] == write_exactly(number)


def test_events_as_people_send_them() -> None:
    """240 varied events have the bytes that the second implementation gives them."""
    for event in events():
        assert canonicalize(event) == write_exactly(event) == second_canonical(event)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (2**53, ("payload_number_range", "")),
        (-(2**53), ("payload_number_range", "")),
        ({"id": [0, 2**64]}, ("payload_number_range", "/id/1")),
        ([10**5000], ("payload_number_range", "/0")),
        (math.inf, ("payload_number_range", "")),
        ({"a": [None, -math.inf]}, ("payload_number_range", "/a/1")),
        ({"a~/b": math.nan}, ("payload_number_range", "/a~0~1b")),
        ("\ud800", ("payload_surrogate", "")),
        (["é", "\udc00"], ("payload_surrogate", "/1")),
        ({"a": {"\ud800": 1}}, ("payload_surrogate", "/a")),
        ({1: 2}, ("key_not_string", "")),
        ([{"a": {None: 2}}], ("key_not_string", "/0/a")),
        ({"": {"": {2}}}, ("value_not_json", "//")),
    ],
)
def test_a_fault_is_named_with_its_place(value: Any, told: tuple[str, str]) -> None:
    """What has no canonical form is refused with the reason of SPEC §3.2 and a JSON Pointer."""
    assert refused(value) == told


@pytest.mark.parametrize("objects", [False, True])
def test_depth_64_is_taken_and_65_is_not(objects: bool) -> None:
    """64 levels are taken with a scalar inside, 65 are refused, and 100,000 exhaust no stack."""
    opening, closing = (b'{"a":', b"}") if objects else (b"[", b"]")
    assert canonicalize(nested(64, 0, objects=objects)) == opening * 64 + b"0" + closing * 64
    assert canonicalize(nested(64, objects=objects)) == opening * 63 + (b"{}" if objects else b"[]") + closing * 63
    for depth in (65, 300, 100_000):
        assert refused(nested(depth, objects=objects))[0] == "payload_depth"


def test_many_brackets_are_not_depth() -> None:
    """A long document that is flat is taken, and so are 64 levels beside it."""
    flat = [[] for _ in range(1000)]
    assert canonicalize(flat) == b"[" + b"[]," * 999 + b"[]]"
    assert canonicalize([flat, nested(63)]) == write_exactly([flat, nested(63)])
    assert refused([flat, nested(64)]) == ("payload_depth", "/1" + "/0" * 63)


def test_a_value_that_holds_itself_is_refused() -> None:
    """A list or dict in itself is nested too deeply, whatever else it holds."""
    loop: list[Any] = [1.0]
    loop.append({"again": loop})
    assert refused(loop)[0] == "payload_depth"


class Colour(enum.Enum):
    """An Enum, which orjson would convert."""

    RED = "red"


class Name(str):
    """A subclass of str."""


class Whole(int):
    """A subclass of int."""


class Half(float):
    """A subclass of float."""


class Word(enum.StrEnum):
    """A str that is an Enum."""

    YES = "yes"


class Level(enum.IntEnum):
    """An int that is an Enum."""

    ONE = 1


Pair = namedtuple("Pair", "a b")
Record = dataclasses.make_dataclass("Record", ["a"])
FOREIGN = [
    (decimal.Decimal("1.5"), "write str(value), or float(value)"),
    (datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC), "isoformat()"),
    (datetime.date(2026, 11, 23), "write value.isoformat()"),
    (datetime.time(9), "write value.isoformat()"),
    (datetime.timedelta(1), "write value.total_seconds()"),
    (uuid.UUID(int=5), "write str(value)"),
    (b"x", "base64"),
    (bytearray(b"x"), "base64"),
    (memoryview(b"x"), "base64"),
    ({1}, "a list"),
    (frozenset({1}), "a list"),
    (1j, "[value.real, value.imag]"),
    (Colour.RED, "write value.value"),
    (Word.YES, "write value.value"),
    (Level.ONE, "write value.value"),
    (Name("a"), "a subclass of str; write str(value)"),
    (Whole(1), "a subclass of int; write int(value)"),
    (Half(1), "a subclass of float; write float(value)"),
    (OrderedDict(a=1), "a subclass of dict; write dict(value)"),
    (Pair(1, 2), "a subclass of tuple; write tuple(value)"),
    (Record(1), "convert it to a JSON type"),
    (UserDict(a=1), "convert it to a JSON type"),
    (orjson.Fragment(b"1"), "convert it to a JSON type"),
    (range(3), "convert it to a JSON type"),
    (..., "convert it to a JSON type"),
    (canonicalize, "convert it to a JSON type"),
    (Colour, "convert it to a JSON type"),
]


@pytest.mark.parametrize(("value", "cure"), FOREIGN, ids=[type(value).__name__ for value, _ in FOREIGN])
def test_nothing_is_converted(value: Any, cure: str) -> None:
    """A value that is no JSON is refused with its place, its type, and what to write instead."""
    for holder, place in ((value, ""), ([value], "/0"), ({"a": {"b": (1, value)}}, "/a/b/1")):
        assert refused(holder) == ("value_not_json", place)
    with pytest.raises(CanonicalizationError, match=type(value).__name__) as caught:
        canonicalize(value)
    assert cure in caught.value.detail


@pytest.mark.parametrize("name", [1, 1.5, None, True, b"a", ("a",), Name("a"), Word.YES, uuid.UUID(int=5)])
def test_a_name_is_a_str(name: Any) -> None:
    """A name that is no str is refused at the object that holds it, subclasses of str too."""
    assert refused({"a": [{"ok": 1, name: 2}]}) == ("key_not_string", "/a/0")
