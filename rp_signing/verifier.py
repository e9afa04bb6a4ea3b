"""The gate: the order of verification, here and nowhere else (SPEC §6.1)."""

from __future__ import annotations

import time
from hashlib import sha256
from math import floor
from typing import Any, NamedTuple

from . import wire
from .canonical import DEFAULT_LIMIT, canonicalize, parse
from .errors import CanonicalizationError, Reason, VerificationError
from .keys import ApiKey, Keyring
from .replay import FUTURE, PAST, Claim, Clock, NonceStore, Window, nothing_fails_open
from .signing import matches

__all__ = ["Unsigned", "Verified", "Verifier"]

MAX_RESERIALIZED = 65_536
"""Bytes of a body that `accept_reserialized` is tried on at the most (SPEC §6.1)."""


class Unsigned(NamedTuple):
    """An unsigned request of a known api key that does not require a signature (SPEC EVT-7).

    Attributes:
        api_key_id: 16 hex digits.
        live: True for a live api key, False for a test one.
    """

    api_key_id: str
    live: bool


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


class Verifier:
    """Verifies signed requests. Holds no state of its own; safe to share between threads.

    Args:
        keyring: the api keys that are taken.
        nonces: where nonces are remembered; every server that takes these api keys must share it. None for a door
            that calls `check` or `admit` and claims in a transaction of its own.
        past: seconds that a timestamp may lie in the past.
        future: seconds that a timestamp may lie in the future.
        max_body: bytes; a longer body is refused before anything else.
        accept_reserialized: for receivers behind a gateway that rewrites JSON: try the canonical form too.
        clock: gives Unix seconds; `time.time` when None.

    Raises:
        ValueError, TypeError: an argument makes no sense; the message says which.
    """

    def __init__(
        self,
        keyring: Keyring,
        *,
        nonces: NonceStore | None,
        past: int = PAST,
        future: int = FUTURE,
        max_body: int = DEFAULT_LIMIT,
        accept_reserialized: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(keyring, Keyring):
            del keyring  # type: ignore[unreachable]  # plain keys, it may be
            raise TypeError("keyring must be a Keyring; make one with Keyring.of({api_key: [secret]})")
        for name, number in (("past", past), ("future", future), ("max_body", max_body)):
            if type(number) is not int or number < 0:
                raise ValueError(f"{name} must be an int, 0 or more")
        self._keyring = keyring
        self._nonces = nonces
        self._window = Window(past, future)
        self._max_body = max_body
        self._accept_reserialized = accept_reserialized
        self._clock: Clock = clock or time.time

    def verify(self, headers: wire.Headers, body: bytes) -> Verified:
        """Verify a request and use its nonce up (SPEC §6.1, steps 1 to 11).

        Args:
            headers: all headers of the request; a mapping or (name, value) pairs, str or bytes.
            body: the exact bytes that were received.

        Raises:
            VerificationError: it is refused; ``.reason`` says why.
            TypeError: the body is no bytes, the headers are no headers, or there is no store.
        """
        try:
            nonces = self._store
            claim, payload = self._judge(headers, body)
            with nothing_fails_open(claim):
                token = nonces.claim(claim, self._clock)
        except (VerificationError, TypeError) as error:
            # A traceback keeps the locals of its frames, and the api key is in these.
            del headers
            raise error.with_traceback(None) from error.__cause__
        return Verified(payload, claim, nonces, token)

    async def averify(self, headers: wire.Headers, body: bytes) -> Verified:
        """Do what `verify` does, without holding up the event loop while the store works."""
        try:
            nonces = self._store
            claim, payload = self._judge(headers, body)
            with nothing_fails_open(claim):
                token = await nonces.aclaim(claim, self._clock)
        except (VerificationError, TypeError) as error:
            del headers
            raise error.with_traceback(None) from error.__cause__
        return Verified(payload, claim, nonces, token)

    def check(self, headers: wire.Headers, body: bytes, now: float | None = None) -> Claim:
        """Be the gate without the parse and without the claim (SPEC §6.1, steps 1 to 8).

        Args:
            headers: as in `verify`.
            body: as in `verify`.
            now: Unix seconds; the clock's when None.

        Returns:
            What must now be claimed.

        Raises:
            VerificationError: it is refused; ``.reason`` says why.
            TypeError: the body is no bytes, or the headers are no headers.
        """
        try:
            outcome = self._admit(headers, body, now)
            if isinstance(outcome, Unsigned):
                raise _unsigned()
        except (VerificationError, TypeError) as error:
            del headers
            raise error.with_traceback(None) from error.__cause__
        return outcome

    def admit(self, headers: wire.Headers, body: bytes, now: float | None = None) -> Claim | Unsigned:
        """Be the gate of a door that takes unsigned requests too, where the api key allows it (SPEC EVT-7).

        Args and errors are those of `check`; `Unsigned` is returned where no signature is there and none is required.
        """
        try:
            return self._admit(headers, body, now)
        except (VerificationError, TypeError) as error:
            del headers
            raise error.with_traceback(None) from error.__cause__

    def _admit(self, headers: wire.Headers, body: bytes, now: float | None) -> Claim | Unsigned:
        if type(body) is not bytes:
            body = _bytes_of(body)
        if len(body) > self._max_body:
            too_large = f"the body has {len(body):,} bytes, the limit is {self._max_body:,}"
            raise VerificationError(Reason.PAYLOAD_TOO_LARGE, too_large)
        glanced = wire.glance(headers)
        try:
            fields = glanced or wire.read_headers(headers)
            entry = self._keyring.find(fields[0])
            if entry is None:
                raise VerificationError(
                    Reason.API_KEY_UNKNOWN, "the api key is not known here: mistyped, or of another environment?"
                )
            if isinstance(fields, wire.UnsignedFields):
                if entry.require_signature:
                    raise _unsigned()
                return Unsigned(entry.api_key_id, entry.live)
            length, digest, rewritten = len(body), sha256(body).hexdigest(), False
            key_id = _who_signed(fields, entry, length, digest)
            if key_id is None:
                key_id, length, digest = self._who_signed_otherwise(fields, entry, body)
                rewritten = True
        except VerificationError:
            # What a glance leaves open was taken by nothing above; and a fault of the headers is the earlier reason.
            if glanced:
                wire.read_headers(headers)
            raise
        _, sent, timestamp, nonce, signature = fields
        seconds, window = int(timestamp), self._window
        known = entry.api_key_id, sent, seconds, nonce, length, digest, key_id, signature, rewritten, entry.live, window
        # Half the price of Claim(…), which takes each of the eleven for an argument.
        claim = tuple.__new__(Claim, known)
        try:
            window.judge(seconds, floor(self._clock() if now is None else now))
        except VerificationError as error:
            error.claim = claim
            raise
        return claim

    def _who_signed_otherwise(self, fields: wire.Five, entry: ApiKey, body: bytes) -> tuple[str, int, str]:
        """Give key id, length and digest where the canonical form of a rewritten body verifies (SPEC §6.1)."""
        if self._accept_reserialized and len(body) <= MAX_RESERIALIZED:
            try:
                body = canonicalize(parse(body))
            except CanonicalizationError:
                raise _mismatch() from None
            length, digest = len(body), sha256(body).hexdigest()
            key_id = _who_signed(fields, entry, length, digest)
            if key_id is not None:
                return key_id, length, digest
        raise _mismatch()

    def _judge(self, headers: wire.Headers, body: bytes) -> tuple[Claim, Any]:
        body = _bytes_of(body)
        claim = self.check(headers, body)
        try:
            return claim, parse(body, self._max_body)
        except CanonicalizationError as error:
            raise VerificationError(error.reason, error.detail, error.pointer, claim=claim) from None

    @property
    def _store(self) -> NonceStore:
        if self._nonces is None:
            raise TypeError("this Verifier has no nonce store; give it nonces=, or call check")
        return self._nonces


def _who_signed(fields: wire.Five, entry: ApiKey, length: int, digest: str) -> str | None:
    """Give the id of the secret whose MAC the request carries, over what has this length and digest; else None."""
    _, key_id, timestamp, nonce, signature = fields
    signing_input = wire.signing_input("request", entry.api_key_id, key_id, timestamp, nonce, length, digest)
    if key_id is None:
        for secret in entry.secrets.values():
            if matches(secret, signing_input, signature):
                return secret.key_id
        return None
    named = entry.secrets.get(key_id)
    if named is None:
        raise VerificationError(
            Reason.KEY_ID_UNKNOWN, f"no active secret of this api key has key id {key_id}: retired, or another?"
        )
    return key_id if matches(named, signing_input, signature) else None


def _mismatch() -> VerificationError:
    return VerificationError(
        Reason.SIGNATURE_MISMATCH,
        "no active secret of this api key gives this signature over the headers and the bytes received",
    )


def _bytes_of(body: Any) -> bytes:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(
        f"the body is {type(body).__name__}, not bytes: hand in the raw bytes as they were received "
        "(request.get_data() in Flask, request.body in Django, await request.body() in Starlette and FastAPI)"
    )


def _unsigned() -> VerificationError:
    return VerificationError(Reason.SIGNATURE_MISSING, "the request is not signed; this api key requires that it is")
