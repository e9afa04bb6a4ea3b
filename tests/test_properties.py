"""What holds for every value, text and request (Hypothesis)."""

import asyncio
import copy
import json
import random
from typing import Any

import pytest
import rfc8785
import spec_page
from hypothesis import given, settings
from hypothesis import strategies as st
from parties import BODY, KEYS, NOW, Clock, signer, verifier
from second_json import Refused
from second_json import canonical as second_canonical
from second_json import read as second_read

from rp_signing import (
    CanonicalizationError,
    Claim,
    Keyring,
    Reason,
    VerificationError,
    Verified,
    canonicalize,
    parse,
    sign_event,
    verify_event,
    wire,
)
from rp_signing.canonical import canonicalize_parsed
from rp_signing.exact import write_exactly

settings.register_profile("gate", deadline=None, max_examples=200, derandomize=True, database=None)
settings.load_profile("gate")

# Texts in which a program that mends bytes could mistake text for a number, a name or a literal.
TRAPS = ["null", "1.0", "-0.0", "1.0,", "0.0]", '".0}', "e-6", "1e+16,", "e+20}", "\\", '\\"', '"', ".0,\\", ":", "{",
         "[", "\x7f", "\xff", "\ue000", "\uf8ff", "\uffff", "\U00010000", "\U0001f600", "\U00040000", "\U0010e000",
         "\U0010ffff", "é", "e\u0301", "\0", "\x1f", "\u2028", "integrity_signature"]  # fmt: skip
LETTERS = st.one_of(st.sampled_from(TRAPS), st.characters(exclude_categories=["Cs"]), st.characters(codec="ascii"))
TEXTS = st.lists(LETTERS, max_size=5).map("".join)
EDGES = [0.0, -0.0, 1e-7, 1e-6, 1.5e-6, 9.9e-6, 1e-5, 1e15, 9007199254740993.0, 1e16, 1e17, 1.5e20, 1e20, 1e21, 1e22,
         5e-324, 1.7976931348623157e308, 0.1, 1.0, -1.0, 100.0, 123456789.5]  # fmt: skip
FLOATS = st.one_of(
    st.sampled_from(EDGES),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53).map(float),
    st.builds(lambda digits, power: float(f"{digits}e{power}"), st.integers(1, 10**17), st.integers(-30, 10)),
)
INTEGERS = st.integers(1 - 2**53, 2**53 - 1)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(TEXTS, inner, max_size=6)),
    max_leaves=20,
)
EVENTS = st.dictionaries(TEXTS.filter(lambda name: name != wire.SIGNATURE_MEMBER), VALUES, max_size=5)


def outcome(call: Any, *arguments: Any) -> Any:
    """A result, or the reason and place of a refusal."""
    try:
        return call(*arguments)
    except CanonicalizationError as error:
        return error.reason, error.pointer
    except Refused as error:
        return error.reason


def respelled(value: Any, chance: random.Random) -> str:
    """The same JSON, its members shuffled, with white space, and with characters escaped."""
    space = "".join(chance.choices(" \t\n\r", k=chance.randrange(3)))
    if isinstance(value, dict):
        members = list(value.items())
        chance.shuffle(members)
        inner = ",".join(f"{space}{respelled(name, chance)}{space}:{respelled(item, chance)}" for name, item in members)
        return f"{space}{{{inner}{space}}}"
    if isinstance(value, list):
        return f"{space}[{','.join(respelled(item, chance) for item in value)}{space}]{space}"
    if isinstance(value, str):
        pieces = []
        for character in value:
            units = character.encode("utf-16-be").hex()
            escaped = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
            plain = json.dumps(character, ensure_ascii=False)[1:-1]
            pieces.append(chance.choice((plain, escaped, escaped.upper().replace("U", "u"))))
        return f'"{"".join(pieces)}"'
    text = json.dumps(value)
    return space + (chance.choice((text, text.upper())) if isinstance(value, float) else text) + space


@given(VALUES)
@settings(max_examples=700)
def test_the_fast_path_is_the_exact_path(value: Any) -> None:
    """Both paths, the second implementation, and the package rfc8785 give one value the same bytes."""
    form = canonicalize(value)
    assert form == write_exactly(value) == second_canonical(value)
    assert form == rfc8785.dumps(value)
    assert canonicalize_parsed(parse(form)) == form


@given(st.dictionaries(TEXTS, st.one_of(FLOATS, TEXTS), min_size=2, max_size=12))
@settings(max_examples=500)
def test_objects_of_odd_names_and_floats(value: Any) -> None:
    """Members whose names order differently by code point, beside floats that orjson spells differently."""
    assert canonicalize(value) == write_exactly(value) == rfc8785.dumps(value)
    assert canonicalize([value, {"a": value}]) == write_exactly([value, {"a": value}])
    for less in (value, dict(list(value.items())[1:])):
        assert canonicalize_parsed(less) == canonicalize_parsed([less])[1:-1] == write_exactly(less)


@given(VALUES)
@settings(max_examples=500)
def test_what_was_written_is_read(value: Any) -> None:
    """Reading the canonical form gives an equal value, and writing that gives the same bytes."""
    form = canonicalize(value)
    again = parse(form)
    assert canonicalize(again) == form
    assert again == second_read(form)
    assert again == json.loads(form, parse_int=float)


@given(VALUES, st.randoms(use_true_random=False))
@settings(max_examples=400)
def test_equal_json_has_equal_bytes(value: Any, chance: random.Random) -> None:
    """Another order of members, white space, escapes and case of exponents are the same JSON."""
    text = respelled(value, chance)
    assert canonicalize(parse(text)) == canonicalize(parse(text.encode())) == canonicalize(value)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=40), st.lists(st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"', "a", "\\u0061", "\\ud800", "1", "-", "0", ".5", "e", "1e400", "9" * 20, "null",
     " ", "NaN", "\ufeff", "\x01", "é"]), max_size=14).map("".join)))  # fmt: skip
@settings(max_examples=2000)
def test_any_text_is_read_or_refused(text: bytes | str) -> None:
    """Any bytes or str give a value or a CanonicalizationError, and the second implementation agrees which."""
    mine = outcome(lambda: ("taken", canonicalize(parse(text))))
    try:
        raw = text if isinstance(text, bytes) else text.encode()
    except UnicodeEncodeError:
        assert mine == ("payload_not_utf8", None)
        return
    theirs = outcome(lambda: ("taken", second_canonical(second_read(raw))))
    assert (mine[0] == "taken") == (theirs[0] == "taken")
    if mine[0] == "taken":
        assert mine == theirs


@given(VALUES, st.data())
@settings(max_examples=400)
def test_a_text_with_one_byte_changed_is_read_alike(value: Any, data: st.DataObject) -> None:
    """A canonical text with one byte changed is taken or refused by both implementations alike, with equal bytes."""
    form = bytearray(canonicalize(value))
    form[data.draw(st.integers(0, len(form) - 1))] = data.draw(st.integers(0, 255))
    mine = outcome(lambda: ("taken", canonicalize(parse(bytes(form)))))
    theirs = outcome(lambda: ("taken", second_canonical(second_read(bytes(form)))))
    assert (mine if mine[0] == "taken" else None) == (theirs if theirs[0] == "taken" else None)


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=400)
def test_any_changed_byte_of_the_body_is_refused(place: int, mask: int) -> None:
    """A body with one byte changed is refused."""
    body = bytearray(spec_page.BODY)
    body[place % len(body)] ^= mask
    gate = verifier(Clock(int(spec_page.HEADERS[wire.TIMESTAMP])))
    with pytest.raises(VerificationError):
        gate.verify(spec_page.HEADERS, bytes(body))
    assert gate.verify(spec_page.HEADERS, spec_page.BODY)


@pytest.mark.parametrize("name", [wire.API_KEY, wire.KEY_ID, wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE])
@pytest.mark.parametrize("reserialized", [False, True])
def test_every_changed_byte_of_a_header_is_refused(name: str, reserialized: bool) -> None:
    """A header value with one byte changed, left out, doubled or put in is refused, at every place."""
    gate = verifier(Clock(int(spec_page.HEADERS[wire.TIMESTAMP])), accept_reserialized=reserialized)
    good = spec_page.HEADERS[name].encode()
    pairs = [(n.lower().encode(), v.encode()) for n, v in spec_page.HEADERS.items() if n != name]
    tried = 0
    for place in range(len(good)):
        others = {good[:place] + bytes([byte]) + good[place + 1 :] for byte in range(256)}
        others |= {good[:place] + good[place + 1 :], good[:place] + good[place : place + 1] + good[place:]}
        for value in others - {good}:
            tried += 1
            with pytest.raises(VerificationError):
                gate.verify([*pairs, (name.lower().encode(), value)], spec_page.BODY)
    assert tried >= 255 * len(good)
    assert gate.verify([*pairs, (name.lower().encode(), good)], spec_page.BODY)


NAMES = st.sampled_from(
    [*(n for n in spec_page.HEADERS if n.startswith("X-RP-")), "Content-Type", "Content-Encoding", "Cookie"]
)
JUNK = st.one_of(
    st.text(max_size=30), st.binary(max_size=30), st.sampled_from(list(spec_page.HEADERS.values())), st.none()
)
PAIRS = st.lists(
    st.tuples(st.one_of(NAMES, NAMES.map(str.lower), NAMES.map(str.encode), st.text(max_size=9)), JUNK), max_size=9
)


@given(PAIRS, st.binary(max_size=60), st.booleans(), st.booleans())
@settings(max_examples=500)
def test_any_request_is_verified_or_refused(pairs: Any, body: bytes, good: bool, mapping: bool) -> None:
    """Any headers and bytes give Verified or VerificationError, from verify, averify and check."""
    headers: Any = [*(spec_page.HEADERS.items() if good else ()), *pairs]
    headers = dict(headers) if mapping else headers
    gate = verifier(Clock(), accept_reserialized=True)
    for call in (gate.verify, gate.check, lambda *both: asyncio.run(gate.averify(*both))):
        try:
            outcome = call(headers, body)
        except VerificationError as error:
            outcome = error.reason
        assert isinstance(outcome, (Verified, Claim, Reason))


@given(VALUES.map(lambda value: canonicalize(value)))
def test_any_json_that_was_signed_is_taken(body: bytes) -> None:
    """Every JSON body that a holder of the secret signs is verified, once, and given as it parses."""
    gate, headers = verifier(Clock()), signer(Clock()).sign(body)
    verified = gate.verify(headers, body)
    assert isinstance(verified, Verified)
    assert canonicalize(verified.payload) == body
    with pytest.raises(VerificationError, match="replayed"):
        gate.verify(headers, body)


KEYRING = Keyring.of(KEYS)


@given(EVENTS, st.randoms(use_true_random=False))
def test_a_signed_event_survives_rewriting(event: dict[str, Any], chance: random.Random) -> None:
    """An event that was signed verifies after any other serialiser, and is not changed by signing."""
    before = copy.deepcopy(event)
    signed = sign_event(event, api_key=spec_page.API_KEY, secret=spec_page.SECRET)
    assert event == before
    rewritten = parse(respelled(signed, chance))
    assert verify_event(rewritten, keyring=KEYRING, api_key=spec_page.API_KEY) == spec_page.KEY_ID


@given(st.one_of(VALUES, EVENTS.map(lambda event: {**event, wire.SIGNATURE_MEMBER: "sha256=" + "0" * 64})))
def test_any_event_is_refused_with_a_reason(event: Any) -> None:
    """Any value that nobody signed is refused by verify_event with a VerificationError."""
    with pytest.raises(VerificationError):
        verify_event(event, keyring=KEYRING, api_key=spec_page.API_KEY)


def test_the_request_of_these_tests_is_good() -> None:
    """The request that is spoiled here would be taken as it is."""
    assert verifier(Clock(NOW)).verify(signer(Clock(NOW)).sign(BODY), BODY)
