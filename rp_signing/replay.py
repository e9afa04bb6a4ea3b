"""Time and single use: the window, what a claim is, what a nonce store must do, and what was taken (SPEC §7)."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Any, NamedTuple, Protocol

from .errors import Reason, VerificationError
from .wire import signing_input

__all__ = ["FUTURE", "PAST", "Claim", "Clock", "NonceStore", "Verified", "Window", "nothing_fails_open"]

PAST = 300
"""Seconds that a timestamp may lie in the past by default (SPEC §7)."""

FUTURE = 60
"""Seconds that a timestamp may lie in the future by default (SPEC §7)."""

Clock = Callable[[], float]
"""Gives Unix seconds."""


class Window(NamedTuple):
    """The span of timestamps that a verifier takes, both edges included (SPEC WIN-1).

    Attributes:
        past: seconds.
        future: seconds.
    """

    past: int = PAST
    future: int = FUTURE

    def judge(self, timestamp: int, now: int) -> None:
        """Refuse a timestamp outside the window.

        Args:
            timestamp: the request's, Unix seconds.
            now: whole Unix seconds.

        Raises:
            VerificationError: ``timestamp_expired`` or ``timestamp_future``.
        """
        if timestamp < now - self.past:
            raise VerificationError(
                Reason.TIMESTAMP_EXPIRED,
                f"signed {now - timestamp:,} s ago, {self.past:,} are taken; sign at sending, look at the clocks",
            )
        if timestamp > now + self.future:
            raise VerificationError(
                Reason.TIMESTAMP_FUTURE,
                f"dated {timestamp - now:,} s ahead, {self.future:,} are taken; look at the clocks",
            )

    def may_forget(self, timestamp: int, now: int) -> bool:
        """Tell whether a nonce of this timestamp can no longer be taken (SPEC WIN-4)."""
        return now > timestamp + self.past

    def judge_birth(self, timestamp: int, born: int, now: int) -> None:
        """Refuse a timestamp that a store born later could have lost (SPEC WIN-6).

        Args:
            timestamp: the request's, Unix seconds.
            born: when the store was made, whole Unix seconds; 0: nothing was accepted earlier.
            now: whole Unix seconds.

        Raises:
            VerificationError: ``signed_before_start``, with the seconds until a new request is taken.
        """
        if born and timestamp <= born + self.future:
            raise VerificationError(
                Reason.SIGNED_BEFORE_START,
                "the nonce store was made anew and cannot know whether this was taken before; "
                "sign again after Retry-After",
                retry_after=max(1, born + self.future + 1 - now),
            )

    def judge_memory(self, timestamp: int, forgotten_through: int, now: int) -> None:
        """Refuse a timestamp up to which a store has dropped nonces (SPEC WIN-5).

        Raises:
            VerificationError: ``timestamp_forgotten``, with the seconds until a new request is taken.
        """
        if timestamp <= forgotten_through:
            raise VerificationError(
                Reason.TIMESTAMP_FORGOTTEN,
                "the nonces of this second were dropped (a clock stepped back, or the window grew): sign it again",
                retry_after=max(1, forgotten_through + 1 - now),
            )


class Claim(NamedTuple):
    """A request whose signature and time hold: what must now be claimed, and the evidence (SPEC §6.1).

    Attributes:
        api_key_id: 16 hex digits.
        sent_key_id: the fourth line: 16 hex digits, or None where the sender gave none.
        timestamp: Unix seconds.
        nonce: 22 to 64 characters.
        length: of the body in bytes.
        digest: SHA-256 of the body, 64 hex digits.
        key_id: of the secret that verified.
        signature: as received, ``sha256=`` and 64 hex digits.
        reserialized: True when not the received bytes but their canonical form verified.
        live: True for a live api key, False for a test one.
        window: the `Window` that was applied.
    """

    api_key_id: str
    sent_key_id: str | None
    timestamp: int
    nonce: str
    length: int
    digest: str
    key_id: str
    signature: str
    reserialized: bool
    live: bool
    window: Window

    def __repr__(self) -> str:
        # Without the MAC: whoever reads a log must not be able to send the request.
        return f"<Claim api key {self.api_key_id}, key {self.key_id}, timestamp {self.timestamp}, nonce {self.nonce}>"

    def signing_input(self) -> bytes:
        """Give the eight lines that were MACed, ASCII (SPEC §5)."""
        return signing_input(
            "request", self.api_key_id, self.sent_key_id, str(self.timestamp), self.nonce, self.length, self.digest
        )

    def judge_again(self, clock: Clock) -> int:
        """Look at the window with a fresh reading of the clock, directly before the claim (SPEC VER-11).

        Returns:
            The reading, whole Unix seconds.

        Raises:
            VerificationError: ``timestamp_expired`` or ``timestamp_future``.
        """
        now = floor(clock())
        self.window.judge(self.timestamp, now)
        return now


class NonceStore(Protocol):
    """Where nonces are remembered. Unique is (api key id, timestamp, nonce) (SPEC WIN-2)."""

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Use the nonce up, in one atomic step.

        When nothing can come between any more (a lock is held, a transaction has begun), the store calls
        `Claim.judge_again`, drops what may be forgotten, and claims.

        Args:
            claim: what `Verifier.check` gave.
            clock: gives Unix seconds.

        Returns:
            A token that `release` takes.

        Raises:
            VerificationError: ``replayed``, ``timestamp_expired``, ``timestamp_future``, ``signed_before_start``,
                ``timestamp_forgotten``, ``replay_store_full``, ``replay_key_full`` or ``replay_store_unavailable``.
        """

    def release(self, claim: Claim, token: Any) -> None:
        """Give a nonce back, if the claim of this token still stands; else do nothing.

        Raises:
            StoreError: the store cannot be reached; the claim stands.
        """

    async def aclaim(self, claim: Claim, clock: Clock) -> Any:
        """Do what `claim` does, without holding up the event loop."""

    async def arelease(self, claim: Claim, token: Any) -> None:
        """Do what `release` does, without holding up the event loop."""


class Verified:
    """A request that was signed by a holder of the secret, is fresh, and was taken once.

    Attributes:
        payload: the parsed body, the one reading of it.
        claim: the `Claim`: every field of the signing input, and the evidence.
        api_key_id: 16 hex digits.
        key_id: of the secret that verified, 16 hex digits.
        timestamp: when it was signed, Unix seconds by the sender's clock.
        nonce: 22 to 64 characters.
        digest: SHA-256 of what the MAC covers, 64 hex digits.
        reserialized: True when not the received bytes but their canonical form verified.
        live: True for a live api key, False for a test one.
    """

    __slots__ = (
        "_nonces", "_token", "api_key_id", "claim", "digest", "key_id", "live", "nonce", "payload", "reserialized",
        "timestamp",
    )  # fmt: skip

    def __init__(self, payload: Any, claim: Claim, nonces: NonceStore, token: Any) -> None:
        self.payload: Any = payload
        self.claim: Claim = claim
        self.api_key_id: str = claim.api_key_id
        self.key_id: str = claim.key_id
        self.timestamp: int = claim.timestamp
        self.nonce: str = claim.nonce
        self.digest: str = claim.digest
        self.reserialized: bool = claim.reserialized
        self.live: bool = claim.live
        self._nonces = nonces
        self._token = token

    def release(self) -> None:
        """Give the nonce back, once: only for a write that is known not to have happened, never after a timeout.

        Raises:
            StoreError: the store cannot be reached; the claim stands.
        """
        if self._token is not None:
            self._nonces.release(self.claim, self._token)
            self._token = None

    async def arelease(self) -> None:
        """Do what `release` does, without holding up the event loop."""
        if self._token is not None:
            await self._nonces.arelease(self.claim, self._token)
            self._token = None

    def __repr__(self) -> str:
        return f"<Verified api key {self.api_key_id}, key {self.key_id}, timestamp {self.timestamp}>"


class nothing_fails_open:  # reads as a sentence
    """Turn whatever a nonce store raises on a claim into a refusal, ``replay_store_unavailable`` (SPEC WIN-8)."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, VerificationError):
            error.claim = self._claim
        elif isinstance(error, Exception):
            detail = f"the nonce store raised {type(error).__name__}; the request is refused"
            raise VerificationError(Reason.REPLAY_STORE_UNAVAILABLE, detail, claim=self._claim) from error
