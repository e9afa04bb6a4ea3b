"""The gate: the order of verification, here and nowhere else (SPEC §6.1)."""

from __future__ import annotations

import time
from hashlib import sha256
from math import floor
from typing import Any, Literal, NamedTuple, NoReturn, overload

from . import wire
from .canonical import DEFAULT_LIMIT, canonicalize, parse
from .errors import CanonicalizationError, Reason, VerificationError
from .exact import type_name
from .keys import ApiKey, Keyring
from .replay import FUTURE, PAST, Claim, Clock, NonceStore, Verified, Window, nothing_fails_open
from .signing import matches

__all__ = ["Unsigned", "Verified", "Verifier"]

MAX_RESERIALIZED = 65_536
"""Bytes of a body that `accept_reserialized` is tried on at the most (SPEC §6.1)."""

_new_tuple = tuple.__new__


class Unsigned(NamedTuple):
    """An unsigned request of a known api key that does not require a signature (SPEC EVT-7).

    Attributes:
        api_key_id: 16 hex digits.
        live: True for a live api key, False for a test one.
    """

    api_key_id: str
    live: bool


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
        if nonces is not None and (
            isinstance(nonces, type) or not (hasattr(nonces, "claim") or hasattr(nonces, "aclaim"))
        ):
            raise TypeError(f"nonces must be a nonce store, such as MemoryNonceStore(), not {type_name(nonces)}")
        for name, number in (("past", past), ("future", future), ("max_body", max_body)):
            if type(number) is not int or number < 0:
                raise ValueError(f"{name} must be an int, 0 or more")
        self._keyring = keyring
        self._nonces = nonces
        self._window = Window(past, future)
        self._newest, self._oldest = -future, past + 1
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
        except Exception as error:
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
        except Exception as error:
            del headers
            raise error.with_traceback(None) from error.__cause__
        return Verified(payload, claim, nonces, token)

    @overload
    def check(self, headers: wire.Headers, body: bytes, now: float | None = None) -> Claim: ...

    @overload
    def check(
        self, headers: wire.Headers, body: bytes, now: float | None = None, *, unsigned: Literal[True]
    ) -> Claim | Unsigned: ...

    def check(
        self, headers: wire.Headers, body: bytes, now: float | None = None, unsigned: bool = False
    ) -> Claim | Unsigned:
        """Be the gate without the parse and without the claim (SPEC §6.1, steps 1 to 8).

        Args:
            headers: as in `verify`.
            body: as in `verify`.
            now: Unix seconds; the clock's when None.
            unsigned: give `Unsigned` for an unsigned request, where the api key allows it; `admit` is that.

        Returns:
            What must now be claimed.

        Raises:
            VerificationError: it is refused; ``.reason`` says why.
            TypeError: the body is no bytes, or the headers are no headers.
        """
        five = None
        try:
            if type(body) is not bytes:
                body = _bytes_of(body)
            length = len(body)
            if length > self._max_body:
                raise _too_large(length, self._max_body)
            five = wire.glance(headers)
            if five is None:
                fields = wire.read_headers(headers)
                if isinstance(fields, wire.UnsignedFields):
                    return _unsigned(self._keyring.find(fields.api_key) or _nobody(), unsigned)
                five = fields
            api_key, sent, timestamp, nonce, signature = five
            entry = self._keyring.find(api_key) or _nobody()
            digest, key_id, anew = sha256(body).hexdigest(), sent, False
            lines = wire.signing_input("request", entry.api_key_id, sent, timestamp, nonce, length, digest)
            named = entry.secrets.get(sent or "")
            if named is None or not matches(named, lines, signature):
                key_id, length, digest, anew = self._who_else(five, entry, body, digest)
            seconds, window = int(timestamp), self._window
            known = entry.api_key_id, sent, seconds, nonce, length, digest, key_id, signature, anew, entry.live, window
            # Half the price of Claim(…), which takes each of the eleven for an argument.
            claim = _new_tuple(Claim, known)
            if now is None:
                now = self._clock()
            # As `Window.judge` has it, which is asked where this refuses.
            if not self._newest <= now - seconds < self._oldest:
                _judge_time(claim, now)
            return claim
        except Exception as error:
            refusal = _earliest(error, five, headers)
            # A traceback keeps the locals of its frames, and the api key and a right MAC are in these.
            headers = five = api_key = signature = known = None  # type: ignore[assignment]
            raise refusal.with_traceback(None) from refusal.__cause__

    def admit(self, headers: wire.Headers, body: bytes, now: float | None = None) -> Claim | Unsigned:
        """Be the gate of a door that takes unsigned requests too, where the api key allows it (SPEC EVT-7).

        Args and errors are those of `check`; `Unsigned` is returned where no signature is there and none is required.
        """
        try:
            return self.check(headers, body, now, unsigned=True)
        except Exception as error:
            del headers
            raise error.with_traceback(None) from error.__cause__

    def _who_else(self, fields: wire.Five, entry: ApiKey, body: bytes, digest: str) -> tuple[str, int, str, bool]:
        """Find who signed where no key id is sent, or where the canonical form of a rewritten body verifies; or refuse.

        Returns:
            The key id; length and digest of what was signed; and whether that is not the received body (SPEC §6.1).
        """
        sent = fields[1]
        if sent is None:
            key_id = _who_signed(fields, entry, len(body), digest)
            if key_id is not None:
                return key_id, len(body), digest, False
        elif sent not in entry.secrets:
            raise VerificationError(
                Reason.KEY_ID_UNKNOWN, f"no active secret of this api key has key id {sent}: retired, or another?"
            )
        if self._accept_reserialized and len(body) <= MAX_RESERIALIZED:
            try:
                body = canonicalize(parse(body))
            except CanonicalizationError:
                raise _mismatch() from None
            digest = sha256(body).hexdigest()
            key_id = _who_signed(fields, entry, len(body), digest)
            if key_id is not None:
                return key_id, len(body), digest, True
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
    _, sent, timestamp, nonce, signature = fields
    signing_input = wire.signing_input("request", entry.api_key_id, sent, timestamp, nonce, length, digest)
    candidates = entry.secrets.values() if sent is None else [entry.secrets[sent]]
    return next((secret.key_id for secret in candidates if matches(secret, signing_input, signature)), None)


def _unsigned(entry: ApiKey, wanted: bool) -> Unsigned:
    if entry.require_signature or not wanted:
        raise VerificationError(Reason.SIGNATURE_MISSING, "the request is not signed; this api key requires that it is")
    return Unsigned(entry.api_key_id, entry.live)


def _judge_time(claim: Claim, now: float) -> None:
    try:
        claim.window.judge(claim.timestamp, floor(now))
    except VerificationError as error:
        error.claim = claim
        raise


def _earliest(error: Exception, five: wire.Five | None, headers: wire.Headers) -> Exception:
    """Give why a request is refused: what a glance left open was taken by nothing, and a fault of it comes first."""
    if type(five) is tuple:  # a glance's; what was read with care has a name
        try:
            wire.read_headers(headers)
        except VerificationError as earlier:
            return earlier
    return error


def _too_large(length: int, limit: int) -> VerificationError:
    return VerificationError(Reason.PAYLOAD_TOO_LARGE, f"the body has {length:,} bytes, the limit is {limit:,}")


def _nobody() -> NoReturn:
    raise VerificationError(
        Reason.API_KEY_UNKNOWN, "the api key is not known here: mistyped, or of another environment?"
    )


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
