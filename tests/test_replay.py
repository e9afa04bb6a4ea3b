"""Time and single use, as arithmetic; what stores make of it is in test_stores.py."""

from typing import Any

import pytest
import spec_page
from parties import NOW, Clock, reason, refusal, signer, verifier

from rp_signing import Claim, Reason, VerificationError, wire
from rp_signing.replay import FUTURE, PAST, Window

WINDOW = Window()


def test_the_defaults_of_the_spec() -> None:
    """The window is SPEC §7's unless told otherwise."""
    assert f"past {PAST}, future {FUTURE} seconds" in spec_page.section("## 7 Window and retention")
    assert Window(PAST, FUTURE) == WINDOW


@pytest.mark.parametrize(
    ("timestamp", "told"),
    [
        (NOW - 301, "timestamp_expired"),
        (NOW - 300, None),
        (NOW, None),
        (NOW + 60, None),
        (NOW + 61, "timestamp_future"),
        (1_000_000_000, "timestamp_expired"),
        (9_999_999_999, "timestamp_future"),
    ],
)
def test_both_edges_of_the_window_are_inside(timestamp: int, told: str | None) -> None:
    """A timestamp is taken exactly from `now - past` to `now + future`; there is no far future."""
    if told is None:
        WINDOW.judge(timestamp, NOW)
    else:
        assert reason(WINDOW.judge, timestamp, NOW) == told


@pytest.mark.parametrize(("past", "future"), [(0, 0), (5, 0), (0, 5)])
def test_the_window_is_as_wide_as_it_is_told(past: int, future: int) -> None:
    """Either side may be no second wide."""
    taken = []
    for offset in range(-9, 10):
        try:
            Window(past, future).judge(NOW + offset, NOW)
            taken.append(offset)
        except VerificationError:
            pass
    assert taken == list(range(-past, future + 1))


def test_a_refusal_says_how_far_off_the_clock_is() -> None:
    """The seconds between the two clocks are in the detail."""
    assert "1,000 s ago" in refusal(WINDOW.judge, NOW - 1000, NOW).detail
    assert "2,000 s ahead" in refusal(WINDOW.judge, NOW + 2000, NOW).detail


def test_a_nonce_is_kept_through_its_last_second() -> None:
    """What is still taken is still remembered; one second later it may be forgotten."""
    for timestamp in range(NOW - 302, NOW + 61):
        try:
            WINDOW.judge(timestamp, NOW)
        except VerificationError:
            assert WINDOW.may_forget(timestamp, NOW)
        else:
            assert not WINDOW.may_forget(timestamp, NOW)


def test_a_store_refuses_what_it_could_have_lost() -> None:
    """Every timestamp up to `born + future` is refused, with the seconds until a new request is taken."""
    WINDOW.judge_birth(NOW + 61, NOW, NOW)
    for now, wait in ((NOW, 61), (NOW + 60, 1), (NOW + 90, 1)):
        error = refusal(WINDOW.judge_birth, NOW + 60, NOW, now)
        assert (error.reason, error.retry_after) == (Reason.SIGNED_BEFORE_START, wait)
    WINDOW.judge_birth(1_000_000_000, 0, NOW)


def test_a_store_refuses_what_it_has_forgotten() -> None:
    """Every timestamp up to the last one forgotten is refused, with the seconds until a new request is taken."""
    WINDOW.judge_memory(NOW + 1, NOW, NOW)
    for now, wait in ((NOW - 20, 21), (NOW, 1), (NOW + 5, 1)):
        error = refusal(WINDOW.judge_memory, NOW, NOW, now)
        assert (error.reason, error.retry_after) == (Reason.TIMESTAMP_FORGOTTEN, wait)


def claimed(headers: dict[str, str], body: bytes = b"{}") -> Claim:
    """What the gate gives for a request."""
    return verifier(Clock()).check(headers, body)


def test_a_claim_holds_the_eight_lines() -> None:
    """The signing input can be built again from a claim, with the key id as it was sent."""
    page = {name: value for name, value in spec_page.HEADERS.items() if name.startswith("X-RP-")}
    assert claimed(page, spec_page.BODY).signing_input() == spec_page.REQUEST_INPUT


@pytest.mark.parametrize(
    ("now", "told"),
    [(NOW - 60, None), (NOW - 60.001, "timestamp_future"), (NOW + 300.999, None), (NOW + 301, "timestamp_expired")],
)
def test_the_window_is_judged_again_at_the_claim(now: float, told: str | None) -> None:
    """The clock is read anew, floored to whole seconds, and the window looked at again."""
    claim: Any = claimed(signer(Clock()).sign(b"{}"))
    if told is None:
        assert claim.judge_again(Clock(now)) == int(now)
    else:
        assert reason(claim.judge_again, Clock(now)) == told


def test_a_claim_is_its_senders() -> None:
    """A claim says what was sent: timestamp, nonce, signature, and that the sender named its key or did not."""
    headers = signer(Clock()).sign(b"{}")
    claim = claimed(headers)
    assert (str(claim.timestamp), claim.nonce, claim.signature, claim.sent_key_id) == tuple(
        headers[name] for name in (wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE, wire.KEY_ID)
    )
    assert (claim.length, claim.reserialized, claim.live, claim.window) == (2, False, False, WINDOW)
