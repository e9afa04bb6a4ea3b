"""What makes spoiled calls is tried itself: a gate that is broken accepts some of them."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
import spoiled

from rp_signing import signing, verifier
from rp_signing.canonical import orjson


def test_what_is_spoiled_was_good() -> None:
    """The request, the event and the text that the spoiled ones are made from are taken."""
    assert spoiled.unspoiled_passes()


@pytest.mark.parametrize("kind", spoiled.KINDS)
def test_nothing_spoiled_is_accepted(kind: str) -> None:
    """A thousand of each kind are refused, each by an exception of this library."""
    assert spoiled.tally(kind, 0, 1_000) == {"refused": 1_000}


def test_no_other_spelling_of_a_header_is_accepted() -> None:
    """Tens of thousands of texts next to each header's value: all refused."""
    tried, taken = spoiled.accepted_spellings()
    assert tried > 50_000
    assert taken == []


def test_a_comparison_that_says_yes_is_found() -> None:
    """Without the comparison of MACs, spoiled requests and events get through."""
    with patch.object(verifier, "matches", lambda *_: True):
        assert spoiled.tally("verify", 0, 1_000)["refused"] < 900
    with patch.object(signing, "matches", lambda *_: True):
        assert spoiled.tally("verify_event", 0, 1_000)["refused"] < 900


def test_a_lax_parser_is_found() -> None:
    """Orjson alone reads texts that are refused here."""
    with patch.object(spoiled, "parse", orjson.loads):
        assert spoiled.tally("parse", 0, 1_000)["refused"] < 900


def test_a_foreign_exception_is_found() -> None:
    """An exception that is not ours is told apart from a refusal."""
    with patch.object(signing, "event_signature", lambda _: 1 / 0):
        assert spoiled.tally("verify_event", 0, 100)["foreign: ZeroDivisionError"] > 50


def test_a_lax_spelling_is_found() -> None:
    """A reader that strips white space takes other spellings."""
    careful = spoiled.Verifier.check

    def lax(self: spoiled.Verifier, headers: list[tuple[Any, Any]], body: bytes) -> object:
        space = " " if type(headers[0][1]) is str else b" "
        return careful(self, [(name, value.strip(space)) for name, value in headers], body)

    with patch.object(spoiled.Verifier, "check", lax):
        assert len(spoiled.accepted_spellings()[1]) >= 20
