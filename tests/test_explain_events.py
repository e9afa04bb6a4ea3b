"""`explain_event`: why an event's own signature fails, by mistakes that are made for real."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from event_mistakes import EVENT_MISTAKES, event_after
from mistaken_sender import API_KEY, LIVE_KEY, MEMBER, OTHER_KEY, RICH, SECRET, Sender
from test_explain import KEYRING, SECRETS, named

from rp_signing import Keyring, Reason, VerificationError, verify_event
from rp_signing.explain import explain_event

SENT_UNDER = {"test_for_live": LIVE_KEY, "api_key_other": OTHER_KEY}


@pytest.mark.parametrize("name", EVENT_MISTAKES)
def test_a_mistake_with_an_event_is_told_its_own_cause_and_no_other(name: str) -> None:
    """Each mistake, made for real, is the one cause, found within 60 hashes of the event; nothing secret is said."""
    event, api_key = event_after(name), SENT_UNDER.get(name, API_KEY)
    explanation = explain_event(event, keyring=KEYRING, api_key=api_key)
    assert named(explanation) == [name.partition("/")[0]]
    with pytest.raises(VerificationError) as refused:
        verify_event(event, keyring=KEYRING, api_key=api_key)
    assert (explanation.verified, explanation.reason) == (False, refused.value.reason)
    assert (explanation.stopped, explanation.hashed < 60) == (False, True)
    assert [text for text in (*SECRETS, event[MEMBER][-64:]) if text and text in repr(explanation)] == []


def test_an_event_that_verifies_has_no_cause() -> None:
    """It is said to; the api key may be left out where there is one."""
    event = Sender(RICH).send_event()
    for explanation in (
        explain_event(event, keyring=KEYRING, api_key=API_KEY),
        explain_event(event, keyring=KEYRING),
        explain_event(event, keyring=Keyring.of({API_KEY: SECRET})),
    ):
        assert (explanation.verified, explanation.reason, explanation.causes) == (True, None, ())


def test_an_event_that_was_altered_is_told_without_a_cause() -> None:
    """What a member held before nobody can tell; its reason is said, and the lines of what came."""
    event = Sender(RICH).send_event() | {"event": "Another"}
    explanation = explain_event(event, keyring=KEYRING, api_key=API_KEY)
    assert (explanation.reason, explanation.causes) == (Reason.EVENT_SIGNATURE_MISMATCH, ())
    assert explanation.received
    assert explanation.received[1] == "event"
    assert explanation.signed is None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ([], "event_invalid"),
        (RICH, "event_signature_missing"),
        ({**RICH, "properties": {"x": float("nan")}}, "payload_number_range"),
    ],
)
def test_what_is_no_signed_event_is_its_own_cause(event: Any, reason: str) -> None:
    """The reason says it all, and stands in the causes, too."""
    explanation = explain_event(event, keyring=KEYRING, api_key=API_KEY)
    assert (explanation.reason, named(explanation)) == (reason, [reason])


def test_an_api_key_that_is_not_known_is_told() -> None:
    """Under an api key of another environment the id is said, never the key."""
    explanation = explain_event(Sender(RICH).send_event(), keyring=KEYRING, api_key="rpx_test_demp")
    assert explanation.reason == "api_key_unknown"
    assert not explanation.verified
    assert "rpx_test_demp" not in repr(explanation)


# These undo one another, or leave nothing to go by.
_LOST = {"event_signature_malformed", "mac_other_hash", "signed_empty"}
_KEYS = {"secret_newline", "secret_quoted", "secret_base64_decoded", "api_key_as_secret", "secret_of_other_api_key"}
_LINES = {"lines_crlf", "lines_final_newline", "purpose_swapped", "digest_base64", "dash_left_empty"}
_EVENTS = {"event_member_added", "signed_json_dumps", "signed_nulls_dropped", "signed_nfc", "signed_utf16"}
PAIRS = sorted(
    pair
    for pair in (*itertools.product(_KEYS, _LINES | _EVENTS), *itertools.product(_LINES, _EVENTS))
    if not _LOST & set(pair)
)


@pytest.mark.parametrize(("first", "second"), random.Random(12).sample(PAIRS, 30))
def test_two_mistakes_with_an_event_are_both_named(first: str, second: str) -> None:
    """Of two mistakes at once both are said, and nothing else."""
    explanation = explain_event(event_after(first, second), keyring=KEYRING, api_key=API_KEY)
    assert sorted(named(explanation)) == sorted((first, second))
