"""The sentences of floors 0 to 3, word for word: what a person reads in a refusal is part of the product."""

from __future__ import annotations

import enum
import math
import pickle
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from parties import BODY, KEYS, NOW, Clock, signer
from spec_page import API_KEY, SECRET

from rp_signing import (
    Keyring,
    MemoryNonceStore,
    Secret,
    Signer,
    SigningError,
    Verifier,
    canonicalize,
    parse,
    sign_event,
    verify_event,
    wire,
)
from rp_signing.keys import ApiKey, RetiredSecret, api_key_text, secret_text
from rp_signing.replay import Window

KEYRING = Keyring.of(KEYS)
NOBODY = "rpx_test_nobody-knows-me"
ZEROS = {wire.SIGNATURE_MEMBER: "sha256=" + "0" * 64}


class Colour(enum.Enum):
    """Something that is no JSON."""

    RED = "red"


def deep(levels: int) -> Any:
    """Arrays in one another."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def verify(headers: Any, body: Any = BODY, now: int = NOW) -> None:
    """Verify at a gate of its own."""
    Verifier(KEYRING, nonces=MemoryNonceStore(born=0), clock=Clock(now)).verify(headers, body)


def headers(**other: Any) -> dict[str, Any]:
    """Those of a good request, but for some that are told by their constant's name."""
    good = signer(Clock()).sign(BODY)
    return {**good, **{getattr(wire, name): value for name, value in other.items()}}


SENTENCES: list[tuple[Callable[[], Any], str]] = [
    (lambda: canonicalize(2**53),
     "payload_number_range: an integer outside ±(2^53-1) loses digits in other languages; send it as a string"),
    (lambda: canonicalize({1: 2}),
     "key_not_string: a name of type int stands here; names are str"),
    (lambda: canonicalize({"a": {"\ud800": 1, "b": 2}}),
     "payload_surrogate: a name holds half of a surrogate pair, which no UTF-8 can carry (at /a)"),
    (lambda: canonicalize(["\ud800"]),
     "payload_surrogate: the string holds half of a surrogate pair, which no UTF-8 can carry (at /0)"),
    (lambda: canonicalize(float("nan")),
     "payload_number_range: an infinity or NaN is no JSON number; leave it out or write null"),
    (lambda: canonicalize(Colour.RED),
     "value_not_json: a value of type Colour is no JSON; write value.value"),
    (lambda: canonicalize(object()),
     "value_not_json: a value of type object is no JSON; convert it to a JSON type"),
    (lambda: canonicalize(uuid.UUID(int=1)),
     "value_not_json: a value of type UUID is no JSON; write str(value)"),
    (lambda: canonicalize(deep(65)),
     "payload_depth: nested deeper than 64 levels (at " + "/0" * 64 + ")"),
    (lambda: parse(b"[1]", limit=2),
     "payload_too_large: the text has 3 bytes, the limit is 2"),
    (lambda: parse("\ud800"),
     "payload_not_utf8: the str holds a lone surrogate; hand in the bytes that were received"),
    (lambda: parse(1),
     "value_not_json: parse takes bytes or str, not int"),
    (lambda: parse(b"[" * 65 + b"]" * 65),
     "payload_depth: nested deeper than 64 levels"),
    (lambda: parse(b"\xef\xbb\xbf1"),
     "payload_not_json: line 1, column 1: Expecting value (a byte order mark)"),
    (lambda: parse(b"[1,]"),
     "payload_not_json: line 1, column 4: Expecting value"),
    (lambda: parse(b"\xff"),
     "payload_not_utf8: byte 0 is not UTF-8 (invalid start byte)"),
    (lambda: parse(b'{"a":1,"a":2}'),
     "payload_duplicate_key: this name stands twice in its object (at /a)"),
    (lambda: parse(b"9007199254740993"),
     "payload_number_range: an integer outside ±(2^53-1) would lose digits; the sender must write it as a string"),
    (lambda: parse(b"1e400"),
     "payload_number_range: this number is larger than any double"),
    (lambda: parse(b'["\\ud800"]'),
     "payload_surrogate: the string holds half of a surrogate pair, which no UTF-8 can carry (at /0)"),
    (lambda: parse(b"NaN"),
     "payload_not_json: NaN is no JSON"),
    (lambda: verify(headers(), BODY + b"x" * 2**20),
     "payload_too_large: the body has 1,048,638 bytes, the limit is 1,048,576"),
    (lambda: verify(headers(API_KEY=NOBODY)),
     "api_key_unknown: the api key is not known here: mistyped, or of another environment?"),
    (lambda: verify(headers(KEY_ID="0" * 16)),
     "key_id_unknown: no active secret of this api key has key id 0000000000000000: retired, or another?"),
    (lambda: verify(headers(), BODY + b" "),
     "signature_mismatch: no active secret of this api key gives this signature over the headers and the "
     "bytes received"),
    (lambda: verify({wire.API_KEY: API_KEY}),
     "signature_missing: the request is not signed; this api key requires that it is"),
    (lambda: verify({}),
     "api_key_missing: X-RP-Api-Key is not there"),
    (lambda: verify(headers(CONTENT_ENCODING="gzip")),
     "encoding_unsupported: Content-Encoding is there; send the body as it is, uncompressed"),
    (lambda: verify(headers(CONTENT_TYPE="text/plain")),
     "media_type_unsupported: Content-Type must be application/json, with charset utf-8 or none"),
    (lambda: verify([*headers().items(), (wire.NONCE, "n")]),
     "header_duplicate: X-RP-Nonce stands more than once; send it in one line"),
    (lambda: verify(headers(NONCE=1)),
     "header_malformed: X-RP-Nonce is int; a header's value is str or bytes"),
    (lambda: verify(signer(Clock()).sign(b"[NaN]"), b"[NaN]"),
     "payload_not_json: NaN is no JSON"),
    (lambda: verify(headers(TIMESTAMP="1795424400000")),
     "timestamp_unit: X-RP-Timestamp has 13 digits: it looks like milliseconds; send whole seconds"),
    (lambda: verify(headers(TIMESTAMP="1795424400, 1795424400")),
     "header_malformed: X-RP-Timestamp must be ten digits, whole Unix seconds (a comma: two lines were "
     "folded into one on the way?)"),
    (lambda: verify(headers(NONCE=" n")),
     "header_malformed: X-RP-Nonce must be 22 to 64 of A-Z a-z 0-9 _ - (white space around it)"),
    (lambda: verify(headers(SIGNATURE="sha256=A")),
     "header_malformed: X-RP-Signature must be sha256= and 64 lower-case hex digits"),
    (lambda: verify(list(headers().items())[:2]),
     "header_malformed: signature headers stand all or none; missing: X-RP-Timestamp, X-RP-Nonce, X-RP-Signature"),
    (lambda: verify(1),
     "headers must be a mapping or (name, value) pairs of str or bytes; hand in all headers of the request"),
    (lambda: verify(headers(), "text"),
     "the body is str, not bytes: hand in the raw bytes as they were received (request.get_data() in "
     "Flask, request.body in Django, await request.body() in Starlette and FastAPI)"),
    (lambda: verify(headers(), now=NOW + 400),
     "timestamp_expired: signed 400 s ago, 300 are taken; sign at sending, look at the clocks"),
    (lambda: verify(headers(), now=NOW - 400),
     "timestamp_future: dated 400 s ahead, 60 are taken; look at the clocks"),
    (lambda: Verifier({}, nonces=None),
     "keyring must be a Keyring; make one with Keyring.of({api_key: [secret]})"),
    (lambda: Verifier(KEYRING, nonces=MemoryNonceStore),
     "nonces must be a nonce store, such as MemoryNonceStore(), not type"),
    (lambda: Verifier(KEYRING, nonces=set()),
     "nonces must be a nonce store, such as MemoryNonceStore(), not set"),
    (lambda: Verifier(KEYRING, nonces=None, past=-1),
     "past must be an int, 0 or more"),
    (lambda: Verifier(KEYRING, nonces=None, future=1.5),
     "future must be an int, 0 or more"),
    (lambda: Verifier(KEYRING, nonces=None, max_body="1"),
     "max_body must be an int, 0 or more"),
    (lambda: Verifier(KEYRING, nonces=None).verify(headers(), BODY),
     "this Verifier has no nonce store; give it nonces=, or call check"),
    (lambda: signer(Clock()).sign("text"),
     "the body must be the bytes that are sent, not str"),
    (lambda: signer(Clock()).sign(b""),
     "an empty body cannot be signed; only a POST with a JSON body can"),
    (lambda: signer(Clock(0)).sign(BODY),
     "the clock gave 0, which is no Unix time of ten digits"),
    (lambda: Signer(api_key=API_KEY, secret=SECRET, nonce=lambda: "n").sign(BODY),
     "nonce() must give 22 to 64 of A-Z a-z 0-9 _ -"),
    (lambda: sign_event([], api_key=API_KEY, secret=SECRET),
     "value_not_json: an event is a dict, not list; write dict(event)"),
    (lambda: sign_event({wire.SIGNATURE_MEMBER: 1}, api_key=API_KEY, secret=SECRET),
     "the event has integrity_signature already; sign it once, or take it out first"),
    (lambda: verify_event([], keyring=KEYRING, api_key=API_KEY),
     "event_invalid: an event is a JSON object, not list"),
    (lambda: verify_event({1: 2}, keyring=KEYRING, api_key=API_KEY),
     "key_not_string: a name of type int; names are str"),
    (lambda: verify_event({}, keyring=KEYRING, api_key=NOBODY),
     "api_key_unknown: the api key of this event is not in the keyring"),
    (lambda: verify_event({}, keyring=KEYRING, api_key=API_KEY),
     "event_signature_missing: the event carries no signature of its own (at /integrity_signature)"),
    (lambda: verify_event({wire.SIGNATURE_MEMBER: None}, keyring=KEYRING, api_key=API_KEY),
     "event_signature_mismatch: it must be sha256= and 64 lower-case hex digits (at /integrity_signature)"),
    (lambda: verify_event({"a": math.nan}, keyring=KEYRING, api_key=API_KEY),
     "payload_number_range: an infinity or NaN is no JSON number; leave it out or write null (at /a)"),
    (lambda: verify_event(ZEROS, keyring=KEYRING, api_key=API_KEY),
     "event_signature_mismatch: the event was altered, or signed with a secret that is not active for "
     "this api key (at /integrity_signature)"),
    (lambda: verify_event(ZEROS, keyring=KEYRING, api_key=API_KEY, key_id="0" * 16),
     "key_id_unknown: no usable secret of this api key has this key id"),
    (lambda: Secret(1),
     "the secret must be a str, not int"),
    (lambda: Secret("short"),
     "the secret has 5 characters; it must have 32 to 256"),
    (lambda: Secret("rpx_test_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     "the secret is an api key (rpx_…); the two were exchanged"),
    (lambda: Secret("a" * 32 + "\n"),
     "the secret ends in a newline; strip it where it is read"),
    (lambda: Secret("a" * 32 + " b"),
     "the secret holds a space or a newline; it was copied with something around it"),
    (lambda: Secret("a" * 32 + "é"),
     "the secret holds a character that is not printable ASCII"),
    (lambda: Secret("rps_test_" + "a" * 32),
     "the secret begins like a generated one but has another length or alphabet: truncated or mistyped"),
    (lambda: Secret("rps_test_" + "a" * 43 + "00000000"),
     "the secret has a wrong checksum: truncated or mistyped"),
    (lambda: pickle.dumps(Secret("a" * 32)),
     "a Secret is neither pickled nor copied; hand over where it is kept instead"),
    (lambda: RetiredSecret(Secret("a" * 32), 1.5),
     "until must be whole Unix seconds (an int)"),
    (lambda: ApiKey(1),
     "the api key must be a str, not int"),
    (lambda: ApiKey("rpx_test_a b"),
     "the api key must be rpx_live_ or rpx_test_ and 4 to 120 of A-Z a-z 0-9 _ -"),
    (lambda: ApiKey("rps_test_aaaaaaaaaaaaaaaa"),
     "the api key is a secret (rps_…); the two were exchanged"),
    (lambda: ApiKey(API_KEY, ["a" * 32, "a" * 32]),
     "the same secret stands twice among the active ones"),
    (lambda: ApiKey(API_KEY, ["a" * 32], retired=[RetiredSecret(Secret("a" * 32), 1)]),
     "a secret is both active and retired; take it out of one of the two"),
    (lambda: ApiKey("rpx_live_aaaaaaaaaaaaaaaa", [secret_text(bytes(32), live=False)]),
     "a test secret beside a live api key; take keys of one kind"),
    (lambda: ApiKey(API_KEY, [], require_signature=True),
     "a signature is required, but there is no active secret"),
    (lambda: ApiKey(API_KEY, ["a" * 32, "b" * 32, "c" * 32, "d" * 32, "e" * 32]),
     "5 active secrets; an api key has at most 4, retire the oldest"),
    (lambda: Keyring({"rpx_test_another": ApiKey(API_KEY)}),
     "an entry stands under another api key than its own"),
    (lambda: secret_text(b"", live=True),
     "a secret is made of 32 random bytes"),
    (lambda: api_key_text(b"", live=True),
     "an api key is made of 16 random bytes"),
    (lambda: Window().judge_birth(NOW, NOW, NOW),
     "signed_before_start: the nonce store was made anew and cannot know whether this was taken before; "
     "sign again after Retry-After"),
    (lambda: Window().judge_memory(NOW - 300, NOW - 300, NOW),
     "timestamp_forgotten: the nonces of this second were dropped (a clock stepped back, or the window "
     "grew): sign it again"),
]  # fmt: skip


NAMES = [sentence[:50].encode("ascii", "replace").decode() for _, sentence in SENTENCES]


@pytest.mark.parametrize(("call", "sentence"), SENTENCES, ids=NAMES)
def test_a_refusal_says_what_happened_and_what_to_do(call: Callable[[], Any], sentence: str) -> None:
    """Word for word; a sentence that is changed is changed here as well, and read once more."""
    with pytest.raises((SigningError, TypeError, ValueError)) as caught:
        call()
    assert str(caught.value) == sentence


def test_a_refusal_has_its_parts() -> None:
    """Reason, detail and pointer stand on their own, too."""
    with pytest.raises(SigningError) as caught:
        verify_event({"a": {"b": [math.nan]}}, keyring=KEYRING, api_key=API_KEY)
    error: Any = caught.value
    sentence = "an infinity or NaN is no JSON number; leave it out or write null"
    assert (error.reason.value, error.detail, error.pointer) == ("payload_number_range", sentence, "/a/b/0")


def test_reprs_say_what_it_is() -> None:
    """What has nothing to show says its name."""
    assert repr(wire.read_headers({wire.API_KEY: API_KEY})) == "<UnsignedFields>"


def test_an_event_with_a_name_that_is_none_is_refused_as_a_whole() -> None:
    """The place is the event itself."""
    with pytest.raises(SigningError) as caught:
        verify_event({1: 2}, keyring=KEYRING, api_key=API_KEY)
    error: Any = caught.value
    assert error.pointer == ""


def test_ten_digits_begin_at_a_thousand_million() -> None:
    """The first second that has ten digits can be signed, the one before cannot."""
    assert signer(Clock(10**9)).sign(BODY)[wire.TIMESTAMP] == "1000000000"
    with pytest.raises(ValueError, match="no Unix time of ten digits"):
        signer(Clock(10**9 - 1)).sign(BODY)
