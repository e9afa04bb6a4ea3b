"""A JSON text is read strictly: one value, or a refusal that says where."""

from typing import Any

import pytest
from second_json import Refused, read

from rp_signing import CanonicalizationError, Reason, canonicalize, parse


def refused(text: Any, limit: int | None = None) -> CanonicalizationError:
    """The error of a text that must be refused."""
    with pytest.raises(CanonicalizationError) as caught:
        parse(text) if limit is None else parse(text, limit)
    return caught.value


def same(one: Any, other: Any) -> bool:
    """Equal in value, type and sign of zero."""
    return repr(one) == repr(other)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"null", None),
        (b" \t\r\n[ 1 , true ]\n", [1, True]),
        (b'{"b":1,"a":2}', {"b": 1, "a": 2}),
        (b'"\\u00e9\\ud83d\\ude00\\/\\b"', "é\U0001f600/\b"),
        (b"[1.0,-0.0,1E2,1e-400,-0]", [1.0, -0.0, 100.0, 0.0, 0]),
        (b"[9007199254740991,-9007199254740991]", [2**53 - 1, 1 - 2**53]),
        (b"[9007199254740991, -9007199254740991]", [2**53 - 1, 1 - 2**53]),
        (b"9007199254740991.5", 9007199254740992.0),
        (b"9007199254740992", 9007199254740992.0),
        (b"[100000000000000000000,-999999999999999900000]", [1e20, -999999999999999900000.0]),
        (b'["\xef\xbb\xbf","\xef\xbf\xbe"]', ["\ufeff", "\ufffe"]),
        (b'{"":{"":[]}}', {"": {"": []}}),
        (b"1e308", 1e308),
        ("{}", {}),
        ('"é"', "é"),
        (bytearray(b"[]"), []),
        (memoryview(b"[]"), []),
    ],
)
def test_a_strict_text_is_read(text: Any, value: Any) -> None:
    """White space, escapes and numbers of RFC 8259 are read as their one value."""
    assert same(parse(text), value)


NOT_JSON = [
    b"", b" ", b"\xef\xbb\xbf{}", b"NaN", b"[Infinity]", b"-Infinity", b"nul", b"True", b"{} {}", b"[1,]", b"[,1]",
    b'{"a":1,}', b"{'a':1}", b"{a:1}", b'{"a" 1}', b'{"a"}', b"[1 2]", b"01", b"-01", b"+1", b".5", b"1.", b"1e", b"-",
    b"0x10", b"1_000", b"\xd9\xa1", b'"\t"', b'"\x00"', b'"\x1f"', b'"a', b'"\\x41"', b'"\\u12"', b'"\\u 123"',
    b"/**/1", b"1//", b"[", b"{", b"]", b"}", b"[}", b"\x0b1", b"\xc2\xa01", b"\0", b'{1:2}', b'{"a":1 "b":2}',
    b"[[]]]" + b"]" * 99 + b"[" * 99, b'"' + b"[" * 99, b'"\\"' + b"[" * 99,
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_JSON)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """Anything beside the grammar of RFC 8259 is payload_not_json; nothing is guessed or repaired."""
    assert refused(text).reason == Reason.PAYLOAD_NOT_JSON


def test_a_refusal_says_where_the_text_stops_being_json() -> None:
    """The line and column are named, and a byte order mark is called by its name."""
    assert "line 2, column 4" in refused(b'{\n"a"1}').detail
    assert "byte order mark" in refused("\ufeff{}").detail
    assert "NaN" in refused(b"[NaN]").detail


@pytest.mark.parametrize(
    "text",
    [b"\xff", b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', '"é"'.encode("latin-1"),
     "{}".encode("utf-16"), b'{"\xff":1}'],
)  # fmt: skip
def test_what_is_no_utf8_is_refused(text: bytes) -> None:
    """Surrogates, overlong forms and other encodings are payload_not_utf8; the byte is named."""
    error = refused(text)
    assert error.reason == Reason.PAYLOAD_NOT_UTF8
    assert "byte " in error.detail


def test_utf_16_without_a_mark_is_not_guessed() -> None:
    """UTF-16 and UTF-32 without a byte order mark are bytes that are no JSON."""
    assert {refused('{"a":1}'.encode(form)).reason for form in ("utf-16-le", "utf-16-be", "utf-32-le")} == {
        Reason.PAYLOAD_NOT_JSON
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b'{"a":1,"a":1}', "/a"),
        (b'{"a":0,"b":1,"b":2}', "/b"),
        (b'{"a":1,"\\u0061":2}', "/a"),
        (b'[0,{"x":{"":1,"b":2,"":3}}]', "/1/x/"),
        (b'{"a":{"b":1},"a":{"c":2},"d":0}', "/a"),
        (b'{"a/b":[{"~":1,"~":1,"~":1}]}', "/a~1b/0/~0"),
    ],
)
def test_a_name_that_stands_twice_is_refused(text: bytes, place: str) -> None:
    """An object with one name twice, compared after unescaping, is refused at that member."""
    error = refused(text)
    assert (error.reason, error.pointer) == (Reason.PAYLOAD_DUPLICATE_KEY, place)


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        (b'["\\ud800"]', "payload_surrogate", "/0"),
        (b'{"a":"\\udc00\\ud800"}', "payload_surrogate", "/a"),
        (b'{"a":{"\\udfff":1}}', "payload_surrogate", "/a"),
        (b"[1e400]", "payload_number_range", "/0"),
        (b'{"a":[0,-1e309]}', "payload_number_range", "/a/1"),
        (b"1.8e308", "payload_number_range", ""),
        (b"9007199254740993", "payload_number_range", ""),
        (b"-9007199254740993", "payload_number_range", ""),
        (b'{"id":12345678901234567890}', "payload_number_range", "/id"),
        (b"[100000000000000000001]", "payload_number_range", "/0"),
        (b"1" + b"0" * 21, "payload_number_range", ""),
        (b"[" + b"9" * 5000 + b"]", "payload_number_range", "/0"),
    ],
)
def test_what_would_not_survive_is_refused(text: bytes, reason: str, place: str) -> None:
    """Lone surrogates, infinite doubles and integers that lose digits are refused at their place."""
    error = refused(text)
    assert (error.reason, error.pointer) == (reason, place)


@pytest.mark.parametrize("depth", [65, 254, 1500, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"[":', b"}]")])
def test_deep_nesting_is_refused(opening: bytes, closing: bytes, depth: int) -> None:
    """More than 64 levels are payload_depth, whatever the length, and no stack is exhausted."""
    assert refused(opening * depth + b"0" + closing * depth, 10**7).reason == Reason.PAYLOAD_DEPTH
    assert refused(opening * depth, 10**7).reason in (Reason.PAYLOAD_DEPTH, Reason.PAYLOAD_NOT_JSON)
    assert refused(b"[" + b"[]," * 2 * depth + opening * depth, 10**7).reason == Reason.PAYLOAD_DEPTH


def test_depth_64_is_taken() -> None:
    """64 levels are read, compact or spaced, and brackets in strings are no levels."""
    for space in (b"", b" "):
        assert canonicalize(parse(b"[" * 64 + space + b"]" * 64)) == b"[" * 64 + b"]" * 64
        assert len(parse(b"[[]," + b"[" * 63 + space + b"]" * 64)) == 2
    brackets = '"' + "[" * 999 + '\\"{"'
    assert parse(f"[{brackets}, {brackets}]") == ["[" * 999 + '"{'] * 2
    assert len(parse(b"[" + b"[], " * 999 + b"[]]")) == 1000


def test_a_text_is_read_up_to_the_limit() -> None:
    """A text of exactly the limit is taken, one byte more is refused before it is read."""
    assert parse(b'"aaaa"', limit=6) == "aaaa"
    assert refused(b'"aaaaa"', 6).reason == Reason.PAYLOAD_TOO_LARGE
    assert refused(b"\xff" * 7, 6).reason == Reason.PAYLOAD_TOO_LARGE
    assert refused('"ééé"', 7).reason == Reason.PAYLOAD_TOO_LARGE
    assert parse(b'"' + b"a" * (1024 * 1024 - 2) + b'"')
    assert refused(b'"' + b"a" * (1024 * 1024 - 1) + b'"').reason == Reason.PAYLOAD_TOO_LARGE


def test_a_str_with_half_a_pair_is_no_utf8() -> None:
    """A str that no UTF-8 can carry is refused with the advice to hand in the bytes."""
    error = refused('"\ud800"')
    assert error.reason == Reason.PAYLOAD_NOT_UTF8
    assert "bytes" in error.detail


class Liar:
    """An object that says it is bytes."""

    __class__ = bytes  # type: ignore[assignment]


class Thrower:
    """An object that will not say what it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError


class Nameless(type):
    """The type of classes that will not tell their name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError


class Bytes(bytes):
    """A subclass of bytes that will not tell its length."""

    def __len__(self) -> int:
        raise RuntimeError


class Text(str):
    """A subclass of str that encodes itself to something else."""

    def encode(self, *_: Any) -> Any:
        """Give no bytes."""
        return 5


def released() -> memoryview:
    """A view of bytes that were let go."""
    view = memoryview(b"{}")
    view.release()
    return view


@pytest.mark.parametrize(
    "make",
    [
        int,
        list,
        dict,
        object,
        Liar,
        Thrower,
        lambda: Nameless("X", (), {})(),
        lambda: Bytes(b"{}"),
        lambda: Text("{}"),
        released,
    ],
)
def test_nothing_but_its_own_error_comes_out(make: Any) -> None:
    """Whatever object stands in the place of a text, parse reads it or refuses it with a reason."""
    try:
        given = parse(make())
    except CanonicalizationError as error:
        given = error.reason
    assert given in ({}, Reason.VALUE_NOT_JSON, Reason.PAYLOAD_NOT_UTF8)


@pytest.mark.parametrize("text", [*NOT_JSON, b'{"a":[1.5,{"b":"\\u00e9"}]}', b'[1,"\\ud83d\\ude00",null,true,-0.5e-3]'])
def test_a_text_with_one_byte_changed_is_read_as_the_second_implementation_reads_it(text: bytes) -> None:
    """Over every byte replaced, left out or doubled, both implementations take the same texts."""
    for index in range(min(len(text), 40)):
        for middle in (b"", text[index : index + 1] * 2, b'"', b"\\", b"0", b"e", b",", b"[", b"\x80", b" "):
            changed = text[:index] + middle + text[index + 1 :]
            try:
                taken = read(changed)
            except Refused:
                refused(changed)
            else:
                assert same(canonicalize(parse(changed)), canonicalize(taken))
