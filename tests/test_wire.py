"""Header names, how they are read strictly, and the signing input."""

import enum
from typing import Any

import pytest
import spec_page
from parties import reason, refusal

from rp_signing import Reason, wire
from rp_signing.wire import SignedFields, UnsignedFields, read_headers, signing_input

GOOD = {name: value for name, value in spec_page.HEADERS.items() if name.startswith("X-RP-")}
FIELDS = SignedFields(*(GOOD[name] for name in (wire.API_KEY, wire.KEY_ID, wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE)))
SIGNATURE_HEADERS = (wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE)


class Text(str):
    """A str of a framework's own, which prints as something else."""

    def __str__(self) -> str:
        return "something else"


def without(*names: str) -> dict[str, str]:
    """The good headers but some."""
    return {name: value for name, value in GOOD.items() if name not in names}


def test_the_headers_of_the_spec() -> None:
    """The names are those of SPEC §4, and SPEC §1's request is read, other headers aside."""
    table = spec_page.rows(spec_page.section("## 4 Headers"))
    named = {row[0].strip("`") for row in table if row[0].startswith("`X-RP-")}
    assert named == {wire.API_KEY, wire.KEY_ID, wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE} == set(GOOD)
    assert read_headers(spec_page.HEADERS) == FIELDS


@pytest.mark.parametrize("line", [spec_page.EVENT_INPUT, spec_page.REQUEST_INPUT])
def test_the_signing_inputs_of_the_spec(line: bytes) -> None:
    """Both signing inputs of SPEC §1 are built byte for byte."""
    _, purpose, api_key_id, key_id, timestamp, nonce, length, digest = line.decode().split("\n")
    assert signing_input(purpose, api_key_id, key_id, timestamp, nonce, int(length), digest) == line


def test_a_sender_without_key_id_has_a_dash() -> None:
    """Line 4 is a dash where the sender gave no key id."""
    assert signing_input("request", "a", None, "t", "n", 7, "d") == b"RP1-HMAC-SHA256\nrequest\na\n-\nt\nn\n7\nd"


@pytest.mark.parametrize(
    "headers",
    [
        GOOD,
        {name.lower(): value for name, value in GOOD.items()},
        {name.upper(): value for name, value in GOOD.items()},
        list(GOOD.items()),
        iter(GOOD.items()),
        {name.encode(): value.encode() for name, value in GOOD.items()},
        [(name.lower().encode(), value.encode()) for name, value in GOOD.items()],
        [(name.swapcase().encode(), bytearray(value.encode())) for name, value in GOOD.items()],
        [*GOOD.items(), ("Cookie", "a"), ("Cookie", "b"), ("X-RP-Other", "\xff"), ("x_rp_nonce", "n")],
        {**GOOD, "Content-Type": "application/json", "Content-Encoding": "identity"},
        {name: Text(value) for name, value in GOOD.items()},
    ],
)
def test_headers_come_in_any_shape(headers: Any) -> None:
    """A mapping or pairs, str or bytes, any case of the names: the same fields."""
    assert read_headers(headers) == FIELDS


@pytest.mark.parametrize(
    "value",
    ["application/json", "Application/JSON", "application/json;charset=utf-8", 'application/json ;\tcharset="UTF-8"'],
)
def test_json_in_utf8_is_the_media_type(value: str) -> None:
    """The media type is compared without regard to case, its charset is utf-8 or left out."""
    assert read_headers({**GOOD, "content-type": value}) == FIELDS


@pytest.mark.parametrize(
    "value",
    ["", "text/plain", "application/json; charset=latin-1", "application/json;", "application/json\n",
     " application/json", "application/json; charset=utf-8; a=b", "application/json, text/plain",
     "application/j\u017fon", "application/jsonl"],
)  # fmt: skip
def test_another_media_type_is_refused(value: str) -> None:
    """A Content-Type that is there and not JSON in UTF-8 is refused, signed or not."""
    for headers in (GOOD, without(wire.KEY_ID, *SIGNATURE_HEADERS)):
        assert reason(read_headers, {**headers, "Content-Type": value}) == Reason.MEDIA_TYPE_UNSUPPORTED


@pytest.mark.parametrize("value", ["gzip", "", "br", "identity, gzip", " identity"])
def test_an_encoded_body_is_refused(value: str) -> None:
    """A Content-Encoding other than identity is refused."""
    assert reason(read_headers, {**GOOD, "Content-Encoding": value}) == Reason.ENCODING_UNSUPPORTED


def test_identity_is_no_encoding() -> None:
    """Identity, in any case, is taken."""
    assert read_headers({**GOOD, "Content-Encoding": "Identity"}) == FIELDS


@pytest.mark.parametrize("name", [*GOOD, "Content-Type", "Content-Encoding"])
def test_a_second_line_of_a_header_is_refused(name: str) -> None:
    """A header that comes twice is refused, even with equal values, in another case or as bytes."""
    good = {**GOOD, "Content-Type": "application/json", "Content-Encoding": "identity"}
    for again in (name, name.lower(), name.upper()):
        error = refusal(read_headers, [*good.items(), (again, good[name])])
        assert error.reason == Reason.HEADER_DUPLICATE
        assert name in error.detail
    assert reason(read_headers, [*good.items(), (name.encode(), b"")]) == Reason.HEADER_DUPLICATE


def test_steps_refuse_in_the_order_of_the_spec() -> None:
    """SPEC §6.1: the content headers are step 2, the grammar of the others is step 3."""
    doubled = [*GOOD.items(), (wire.NONCE, "x")]
    assert reason(read_headers, [*doubled, ("Content-Encoding", "gzip")]) == Reason.ENCODING_UNSUPPORTED
    assert reason(read_headers, [*doubled, ("Content-Type", "text/plain")]) == Reason.MEDIA_TYPE_UNSUPPORTED


@pytest.mark.parametrize("name", GOOD)
def test_a_folded_header_is_named(name: str) -> None:
    """Two lines that a proxy folded into one are malformed, and the refusal says that it may be so."""
    error = refusal(read_headers, {**GOOD, name: f"{GOOD[name]}, {GOOD[name]}"})
    assert error.reason == Reason.HEADER_MALFORMED
    assert name in error.detail
    assert "folded" in error.detail


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("around", [" {}", "{} ", "{}\n", "\t{}", "\x0b{}"])
def test_white_space_around_a_value_is_named(name: str, around: str) -> None:
    """Spaces and line ends around a value are malformed, as str and as bytes, and the refusal says so."""
    value = around.format(GOOD[name])
    for given in (value, value.encode()):
        error = refusal(read_headers, [*without(name).items(), (name, given)])
        assert error.reason == Reason.HEADER_MALFORMED
        assert "white space" in error.detail


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", ["", "-", "\xff", "x" * 300, None, 5, ["a"]])
def test_a_malformed_value_is_refused(name: str, value: Any) -> None:
    """What is not exactly a field is refused with the name of the header and never with its value."""
    error = refusal(read_headers, {**GOOD, name: value})
    assert error.reason == Reason.HEADER_MALFORMED
    assert name in error.detail
    assert "x" * 300 not in str(error)


def test_milliseconds_are_named() -> None:
    """Thirteen digits are told apart: they look like milliseconds."""
    for timestamp in ("1795424400000", b"1795424400123"):
        error = refusal(read_headers, [*without(wire.TIMESTAMP).items(), (wire.TIMESTAMP, timestamp)])
        assert error.reason == Reason.TIMESTAMP_UNIT
    assert reason(read_headers, {**GOOD, wire.TIMESTAMP: "0795424400000"}) == Reason.HEADER_MALFORMED


def test_an_unsigned_request_has_an_api_key_alone() -> None:
    """The api key alone is an unsigned request, with a content type or without."""
    alone = {wire.API_KEY: GOOD[wire.API_KEY]}
    assert read_headers(alone) == read_headers({**alone, "Content-Type": "application/json"})
    assert read_headers(alone) == UnsignedFields(GOOD[wire.API_KEY])


def test_the_key_id_may_be_left_out() -> None:
    """A hand-written sender's request without key id is read."""
    assert read_headers(without(wire.KEY_ID)) == FIELDS._replace(key_id=None)


@pytest.mark.parametrize("left", [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14])
def test_signature_headers_stand_all_or_none(left: int) -> None:
    """Some signature headers without the others are malformed, never unsigned; the missing ones are named."""
    missing = [name for bit, name in enumerate(SIGNATURE_HEADERS) if left & (1 << bit)]
    gone = [*missing, wire.KEY_ID] if left & 8 else missing
    if gone == [wire.KEY_ID] or len(gone) == 4:
        return
    error = refusal(read_headers, without(*gone))
    assert error.reason == Reason.HEADER_MALFORMED
    assert all(name in error.detail for name in missing)
    assert wire.KEY_ID not in error.detail


def test_a_sender_of_the_signature_alone_is_told_what_is_missing() -> None:
    """Who sends X-RP-Signature alone, as the public page shows it, learns the other names."""
    error = refusal(read_headers, {wire.SIGNATURE: GOOD[wire.SIGNATURE]})
    assert error.reason == Reason.HEADER_MALFORMED
    assert error.detail.endswith(f"missing: {wire.API_KEY}, {wire.TIMESTAMP}, {wire.NONCE}")


@pytest.mark.parametrize("headers", [{}, [], without(wire.API_KEY), {"Content-Type": "application/json"}])
def test_a_request_without_api_key_is_refused(headers: Any) -> None:
    """No api key is api_key_missing, signed or not."""
    assert reason(read_headers, headers) == Reason.API_KEY_MISSING


@pytest.mark.parametrize("headers", [None, 5, "X-RP-Nonce: a", ["a"], [("a",)], [("a", "b", "c")], [(None, "a")], [5]])
def test_what_is_no_headers_is_a_mistake_of_the_caller(headers: Any) -> None:
    """An argument that is neither a mapping nor pairs is a TypeError that says what to hand in."""
    with pytest.raises(TypeError, match="all headers of the request"):
        read_headers(headers)


def test_a_header_name_is_ascii() -> None:
    """A name that Unicode lower-cases to ours (the Kelvin sign) is not ours."""
    headers = {name.replace("K", "\u212a"): value for name, value in GOOD.items()}
    assert reason(read_headers, headers) == Reason.API_KEY_MISSING


def test_a_value_may_be_a_subclass_of_str() -> None:
    """A value of a subclass of str counts as its text, whatever it prints as."""
    Value = enum.Enum("Value", {"NONCE": GOOD[wire.NONCE]}, type=str)  # a class
    assert read_headers({**GOOD, wire.NONCE: Value.NONCE}) == FIELDS


def test_what_is_no_text_is_named_by_its_type() -> None:
    """A value that is neither str nor bytes is refused with its type, and an unsigned request shows nothing."""
    assert "is int;" in refusal(read_headers, {**GOOD, wire.NONCE: 5}).detail
    assert repr(UnsignedFields("rpx_test_demo")) == "<UnsignedFields>"
