"""The fast reading of an ASGI server's list of headers, beside the grammar and beside the careful reading."""

from __future__ import annotations

import pytest
import spec_page
from hypothesis import example, given
from hypothesis import strategies as st
from parties import BODY, KEYS, NOW, Clock, reason, signer

from rp_signing import Keyring, Reason, Verifier, grammar, wire

GOOD = {name.lower().encode(): value.encode() for name, value in spec_page.HEADERS.items() if name.startswith("X-RP-")}
NAMES = [name.lower().encode() for name in (wire.API_KEY, wire.KEY_ID, wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE)]
KEY_CHARACTERS = st.sampled_from("azAZ09-_~=+/. \n\u00e9")
DIGITS = st.sampled_from("0123456789 a\u00b2")


@given(st.text("azAZ09-_", min_size=20, max_size=66) | st.text(KEY_CHARACTERS, min_size=20, max_size=66))
@example("n" * 22)
@example("n" * 64)
@example("n" * 21)
@example("n" * 65)
def test_a_nonce_is_glanced_at_by_its_rule(nonce: str) -> None:
    """A glance takes just the nonces that match the rule of SPEC §4."""
    glanced = wire.glance(list({**GOOD, b"x-rp-nonce": nonce.encode("latin-1")}.items()))
    assert (glanced is not None) == grammar.NONCE.matches(nonce)


@pytest.mark.parametrize("octet", range(256))
def test_each_octet_of_a_nonce_is_glanced_at_by_its_rule(octet: int) -> None:
    """A glance takes just the octets that the rule of SPEC §4 takes."""
    nonce = bytes([octet]).join([b"n" * 11] * 2)
    glanced = wire.glance(list({**GOOD, b"x-rp-nonce": nonce}.items()))
    assert (glanced is not None) == grammar.NONCE.matches(nonce.decode("latin-1"))


@given(st.text("0123456789", min_size=9, max_size=11) | st.text(DIGITS, min_size=9, max_size=11))
@example("1795424400")
@example("0795424400")
@example("179542440\u00b2")
def test_a_timestamp_is_glanced_at_by_its_rule(timestamp: str) -> None:
    """A glance takes just the timestamps that match the rule of SPEC §4."""
    glanced = wire.glance(list({**GOOD, b"x-rp-timestamp": timestamp.encode("latin-1")}.items()))
    assert (glanced is not None) == grammar.TIMESTAMP.matches(timestamp)


def test_the_five_values_come_in_the_order_of_the_spec() -> None:
    """A glance gives what the careful reading gives."""
    assert wire.glance(list(GOOD.items())) == wire.read_headers(GOOD) == tuple(GOOD[name].decode() for name in NAMES)


@pytest.mark.parametrize(
    "more",
    [
        (b"X-RP-Nonce", b"n" * 22),
        (b"x-rp-nonce", GOOD[b"x-rp-nonce"]),
        (b"Accept", b"*/*"),
        (b"content-encoding", b"gzip"),
        (b"content-type", b"text/plain"),
        (b"content-type", b"application/json; charset=utf-8"),
    ],
)
def test_what_is_unusual_is_left_to_the_careful_reading(more: tuple[bytes, bytes]) -> None:
    """A doubled name, a name with capitals, an encoding, another media type: no glance decides on it."""
    assert wire.glance([*GOOD.items(), more]) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_glance_needs_all_five(name: bytes) -> None:
    """Without one of the five, or with one that is not ASCII, the careful reading decides."""
    others = {other: value for other, value in GOOD.items() if other != name}
    assert wire.glance(list(others.items())) is None
    assert wire.glance([*others.items(), (name, b"\xe9")]) is None


@pytest.mark.parametrize("name", [b"x-rp-api-key", b"x-rp-key-id", b"x-rp-signature"])
@pytest.mark.parametrize("value", [b"?", b" ", b"sha256=", b"rpx_test_", "\u00e9".encode(), b"\xe9"])
def test_what_a_glance_leaves_open_is_refused_as_malformed(name: bytes, value: bytes) -> None:
    """A malformed api key, key id or signature is named as such, before what follows from it."""
    gate = Verifier(Keyring.of(KEYS), nonces=None, clock=Clock())
    signed = {own.lower().encode(): given.encode() for own, given in signer(Clock()).sign(BODY).items()}
    pairs = list({**signed, name: value}.items())
    assert reason(gate.check, pairs, BODY) == Reason.HEADER_MALFORMED


def test_a_malformed_field_comes_before_the_window() -> None:
    """An expired request with a malformed signature is malformed, as SPEC §6.1 orders it."""
    gate = Verifier(Keyring.of(KEYS), nonces=None, clock=Clock(NOW + 1_000))
    signed = {own.lower().encode(): given.encode() for own, given in signer(Clock()).sign(BODY).items()}
    pairs = list({**signed, b"x-rp-signature": signed[b"x-rp-signature"].upper()}.items())
    assert reason(gate.check, pairs, BODY) == Reason.HEADER_MALFORMED
