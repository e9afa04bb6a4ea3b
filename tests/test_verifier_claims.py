"""How the gate claims: through stores that wait, are asynchronous, or are broken."""

import asyncio
import traceback
from typing import Any

import pytest
from parties import BODY, KEYS, Clock, reason, refusal, signer, verifier
from spec_page import API_KEY, API_KEY_ID, SECRET

from rp_signing import (
    Claim,
    Keyring,
    MemoryNonceStore,
    Reason,
    StoreError,
    VerificationError,
    Verified,
    Verifier,
    parse,
    sign_event,
    verify_event,
    wire,
)


def sign() -> dict[str, str]:
    """The headers of a request; the nonce is the same in each."""
    return signer(Clock()).sign(BODY)


def test_a_verifier_without_store_only_checks() -> None:
    """Without a nonce store, `check` works, and `verify` is a TypeError rather than a gate that forgets."""
    gate = Verifier(Keyring.of(KEYS), nonces=None, clock=Clock())
    assert gate.check(sign(), BODY).api_key_id == API_KEY_ID
    with pytest.raises(TypeError, match="no nonce store"):
        gate.verify(sign(), BODY)
    with pytest.raises(TypeError, match="no nonce store"):
        asyncio.run(gate.averify(sign(), BODY))


class Delegating:
    """A store behind another object, as tracers and proxies put them."""

    def __init__(self) -> None:
        self._inner = MemoryNonceStore(born=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_store_behind_another_object_is_one() -> None:
    """What a nonce store does decides, not where it is written."""
    gate = Verifier(Keyring.of(KEYS), nonces=Delegating(), clock=Clock())  # type: ignore[arg-type]
    assert gate.verify(sign(), BODY)
    assert reason(gate.verify, sign(), BODY) == Reason.REPLAYED


class Asynchronous:
    """A store whose steps are coroutines."""

    def __init__(self) -> None:
        self.inner = MemoryNonceStore(born=0)

    async def aclaim(self, claim: Claim, clock: Any) -> Any:
        """Claim in memory, after a turn of the event loop."""
        await asyncio.to_thread(int)
        return self.inner.claim(claim, clock)

    async def arelease(self, claim: Claim, token: Any) -> None:
        """Release in memory."""
        self.inner.release(claim, token)


class Broken:
    """A store that raises whatever it is told to."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def claim(self, *_: Any) -> Any:
        """Fail."""
        raise self.error

    async def aclaim(self, *_: Any) -> Any:
        """Fail."""
        raise self.error

    release, arelease = claim, aclaim


def test_an_asynchronous_store_is_awaited() -> None:
    """`averify` awaits a store of coroutines, `arelease` too."""
    gate = verifier(Clock(), Asynchronous())

    async def twice() -> Reason:
        verified = await gate.averify(sign(), BODY)
        await verified.arelease()
        await verified.arelease()
        assert (await gate.averify(sign(), BODY)).nonce == verified.nonce
        with pytest.raises(VerificationError) as caught:
            await gate.averify(sign(), BODY)
        return caught.value.reason

    assert asyncio.run(twice()) == Reason.REPLAYED


@pytest.mark.parametrize("error", [OSError("disk"), ValueError("x"), KeyError(1), RuntimeError(), StoreError("down")])
def test_a_broken_store_refuses(error: Exception) -> None:
    """Whatever a store raises, the request is refused: nothing fails open."""
    gate = verifier(Clock(), Broken(error))
    for told in (
        refusal(gate.verify, sign(), BODY),
        refusal(lambda: asyncio.run(gate.averify(sign(), BODY))),
    ):
        assert (told.reason, told.status, told.retry_after) == (Reason.REPLAY_STORE_UNAVAILABLE, 503, 1)
        assert type(error).__name__ in told.detail
        assert told.__cause__ is error


def test_a_release_that_failed_can_be_tried_again() -> None:
    """When the store cannot be reached, release raises, and the claim stands until it succeeds."""
    claim = verifier(Clock()).check(sign(), BODY)
    verified = Verified({}, claim, Broken(StoreError("down")), "token")
    for _ in range(2):
        with pytest.raises(StoreError):
            verified.release()
        with pytest.raises(StoreError):
            asyncio.run(verified.arelease())


def test_what_was_verified_has_its_payload_and_is_released() -> None:
    """Verified in either way: the payload is there, a release gives the nonce back, once."""
    gate = verifier(Clock())
    headers = sign()
    for _ in range(2):
        verified = gate.verify(headers, BODY)
        assert verified.payload == parse(BODY)
        verified.release()
        verified = asyncio.run(gate.averify(headers, BODY))
        assert verified.payload == parse(BODY)
        verified.release()
    again = gate.verify(headers, BODY)
    verified.release()
    assert reason(gate.verify, headers, BODY) == Reason.REPLAYED
    again.release()
    again.release()


def test_no_frame_of_a_refusal_holds_the_mac_that_was_expected() -> None:
    """A traceback with local variables, of a wrong signature, of a wrong key and of an event, shows no right MAC."""
    clock = Clock()
    headers = signer(clock).sign(BODY)
    event = sign_event({"type": "track"}, api_key=API_KEY, secret=SECRET)
    expected = [headers[wire.SIGNATURE][7:], event[wire.SIGNATURE_MEMBER][7:]]
    zeros = "sha256=" + "0" * 64
    gate = verifier(clock)
    unnamed = {name: value for name, value in headers.items() if name != wire.KEY_ID}
    errors = [
        refusal(gate.verify, headers | {wire.SIGNATURE: zeros}, BODY),
        refusal(gate.verify, unnamed | {wire.SIGNATURE: zeros}, BODY),
        refusal(verify_event, event | {wire.SIGNATURE_MEMBER: zeros}, keyring=Keyring.of(KEYS), api_key=API_KEY),
    ]
    for error in errors:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        # The last frame is this test's own, where the right ones stand.
        text = "".join(str(frame.locals) for frame in told.stack if "rp_signing" in frame.filename) + str(error)
        assert [mac for mac in expected if mac in text] == []
