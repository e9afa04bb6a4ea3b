"""Every input that fuzzing kept or found is tried again, and a fault that is planted is found."""

from __future__ import annotations

from unittest.mock import patch

import fuzz
import pytest

from rp_signing import CanonicalizationError, verifier, wire


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_no_kept_input_breaks_anything(target: str) -> None:
    """Tens of inputs a target, each another path through the code, with its oracle."""
    kept = fuzz.inputs(target)
    assert len(kept) > 30
    for given in kept:
        fuzz.TARGETS[target](given)


def test_what_was_signed_is_taken() -> None:
    """The seed of `verify` is a request that passes, so that what is next to it is tried."""
    head = "\n".join(f"{name}: {value}" for name, value in fuzz.signed(fuzz.BODY).items())
    assert head.encode() + b"\n\n" + fuzz.BODY in fuzz.inputs("verify")


def broken_by(target: str) -> int:
    """How many of the kept inputs break a target."""
    broken = 0
    for given in fuzz.inputs(target):
        try:
            fuzz.TARGETS[target](given)
        except (AssertionError, CanonicalizationError, ValueError):
            broken += 1
    return broken


def test_a_gate_that_compares_nothing_is_found() -> None:
    """Among the kept inputs are forgeries that only the MAC refuses."""
    with patch.object(verifier, "matches", lambda *_: True):
        assert broken_by("verify") > 10


def test_a_parse_that_forgives_is_found() -> None:
    """Among the kept inputs are texts that only strictness refuses."""
    with patch.object(fuzz, "parse", fuzz.canonical.orjson.loads):
        assert broken_by("parse") > 10


def test_a_fast_way_that_takes_more_than_the_careful_one_is_found() -> None:
    """Among the kept inputs are headers that a laxer grammar would take."""
    with patch.object(wire, "_NONCES_ONLY", bytes(range(256))):
        assert broken_by("headers") > 0
