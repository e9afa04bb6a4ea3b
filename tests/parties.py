"""The sender and the receiver of these tests: keys, a clock that can be set, nonces that can be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, MemoryNonceStore, Reason, Signer, VerificationError, Verifier

OTHER_API_KEY, LIVE_API_KEY, UNSIGNED_API_KEY = "rpx_test_other", "rpx_live_AbC-_0123456789", "rpx_test_unsigned"
OLD = "an-older-secret-of-the-same-api-key-0001"
OTHER = "the-secret-of-another-api-key-altogether"
STRANGER = "a-secret-that-no-keyring-here-knows-of-1"
KEYS = {API_KEY: [SECRET, OLD], OTHER_API_KEY: OTHER, LIVE_API_KEY: [OTHER]}
BODY = b'{"event":"Order Completed","type":"track","userId":"user-123"}'
NOW = 1795424400


class Clock:
    """Unix seconds that a test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        """The reading."""
        return self.now


def nonces() -> Callable[[], str]:
    """Nonces in a row: the first ends in 0, the next in 1."""
    numbers: Iterator[int] = count()
    return lambda: f"{next(numbers):022d}"


def signer(clock: Clock, secret: str = SECRET, api_key: str = API_KEY) -> Signer:
    """A sender."""
    return Signer(api_key=api_key, secret=secret, clock=clock, nonce=nonces())


def verifier(clock: Callable[[], float], store: Any = None, keyring: Keyring | None = None, **options: Any) -> Verifier:
    """A receiver, with a store of its own in memory unless another is given."""
    store = MemoryNonceStore(born=0) if store is None else store
    return Verifier(keyring or Keyring.of(KEYS), nonces=store, clock=clock, **options)


def refusal(call: Callable[..., Any], *arguments: Any, **options: Any) -> VerificationError:
    """The error of a call that must be refused."""
    with pytest.raises(VerificationError) as caught:
        call(*arguments, **options)
    return caught.value


def reason(call: Callable[..., Any], *arguments: Any, **options: Any) -> Reason:
    """The reason of a call that must be refused."""
    return refusal(call, *arguments, **options).reason
