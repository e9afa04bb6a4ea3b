"""What people write first, before the store: gates with one rule broken, each named for what it does.

naive_rows.py says which row of the list of failures it stands for.
"""

from __future__ import annotations

from typing import Any

from rp_signing import Claim, Reason, VerificationError, Verified, Verifier, wire
from rp_signing.replay import Window


class ClaimsBeforeTheMac(Verifier):
    """Burns the nonce before it has looked at the signature."""

    def verify(self, headers: wire.Headers, body: bytes) -> Verified:
        """Claim, then verify."""
        fields = wire.read_headers(headers)
        entry = self._keyring.find(fields.api_key)
        assert isinstance(fields, wire.SignedFields)
        assert entry
        rest = (len(body), "", "", fields.signature, False, False, self._window)
        claim = Claim(entry.api_key_id, fields.key_id, int(fields.timestamp), fields.nonce, *rest)
        try:
            token = self._store.claim(claim, self._clock)
        except OSError as error:
            raise VerificationError(Reason.REPLAY_STORE_UNAVAILABLE, "down") from error
        found, payload = self._judge(headers, body)
        return Verified(payload, found, self._store, token)


class OpensWhenDown(Verifier):
    """Lets requests through while the store is down."""

    def verify(self, headers: wire.Headers, body: bytes) -> Verified:
        """Verify, or shrug."""
        try:
            return super().verify(headers, body)
        except VerificationError as error:
            if error.reason != Reason.REPLAY_STORE_UNAVAILABLE:
                raise
            claim, payload = self._judge(headers, body)
            return Verified(payload, claim, self._store, None)


class Endless(Window):
    """A window with a past alone."""

    def judge(self, timestamp: int, now: int) -> None:
        """Refuse what is too old."""
        super().judge(min(timestamp, now), now)


class LooksBackOnly(Verifier):
    """Takes stamps from any future."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._window = Endless(*self._window)
