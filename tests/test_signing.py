"""HMAC of the signing input: requests and events."""

import hashlib
import hmac
import re
import time
from typing import Any

import pytest
import spec_page
from parties import BODY, KEYS, NOW, OLD, OTHER_API_KEY, STRANGER, Clock, nonces, reason, refusal, signer
from second_event_signature import signed_event as second_signed_event
from second_wire import signed_headers
from spec_page import API_KEY, KEY_ID, SECRET

from rp_signing import CanonicalizationError, Keyring, Reason, Secret, Signer, parse, sign_event, verify_event, wire
from rp_signing.keys import ApiKey, RetiredSecret
from rp_signing.signing import matches

EVENT = {"type": "track", "userId": "user-123", "event": "Order Completed", "properties": {"total": 49.9, "é": [None]}}
KEYRING = Keyring.of(KEYS)
MEMBER = wire.SIGNATURE_MEMBER


def signed(secret: str = SECRET, api_key: str = API_KEY) -> dict[str, Any]:
    """The event with its signature, made by the second implementation."""
    return second_signed_event(EVENT, api_key, secret)


def test_the_event_of_the_spec() -> None:
    """SPEC §1's event gets the integrity_signature of the page, and verifies under the key id of the page."""
    event = sign_event(parse(spec_page.EVENT), api_key=API_KEY, secret=SECRET)
    assert event[MEMBER] == spec_page.SIGNATURE
    assert verify_event(parse(spec_page.BODY), keyring=KEYRING, api_key=API_KEY) == KEY_ID


def test_the_request_of_the_spec() -> None:
    """SPEC §1's request gets the five headers of the page."""
    request = Signer(
        api_key=API_KEY,
        secret=SECRET,
        clock=lambda: int(spec_page.HEADERS[wire.TIMESTAMP]),
        nonce=lambda: spec_page.HEADERS[wire.NONCE],
    )
    page = {name: value for name, value in spec_page.HEADERS.items() if name.startswith("X-RP-")}
    assert request.sign(spec_page.BODY) == page
    assert (request.api_key_id, request.key_id) == (spec_page.API_KEY_ID, KEY_ID)


@pytest.mark.parametrize("body", [b"{}", BODY, b'{ "a" : 1.0 }\n', b"\xff\x00no json", b"x" * 100_000])
def test_the_exact_bytes_are_signed(body: bytes) -> None:
    """Whatever the bytes, the headers are those of the second implementation."""
    expected = signed_headers(API_KEY, SECRET, str(NOW), "0" * 22, body)
    assert signer(Clock(NOW + 0.999)).sign(body) == dict(expected)


def test_every_attempt_has_its_own_nonce() -> None:
    """Without clock and nonce, the time is now and each nonce is new: 128 random bits."""
    before = int(time.time())
    drawn = [Signer(api_key=API_KEY, secret=SECRET).sign(b"{}") for _ in range(500)]
    assert len({headers[wire.NONCE] for headers in drawn}) == 500
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", headers[wire.NONCE]) for headers in drawn)
    assert all(before <= int(headers[wire.TIMESTAMP]) <= time.time() for headers in drawn)


@pytest.mark.parametrize("body", ["{}", bytearray(b"{}"), None, {"a": 1}])
def test_what_is_signed_is_bytes(body: Any) -> None:
    """A body that is no bytes is a TypeError: the bytes that are sent must be the bytes that are signed."""
    with pytest.raises(TypeError, match="must be the bytes that are sent"):
        signer(Clock()).sign(body)


def test_an_empty_body_is_not_signed() -> None:
    """An empty body is refused before it is sent."""
    with pytest.raises(ValueError, match="empty body"):
        signer(Clock()).sign(b"")


@pytest.mark.parametrize(
    "now", [float("inf"), float("nan"), 0, 999_999_999, 10_000_000_000, -1795424400, 1795424400000]
)
def test_a_clock_that_gives_no_unix_time_is_refused(now: float) -> None:
    """A clock of milliseconds, or one that was never set, is a ValueError, not a request that nobody takes."""
    with pytest.raises(ValueError, match="no Unix time"):
        signer(Clock(now)).sign(b"{}")


def test_the_first_second_of_ten_digits_is_a_time() -> None:
    """Both ends of the ten digits are signed."""
    for now in (1_000_000_000, 9_999_999_999):
        assert signer(Clock(now)).sign(b"{}")["X-RP-Timestamp"] == str(now)


@pytest.mark.parametrize("nonce", ["", "x" * 21, "x" * 65, "x" * 21 + "\n", "é" * 22, None, b"x" * 22])
def test_a_nonce_that_no_header_may_carry_is_refused(nonce: Any) -> None:
    """A nonce outside its grammar is a ValueError that says the grammar."""
    with pytest.raises(ValueError, match="22 to 64"):
        Signer(api_key=API_KEY, secret=SECRET, clock=Clock(), nonce=lambda: nonce).sign(b"{}")


@pytest.mark.parametrize(("api_key", "secret"), [(SECRET, API_KEY), (API_KEY, ""), ("", SECRET), (API_KEY, "x" * 31)])
def test_a_signer_of_bad_keys_is_not_made(api_key: str, secret: str) -> None:
    """A bad key is refused when the signer is made, and for an event when it is signed."""
    with pytest.raises(ValueError, match=r"the (api key|secret) "):
        Signer(api_key=api_key, secret=secret)
    with pytest.raises(ValueError, match=r"the (api key|secret) "):
        sign_event(EVENT, api_key=api_key, secret=secret)


@pytest.mark.parametrize("length", range(64))
def test_no_prefix_of_a_mac_matches(length: int) -> None:
    """A MAC that agrees in its first 0 to 63 hex digits, or is cut there, does not match; the whole does."""
    text = hmac.new(SECRET.encode(), b"input", hashlib.sha256).hexdigest()
    other = f"{text[:length]}{int(text[length], 16) ^ 1:x}{text[length + 1 :]}"
    assert matches(Secret(SECRET), b"input", f"sha256={text}")
    assert not matches(Secret(SECRET), b"input", f"sha256={other}")
    assert not matches(Secret(SECRET), b"input", f"sha256={text[:length]}")


@pytest.mark.parametrize("secret", [SECRET, Secret(SECRET)])
def test_signing_gives_a_new_event(secret: Any) -> None:
    """The event that was handed in stays as it was; the signed one is what the second implementation gives."""
    before = dict(EVENT)
    assert sign_event(EVENT, api_key=API_KEY, secret=secret) == signed()
    assert before == EVENT


@pytest.mark.parametrize("member", [None, "", "sha256=" + "0" * 64])
def test_a_signed_event_is_not_signed_again(member: Any) -> None:
    """An event that has the member already, null too, is a ValueError."""
    with pytest.raises(ValueError, match="already"):
        sign_event({**EVENT, MEMBER: member}, api_key=API_KEY, secret=SECRET)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ([], "value_not_json"),
        (None, "value_not_json"),
        ({"a": 2**53}, "payload_number_range"),
        ({1: 1}, "key_not_string"),
    ],
)
def test_what_has_no_canonical_form_is_not_signed(event: Any, told: str) -> None:
    """An event that is no object, or has no canonical form, is refused with its reason."""
    with pytest.raises(CanonicalizationError) as caught:
        sign_event(event, api_key=API_KEY, secret=SECRET)
    assert caught.value.reason == told
    assert caught.value.pointer is not None


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_every_active_secret_verifies_an_event(secret: str) -> None:
    """The key id that verified is given back, whether it was named or had to be found."""
    key_id = Secret(secret).key_id
    assert verify_event(signed(secret), keyring=KEYRING, api_key=API_KEY) == key_id
    assert verify_event(signed(secret), keyring=KEYRING, api_key=API_KEY, key_id=key_id) == key_id


def test_an_event_is_its_members_in_any_order() -> None:
    """Another order of members is the same event; a member of that name deeper down is content."""
    event = dict(reversed(signed().items()))
    assert verify_event(event, keyring=KEYRING, api_key=API_KEY) == KEY_ID
    inner = second_signed_event({"properties": {MEMBER: "content"}}, API_KEY, SECRET)
    assert verify_event(inner, keyring=KEYRING, api_key=API_KEY) == KEY_ID
    inner["properties"] = {}
    assert reason(verify_event, inner, keyring=KEYRING, api_key=API_KEY) == Reason.EVENT_SIGNATURE_MISMATCH


@pytest.mark.parametrize(
    ("event", "options", "told", "place"),
    [
        ([], {}, "event_invalid", ""),
        (None, {}, "event_invalid", ""),
        ("{}", {}, "event_invalid", ""),
        (signed(), {"api_key": "rpx_test_nobody"}, "api_key_unknown", None),
        (signed(), {"api_key": None}, "api_key_unknown", None),
        (signed(), {"api_key": OTHER_API_KEY}, "event_signature_mismatch", "/integrity_signature"),
        (EVENT, {}, "event_signature_missing", "/integrity_signature"),
        *(
            ({**EVENT, MEMBER: member}, {}, "event_signature_mismatch", "/integrity_signature")
            for member in (None, 5, "", [], {}, b"sha256=", "sha256=" + "0" * 64, signed()[MEMBER].upper())
        ),
        ({**signed(), "extra": 1}, {}, "event_signature_mismatch", "/integrity_signature"),
        ({**signed(), "userId": "user-124"}, {}, "event_signature_mismatch", "/integrity_signature"),
        (signed(STRANGER), {}, "event_signature_mismatch", "/integrity_signature"),
        (signed(OLD), {"key_id": KEY_ID}, "event_signature_mismatch", "/integrity_signature"),
        (signed(), {"key_id": "0" * 16}, "key_id_unknown", None),
        ({**signed(), "a": [1e999]}, {}, "payload_number_range", "/a/0"),
        ({**signed(), "a": "\ud800"}, {}, "payload_surrogate", "/a"),
        ({**signed(), "a": {1: 2}}, {}, "key_not_string", "/a"),
        ({**signed(), 1: 2}, {}, "key_not_string", ""),
        ({**signed(), "a": {2}}, {}, "value_not_json", "/a"),
    ],
)
def test_an_event_is_refused_with_its_reason(event: Any, options: Any, told: str, place: str | None) -> None:
    """Each way to spoil an event has its reason and its place."""
    error = refusal(verify_event, event, **{"keyring": KEYRING, "api_key": API_KEY, **options})
    assert (error.reason, error.pointer) == (told, place)


def test_a_request_signature_is_no_event_signature() -> None:
    """A MAC that was made for a request is no event of the same bytes, were all other lines the same."""
    covered, digest = parse(spec_page.EVENT), hashlib.sha256(spec_page.EVENT).hexdigest()
    rest = (ApiKey(API_KEY, [SECRET]).api_key_id, KEY_ID, "-", "-", len(spec_page.EVENT), digest)
    like_an_event = f"sha256={Secret(SECRET).mac(wire.signing_input('request', *rest)).hex()}"
    for mac in (signer(Clock()).sign(spec_page.EVENT)[wire.SIGNATURE], like_an_event):
        told = reason(verify_event, {**covered, MEMBER: mac}, keyring=KEYRING, api_key=API_KEY)
        assert told == Reason.EVENT_SIGNATURE_MISMATCH


def test_a_retired_secret_verifies_at_rest_up_to_its_second() -> None:
    """A retired secret never passes the gate; at rest it verifies what came at or before `until`, and nothing later."""
    entry = ApiKey(API_KEY, [SECRET], retired=[RetiredSecret(OLD, NOW)])
    keyring, old = Keyring({API_KEY: entry}), Secret(OLD).key_id
    rest = {"keyring": keyring, "api_key": API_KEY, "key_id": old, "at_rest": True}
    assert verify_event(signed(OLD), **rest, received_at=NOW) == old
    assert verify_event(signed(SECRET), keyring=keyring, api_key=API_KEY, at_rest=True, received_at=NOW + 9) == KEY_ID
    assert reason(verify_event, signed(OLD), **rest, received_at=NOW + 1) == Reason.KEY_ID_UNKNOWN
    assert reason(verify_event, signed(OLD), **rest) == Reason.KEY_ID_UNKNOWN
    gate = {"keyring": keyring, "api_key": API_KEY, "received_at": NOW}
    assert reason(verify_event, signed(OLD), **gate) == Reason.EVENT_SIGNATURE_MISMATCH
    assert reason(verify_event, signed(OLD), **gate, key_id=old) == Reason.KEY_ID_UNKNOWN


class Strange:
    """An object that will not say what it is, nor whether it equals another."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError

    def __hash__(self) -> int:
        return hash(MEMBER)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError


@pytest.mark.parametrize("place", ["name", "value", "signature", "event"])
def test_nothing_but_its_own_error_comes_out(place: str) -> None:
    """Whatever objects an event is made of, verify_event refuses it with a reason."""
    strange: Any = Strange()
    if place == "event":
        event = strange
    elif place == "name":
        event = {strange: 1}
    else:
        event = {**signed(), "a" if place == "value" else MEMBER: strange}
    assert reason(verify_event, event, keyring=KEYRING, api_key=API_KEY) in {
        Reason.KEY_NOT_STRING,
        Reason.VALUE_NOT_JSON,
        Reason.EVENT_INVALID,
        Reason.EVENT_SIGNATURE_MISMATCH,
    }


def test_nonces_of_tests_differ() -> None:
    """The nonces that these tests tell a signer are nonces, and differ."""
    draw = nonces()
    assert [draw(), draw()] == ["0" * 22, "0" * 21 + "1"]
