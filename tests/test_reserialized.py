"""`accept_reserialized`: the second try, on the canonical form of a body that a gateway wrote anew, and its bounds."""

from typing import Any

import pytest
from parties import BODY, NOW, OLD, STRANGER, Clock, reason, signer, verifier
from spec_page import API_KEY, SECRET

from rp_signing import Reason, Secret, wire
from rp_signing.grammar import spell_mac
from rp_signing.verifier import MAX_RESERIALIZED

RESPACED = BODY.replace(b",", b" , ")


def sign(body: bytes = BODY, secret: str = SECRET, now: float = NOW) -> dict[str, str]:
    """The headers of a request."""
    return signer(Clock(now), secret, API_KEY).sign(body)


def test_a_rewritten_body_is_refused_unless_it_is_asked_for() -> None:
    """The same JSON in other bytes is refused; with `accept_reserialized` it is taken and marked."""
    assert reason(verifier(Clock()).verify, sign(), RESPACED) == Reason.SIGNATURE_MISMATCH
    verified = verifier(Clock(), accept_reserialized=True).verify(sign(), RESPACED)
    assert verified.reserialized
    assert verified.claim == verifier(Clock()).check(sign(), BODY)._replace(reserialized=True)
    assert not verifier(Clock(), accept_reserialized=True).verify(sign(RESPACED), RESPACED).reserialized


@pytest.mark.parametrize(
    ("headers", "body", "told"),
    [
        (sign(), BODY.replace(b"123", b"124"), "signature_mismatch"),
        (sign(), BODY[:-1] + b',"a":1,"a":1}', "signature_mismatch"),
        (sign(), b"no json", "signature_mismatch"),
        (sign(secret=STRANGER), RESPACED, "key_id_unknown"),
        (sign(now=NOW - 301), RESPACED, "timestamp_expired"),
    ],
)
def test_the_second_try_opens_nothing_else(headers: Any, body: bytes, told: str) -> None:
    """With `accept_reserialized`, other JSON or no JSON is still a mismatch, and the window still holds."""
    assert reason(verifier(Clock(), accept_reserialized=True).verify, headers, body) == told


def test_the_second_try_keeps_to_the_key_id() -> None:
    """With `accept_reserialized` too, another active secret than the one that is named verifies nothing."""
    gate, named = verifier(Clock(), accept_reserialized=True), sign()
    lines = gate.check(named, RESPACED).signing_input()
    assert gate.check({**named, wire.SIGNATURE: spell_mac(Secret(SECRET).mac(lines))}, RESPACED).reserialized
    exchanged = {**named, wire.SIGNATURE: spell_mac(Secret(OLD).mac(lines))}
    assert reason(gate.check, exchanged, RESPACED) == reason(gate.check, exchanged, BODY) == Reason.SIGNATURE_MISMATCH


def test_the_second_try_has_a_limit() -> None:
    """A body of 65,536 bytes is tried again, one byte more is not."""
    for length, taken in ((MAX_RESERIALIZED, True), (MAX_RESERIALIZED + 1, False)):
        text = b'["' + b"a" * (length - 5) + b'"]'
        gate = verifier(Clock(), accept_reserialized=True)
        if taken:
            assert gate.check(sign(text), b" " + text).reserialized
        else:
            assert reason(gate.check, sign(text), b" " + text) == Reason.SIGNATURE_MISMATCH
