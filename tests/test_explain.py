"""`explain`: why a request is refused. The mistakes are made by a sender that shares no code with the library."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from event_mistakes import EVENT_MISTAKES
from mistaken_sender import (
    API_KEY,
    LIVE_KEY,
    LIVE_SECRET,
    NOW,
    OTHER_KEY,
    OTHER_SECRET,
    RETIRED,
    RICH,
    SECOND,
    SECRET,
    Sender,
)  # fmt: skip
from mistakes import BODY_MISTAKES, HEADER_MISTAKES, KEY_MISTAKES, LINE_MISTAKES, MISTAKES

from rp_signing import Keyring, Verifier, canonicalize
from rp_signing.errors import VerificationError
from rp_signing.explain import Explanation, explain
from rp_signing.explain.causes import CAUSES
from rp_signing.keys import ApiKey, RetiredSecret

KEYRING = Keyring(
    {
        API_KEY: ApiKey(API_KEY, [SECRET, SECOND], retired=[RetiredSecret(RETIRED, NOW - 10)]),
        OTHER_KEY: ApiKey(OTHER_KEY, [OTHER_SECRET]),
        LIVE_KEY: ApiKey(LIVE_KEY, [LIVE_SECRET]),
    }
)

# Needs another keyring, and is tested on its own.
ELSEWHERE = {"secret_hex_decoded"}
NODE = {"reserialized_json_stringify", "signed_json_stringify"}


def named(explanation: Explanation) -> list[str]:
    """The ids of the causes."""
    return [cause.cause for cause in explanation.causes]


def made(*names: str, value: dict[str, Any] | None = None, own_key_id: bool = False) -> tuple[Any, bytes]:
    """What arrives after these mistakes."""
    mistakes = [MISTAKES[name] for name in names]
    first = next((mistake.value for mistake in mistakes if mistake.value is not RICH), RICH)
    sender = Sender(value or first)
    sender.own_key_id = own_key_id
    for mistake in mistakes:
        mistake.make(sender)
    return sender.send()


SECRETS = (API_KEY, OTHER_KEY, LIVE_KEY, SECRET, SECOND, RETIRED, OTHER_SECRET, LIVE_SECRET)


@pytest.mark.parametrize("own_key_id", [False, True], ids=["key id as configured", "key id of the key used"])
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_its_own_cause_and_no_other(name: str, own_key_id: bool) -> None:
    """Each mistake, made for real, is the one cause, found within 60 hashes of the body; nothing secret is said."""
    headers, body = made(name, own_key_id=own_key_id)
    explanation = explain(KEYRING, headers, body, now=NOW)
    assert named(explanation) == [name.partition("/")[0]]
    with pytest.raises(VerificationError) as refused:
        Verifier(KEYRING, nonces=None).check(headers, body, NOW)
    assert (explanation.verified, explanation.reason) == (False, refused.value.reason)
    assert explanation.stopped == (name == "body_replaced")
    assert explanation.hashed < 60 or name in ("body_replaced", "body_empty")
    mac = dict(headers).get("X-RP-Signature", "").removeprefix("sha256=")
    assert [text for text in (*SECRETS, mac) if text and text in repr(explanation)] == []


def test_every_known_mistake_is_made() -> None:
    """No sentence stands in the table without a test that makes its mistake; there are more than 100."""
    made = {name.partition("/")[0] for name in (*MISTAKES, *EVENT_MISTAKES)}
    assert made | NODE | ELSEWHERE >= CAUSES.keys()
    assert len(CAUSES) > 100
    assert len(set(CAUSES.values())) > len(CAUSES) - 2


def test_what_verifies_has_no_cause() -> None:
    """A request that verifies is said to, with the lines that were signed, and no cause."""
    headers, body = Sender(RICH).send()
    explanation = explain(KEYRING, headers, body, now=NOW)
    assert explanation.verified
    assert (explanation.reason, explanation.causes, explanation.signed) == (None, (), explanation.received)


@pytest.mark.parametrize("own_key_id", [False, True])
def test_what_nobody_knows_has_no_cause(own_key_id: bool) -> None:
    """Under a secret that is in no keyring nothing matches, and nothing is made up."""
    sender = Sender(RICH)
    sender.key.append(lambda _: b"a-secret-that-nobody-here-has-seen-0001")
    sender.own_key_id = own_key_id
    explanation = explain(KEYRING, *sender.send(), now=NOW)
    assert (explanation.verified, explanation.causes, explanation.signed) == (False, (), None)
    assert explanation.reason == ("key_id_unknown" if own_key_id else "signature_mismatch")


@pytest.mark.parametrize("key_id_sent", [True, False])
def test_a_hex_decoded_secret_is_named(key_id_sent: bool) -> None:
    """A secret that is hex is often decoded; without a key id each active secret is tried."""
    secret = "00112233445566778899aabbccddeeff" * 2
    sender = Sender(RICH)
    sender.secret = secret
    sender.key.append(lambda key: bytes.fromhex(key.decode()))
    if not key_id_sent:
        sender.sent_key_id = None
    keyring = Keyring.of({API_KEY: [SECRET, secret, SECOND]})
    assert named(explain(keyring, *sender.send(), now=NOW)) == ["secret_hex_decoded"]


# What is lost for good cannot be seen through: the body, the nonce, the MAC or the right lines are not there any more.
LOST = {
    "body_empty", "body_replaced", "nonce_malformed", "header_missing", "mac_other_hash", "signature_missing",
    "secret_as_api_key", "header_malformed", "event_signature_sent", "api_key_unknown", "timestamp_rendered/date",
}  # fmt: skip
# These MAC the whole body, so that only the likelier pairs with them are within the bounds.
HEAVY = {"body_for_digest", "body_alone", "body_with_timestamp", "digest_alone"}
# With the key id or the api key gone wrong, what is in these lines or who signed cannot be told apart from it.
KEY_LINES = {"key_id_header_lost", "key_id_dash", "api_key_in_line", "api_key_id_uncut", "api_key_id_unlabelled"}
# In the order in which they are made.
BODY_PAIRS = [
    ("body_newline_added", "body_bom_added"),
    ("reserialized_json_dumps", "body_newline_added"),
    ("reserialized_php_json_encode", "body_newline_added"),
    ("reserialized_go_json_marshal", "body_newline_added"),
    ("reserialized_json_dumps_compact", "body_bom_added"),
    ("body_bom_added", "body_latin1_twice"),
    ("body_newline_added", "body_base64"),
    ("reserialized_indented", "body_gzip"),
    ("reserialized_php_json_encode", "body_base64"),
    ("reserialized_json_dumps", "body_json_string"),
    ("signed_nulls_dropped", "reserialized_json_dumps"),
    ("php_empty_array", "reserialized_php_json_encode"),
    ("signed_php_empty_array", "signed_php_json_encode"),
    ("signed_nulls_dropped", "signed_json_dumps"),
    ("signed_indented", "body_newline_lost"),
    ("signed_json_dumps", "body_newline_lost"),
    ("body_newline_added", "signed_json_dumps_compact"),
]


def outcomes() -> list[tuple[str, str]]:
    """Pairs across the body, the key, the lines and the headers, each with an effect of its own."""
    clear = [{name for name in part if name not in LOST} for part in (KEY_MISTAKES, LINE_MISTAKES, BODY_MISTAKES)]
    keys, lines, bodies = clear
    headers = {name for name in HEADER_MISTAKES if name not in LOST}
    light = lines - HEAVY
    pairs = [
        *itertools.product(keys, light - KEY_LINES),
        *itertools.product(keys, bodies),
        *itertools.product(light - {"length_in_characters", "length_in_characters/utf-16"}, bodies),
        *itertools.product(keys & {"secret_newline", "secret_quoted"}, headers),
        *itertools.product(
            bodies - {"body_gzip"},
            headers
            & {
                "mac_base64",
                "mac_uppercase",
                "timestamp_milliseconds/header",
                "header_quoted",
                "media_type",
                "timestamp_expired",
                "timestamp_future",
            },
        ),
    ]
    return sorted(pair for pair in pairs if "signed_empty" not in pair)


SAMPLE = [*BODY_PAIRS, *random.Random(12).sample(outcomes(), 80)]


@pytest.mark.parametrize(("first", "second"), SAMPLE)
def test_two_mistakes_at_once_are_both_named(first: str, second: str) -> None:
    """Of two mistakes at once, each of which can be told alone, both are said and nothing else."""
    headers, body = made(first, second)
    value = next((MISTAKES[name].value for name in (first, second) if MISTAKES[name].value is not RICH), RICH)
    assert (headers, body) not in (made(first, value=value), made(second, value=value))
    explanation = explain(KEYRING, headers, body, now=NOW)
    assert set(named(explanation)) == {first.partition("/")[0], second.partition("/")[0]}
    assert len(explanation.causes) == 2


def test_a_keyring_that_is_very_large_is_not_tried_whole() -> None:
    """Of thousands of other api keys some are tried, and it is said that not all were; a key id finds its own."""
    many = {f"rpx_test_number_{number}": f"secret-of-some-other-api-key-{number:06}" for number in range(2000)}
    keyring = Keyring.of({API_KEY: SECRET, **many})
    sender = Sender(RICH)
    sender.secret = many["rpx_test_number_1999"]
    found = explain(keyring, *sender.send(), now=NOW)
    assert named(found) == ["secret_of_other_api_key"]
    sender = Sender(RICH)
    sender.key.append(lambda _: many["rpx_test_number_1999"].encode())
    unknown = explain(keyring, *sender.send(), now=NOW)
    assert (unknown.causes, unknown.stopped) == ((), True)


def test_a_secret_in_the_wrong_header_is_not_repeated() -> None:
    """A secret that was pasted into any header is not shown again."""
    secret = "pasted-secret!0123456789-abcdefghijklmn"
    for index in range(1, 6):
        headers, body = Sender(RICH).send()
        headers[index] = (headers[index][0], secret)
        assert secret not in repr(explain(KEYRING, headers, body, now=NOW))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_came_is_judged_as_the_gate_judges_it(seed: int) -> None:
    """Spoiled at random, a request gives the gate's own reason, and never an exception."""
    draw = random.Random(seed)
    for _ in range(10):
        headers, body = made(draw.choice(list(MISTAKES)))
        spoiled = bytearray(body)
        for _ in range(draw.randrange(3)):
            spoiled[draw.randrange(len(spoiled) + 1) : draw.randrange(len(spoiled) + 1)] = draw.randbytes(
                draw.randrange(4)
            )
        place = draw.randrange(len(headers))
        value = "".join(draw.choice("\ud800é²\0 =,'\"-9a\n") for _ in range(draw.randrange(40)))
        headers[place] = (headers[place][0], draw.choice([value, headers[place][1]]))
        explanation = explain(KEYRING, headers, bytes(spoiled), now=NOW)
        try:
            Verifier(KEYRING, nonces=None).check(headers, bytes(spoiled), NOW)
            reason = None
        except VerificationError as refused:
            reason = refused.reason
        assert reason in (explanation.reason, None)
        assert explanation.verified == (explanation.reason is None)


@pytest.mark.parametrize(
    ("now", "cause", "said"),
    [
        (NOW + 301, "timestamp_expired", "Signed 301 s before now; 300 are taken."),
        (NOW - 61, "timestamp_future", "Dated 61 s ahead of now; 60 are taken."),
        (NOW + 7201, "timestamp_expired", "That is 2 hours: local time taken for UTC?"),
        (NOW - 19_800, "timestamp_future", "That is 5.5 hours: local time taken for UTC?"),
    ],
)
def test_expired_and_future_say_by_how_much(now: float, cause: str, said: str) -> None:
    """The seconds are said, and whether they look like a time zone; the edges verify."""
    explanation = explain(KEYRING, *Sender(RICH).send(), now=now)
    assert named(explanation) == [cause]
    assert said in explanation.causes[0].detail
    assert explain(KEYRING, *Sender(RICH).send(), now=NOW + 300).verified
    assert explain(KEYRING, *Sender(RICH).send(), now=NOW - 60).verified


def test_the_lines_differ_where_the_mistake_is() -> None:
    """Both signing inputs are given, and they differ in just the lines of the mistake."""

    def differing(*names: str) -> list[int]:
        explanation = explain(KEYRING, *made(*names), now=NOW)
        assert explanation.received
        assert explanation.signed
        both = zip(explanation.received, explanation.signed, strict=True)
        return [index for index, (ours, theirs) in enumerate(both) if ours != theirs]

    assert differing("purpose_swapped") == [1]
    assert differing("timestamp_milliseconds") == [4]
    assert differing("body_newline_added") == [6, 7]
    assert differing("secret_newline") == []
    assert differing("lines_final_newline") == [7]
    assert differing("api_key_in_line") == [2]
    assert explain(KEYRING, *made("api_key_in_line"), now=NOW).signed[2] == "(the api key itself)"


def test_a_serialiser_is_known_by_its_options_too() -> None:
    """json.dumps is recognised with sorted names, without ASCII escapes, and after floats of every size."""
    value = {
        **RICH,
        "properties": {"small": 1e-7, "large": 1e20, "huge": 1.5e300, "whole": 3, "zero": 0.5, "é": ",1e-07,"},
    }
    for options in ({}, {"sort_keys": True}, {"ensure_ascii": False}, {"ensure_ascii": False, "sort_keys": True}):
        sender = Sender(value)
        sender.text = canonicalize(value)
        sender.transit.append(lambda body, options=options: json.dumps(json.loads(body), **options).encode())
        assert named(explain(KEYRING, *sender.send(), now=NOW)) == ["reserialized_json_dumps"]
