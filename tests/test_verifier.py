"""The gate: its order, its reasons, and that nothing else comes out of it."""

from math import floor
from typing import Any

import pytest
import spec_page
from hypothesis import example, given
from hypothesis import strategies as st
from parties import (
    BODY,
    KEYS,
    LIVE_API_KEY,
    NOW,
    OLD,
    OTHER,
    OTHER_API_KEY,
    STRANGER,
    UNSIGNED_API_KEY,
    Clock,
    reason,
    refusal,
    signer,
    verifier,
)
from second_wire import signed_headers
from spec_page import API_KEY, KEY_ID, SECRET

from rp_signing import Claim, Keyring, MemoryNonceStore, Reason, Secret, Verified, wire
from rp_signing.keys import ApiKey, RetiredSecret
from rp_signing.replay import Window
from rp_signing.verifier import Unsigned

PAGE = {name: value for name, value in spec_page.HEADERS.items() if name.startswith("X-RP-")}


def sign(body: bytes = BODY, secret: str = SECRET, api_key: str = API_KEY, now: float = NOW) -> dict[str, str]:
    """The headers of a request."""
    return signer(Clock(now), secret, api_key).sign(body)


SIGNED = sign()


def unnamed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers of a hand-written sender that names no key id, by the second implementation."""
    return dict(signed_headers(API_KEY, secret, str(NOW), "n" * 22, body, named=False))


def test_the_request_of_the_spec_is_taken_once() -> None:
    """SPEC §1's request is verified, with every field of it, and a second copy is refused."""
    gate = verifier(Clock(int(PAGE[wire.TIMESTAMP])))
    verified = gate.verify(spec_page.HEADERS, spec_page.BODY)
    assert isinstance(verified, Verified)
    assert verified.payload["integrity_signature"] == spec_page.SIGNATURE
    assert (verified.api_key_id, verified.key_id) == (spec_page.API_KEY_ID, spec_page.KEY_ID)
    assert (str(verified.timestamp), verified.nonce) == (PAGE[wire.TIMESTAMP], PAGE[wire.NONCE])
    assert verified.digest == spec_page.REQUEST_INPUT.decode()[-64:]
    assert (verified.live, verified.reserialized, verified.claim.length) == (False, False, len(spec_page.BODY))
    assert reason(gate.verify, spec_page.HEADERS, spec_page.BODY) == Reason.REPLAYED


def test_a_live_key_is_told_apart() -> None:
    """A request of a live api key is live."""
    assert verifier(Clock()).verify(sign(secret=OTHER, api_key=LIVE_API_KEY), BODY).live


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_every_active_secret_verifies(secret: str) -> None:
    """A request under the newest secret or an older one is taken, whether it names its key id or not."""
    for headers in (sign(secret=secret), unnamed(BODY, secret)):
        claim = verifier(Clock()).check(headers, BODY)
        assert claim.key_id == Secret(secret).key_id
        assert claim.sent_key_id == headers.get(wire.KEY_ID)


# Each request has the fault of its row and of every row below it.
ORDER: list[tuple[str, dict[str, Any]]] = [
    ("payload_too_large", {"max_body": 4}),
    ("encoding_unsupported", {"headers": {"Content-Encoding": "gzip"}}),
    ("media_type_unsupported", {"headers": {"Content-Type": "text/plain"}}),
    ("timestamp_unit", {"headers": {wire.TIMESTAMP: "1795424400000"}}),
    ("api_key_unknown", {"headers": {wire.API_KEY: "rpx_test_nobody", wire.TIMESTAMP: str(NOW)}}),
    ("key_id_unknown", {"headers": {wire.KEY_ID: "0" * 16, wire.API_KEY: API_KEY}}),
    ("signature_mismatch", {"headers": {wire.KEY_ID: KEY_ID, wire.SIGNATURE: "sha256=" + "0" * 64}}),
]


@pytest.mark.parametrize("row", range(len(ORDER)))
def test_the_first_step_that_refuses_is_named(row: int) -> None:
    """SPEC §6.1: of several faults, that of the earliest step is the reason."""
    headers = sign(b"no json", now=NOW - 1000)
    options: dict[str, Any] = {}
    for _, fault in reversed(ORDER[row:]):
        headers |= fault.get("headers", {})
        options |= {name: value for name, value in fault.items() if name != "headers"}
    assert reason(verifier(Clock(), **options).verify, headers, b"no json") == ORDER[row][0]


@pytest.mark.parametrize(
    ("headers", "body", "told"),
    [
        (sign(now=NOW - 301), b"no json", "signature_mismatch"),
        (sign(b"no json", now=NOW - 301), b"no json", "timestamp_expired"),
        (sign(b"no json", now=NOW + 61), b"no json", "timestamp_future"),
        (sign(b"no json"), b"no json", "payload_not_json"),
        (unnamed(b""), b"", "payload_not_json"),
        (sign(b'{"a":1,"a":1}'), b'{"a":1,"a":1}', "payload_duplicate_key"),
        (sign(b'"\xff"'), b'"\xff"', "payload_not_utf8"),
        (sign(secret=STRANGER), BODY, "key_id_unknown"),
        (unnamed(BODY, STRANGER), BODY, "signature_mismatch"),
        ({**unnamed(BODY), wire.KEY_ID: KEY_ID}, BODY, "signature_mismatch"),
        ({**sign(), wire.API_KEY: OTHER_API_KEY}, BODY, "key_id_unknown"),
        ({wire.API_KEY: API_KEY}, BODY, "signature_missing"),
        ({}, BODY, "api_key_missing"),
    ],
)
def test_a_request_is_refused_with_its_reason(headers: Any, body: bytes, told: str) -> None:
    """Each fault has its reason, and leaves the nonce unused."""
    store = MemoryNonceStore(born=0)
    gate = verifier(Clock(), store)
    assert [reason(gate.verify, headers, body) for _ in range(3)] == [told] * 3
    assert len(store) == 0


def test_a_fault_of_the_payload_has_its_place() -> None:
    """The JSON Pointer of a payload fault is handed on."""
    body = b'{"a":[1e400]}'
    error = refusal(verifier(Clock()).verify, sign(body), body)
    assert error.pointer == "/a/0"
    assert "larger than any double" in error.detail


def test_an_event_signature_is_no_request_signature() -> None:
    """Purpose is inside the MAC: what was signed as an event is no request, were all other lines the same."""
    gate = verifier(Clock(int(PAGE[wire.TIMESTAMP])))
    assert reason(gate.check, {**PAGE, wire.SIGNATURE: spec_page.SIGNATURE}, spec_page.EVENT) == "signature_mismatch"
    claim = gate.check(PAGE, spec_page.BODY)
    rest = (claim.api_key_id, KEY_ID, PAGE[wire.TIMESTAMP], PAGE[wire.NONCE], claim.length, claim.digest)
    for purpose, taken in (("request", True), ("event", False)):
        headers = {**PAGE, wire.SIGNATURE: f"sha256={Secret(SECRET).mac(wire.signing_input(purpose, *rest)).hex()}"}
        if taken:
            assert gate.check(headers, spec_page.BODY) == claim
        else:
            assert reason(gate.check, headers, spec_page.BODY) == Reason.SIGNATURE_MISMATCH


def test_a_retired_secret_does_not_pass() -> None:
    """A retired secret verifies no request, named or not."""
    keyring = Keyring({API_KEY: ApiKey(API_KEY, [SECRET], retired=[RetiredSecret(OLD, NOW + 999)])})
    gate = verifier(Clock(), keyring=keyring)
    assert reason(gate.check, sign(secret=OLD), BODY) == Reason.KEY_ID_UNKNOWN
    assert reason(gate.check, unnamed(BODY, OLD), BODY) == Reason.SIGNATURE_MISMATCH


def test_unsigned_requests_are_told_apart() -> None:
    """Where the api key allows it, `admit` gives Unsigned; `check` and `verify` never take one."""
    gate = verifier(Clock(), keyring=Keyring.of({**KEYS, UNSIGNED_API_KEY: []}))
    alone = {wire.API_KEY: UNSIGNED_API_KEY}
    assert gate.admit(alone, BODY) == Unsigned(ApiKey(UNSIGNED_API_KEY).api_key_id, live=False)
    assert reason(gate.check, alone, BODY) == reason(gate.verify, alone, BODY) == Reason.SIGNATURE_MISSING
    assert reason(gate.admit, {wire.API_KEY: API_KEY}, BODY) == Reason.SIGNATURE_MISSING
    assert isinstance(gate.admit(sign(), BODY), Claim)


def test_check_is_pure() -> None:
    """`check` takes the time as an argument, parses nothing and claims nothing."""
    store = MemoryNonceStore(born=0)
    gate = verifier(Clock(0), store)
    headers = sign(b"no json")
    assert gate.check(headers, b"no json", NOW + 300.9) == gate.check(headers, b"no json", now=NOW - 60)
    assert reason(gate.check, headers, b"no json", NOW + 301) == Reason.TIMESTAMP_EXPIRED
    assert reason(gate.check, headers, b"no json") == Reason.TIMESTAMP_FUTURE
    assert gate.admit(headers, b"no json", NOW) == gate.check(headers, b"no json", NOW)
    assert len(store) == 0


@given(st.integers(0, 400), st.integers(0, 400), st.integers(-402, 402), st.floats(0, 1, exclude_max=True))
@example(300, 60, 300, 0.99)
@example(300, 60, 301, 0.0)
@example(300, 60, -60, 0.0)
@example(300, 60, -61, 0.99)
def test_the_gate_takes_just_the_window(past: int, future: int, age: int, fraction: float) -> None:
    """The gate takes the timestamps that `Window.judge` takes, at any fraction of a second, and refuses as it does."""
    gate, now = verifier(Clock(), past=past, future=future), NOW + age + fraction
    if -future <= floor(now) - NOW <= past:
        assert gate.check(SIGNED, BODY, now).timestamp == NOW
    else:
        judged = refusal(Window(past, future).judge, NOW, floor(now))
        assert str(refusal(gate.check, SIGNED, BODY, now)) == str(judged)


@pytest.mark.parametrize("now", [float("nan"), float("inf"), float("-inf")])
def test_a_clock_that_gives_no_time_opens_nothing(now: float) -> None:
    """Where the clock gives no number of seconds, nothing is taken."""
    with pytest.raises((ValueError, OverflowError)):
        verifier(Clock()).check(sign(), BODY, now)


def test_without_a_clock_it_is_now() -> None:
    """A verifier and a signer that were given no clock agree on the time."""
    gate = verifier(None)  # type: ignore[arg-type]
    assert gate.verify(signer(None).sign(BODY), BODY).payload["type"] == "track"  # type: ignore[arg-type]


def test_the_limit_of_the_body_is_taken() -> None:
    """A body of exactly `max_body` bytes is taken, one more is refused."""
    for limit, taken in ((len(BODY), True), (len(BODY) - 1, False)):
        gate = verifier(Clock(), max_body=limit)
        if taken:
            assert gate.verify(sign(), BODY)
        else:
            assert reason(gate.verify, sign(), BODY) == Reason.PAYLOAD_TOO_LARGE
    long = b'"' + b"a" * 2_000_000 + b'"'
    assert verifier(Clock(), max_body=3_000_000).verify(sign(long), long).claim.length == 2_000_002


@pytest.mark.parametrize("body", ["{}", None, {"a": 1}, 5, [b"{}"]])
def test_a_body_that_is_no_bytes_is_a_mistake_of_the_caller(body: Any) -> None:
    """A parsed or decoded body is a TypeError that says where each framework keeps the raw one."""
    gate = verifier(Clock())
    for take in (gate.verify, gate.check, gate.admit):
        with pytest.raises(TypeError, match=r"request\.get_data\(\) in Flask"):
            take(sign(), body)


@pytest.mark.parametrize("shape", [bytearray, memoryview])
def test_a_body_comes_as_any_bytes(shape: Any) -> None:
    """A bytearray or memoryview of the body is its bytes."""
    gate = verifier(Clock())
    assert gate.verify(sign(), shape(BODY)).payload["userId"] == "user-123"
    assert gate.check(sign(), shape(BODY)).length == gate.admit(sign(), shape(BODY)).length == len(BODY)


def test_a_buffer_that_changes_is_read_once() -> None:
    """What the MAC held for is what is parsed, even if the caller's buffer is filled anew meanwhile."""
    buffer = bytearray(BODY)

    def clock() -> float:
        buffer[:] = BODY.replace(b"user-123", b"user-666")
        return NOW

    assert verifier(clock).verify(sign(), buffer).payload["userId"] == "user-123"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"keyring": KEYS}, TypeError),
        ({"past": -1}, ValueError),
        ({"past": 1.5}, ValueError),
        ({"future": "60"}, ValueError),
        ({"max_body": None}, ValueError),
        ({"max_body": True}, ValueError),
    ],
)
def test_a_verifier_that_makes_no_sense_is_not_made(options: dict[str, Any], error: type[Exception]) -> None:
    """Misconfiguration fails when the verifier is made, naming the argument."""
    with pytest.raises(error, match=next(iter(options))):
        verifier(Clock(), **options)
