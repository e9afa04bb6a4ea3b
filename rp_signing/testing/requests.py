"""A request that verifies, in one line, and the keyring that it verifies under."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import wire
from ..canonical import canonicalize
from ..keys import Keyring, Secret
from ..signing import Signer

__all__ = ["API_KEY", "OTHER_SECRET", "SECRET", "SignedRequest", "keyring", "signed_request"]

API_KEY = "rpx_test_for-tests-of-users"
"""The api key of these requests. Whoever reads this page knows it: for tests alone."""

SECRET = "a-secret-that-everybody-knows-for-tests-alone"  # noqa: S105 - it protects nothing
"""The secret of these requests, as public."""

OTHER_SECRET = "another-secret-that-no-keyring-holds-for-tests"  # noqa: S105 - it protects nothing
"""A secret that `keyring` does not hold."""


class SignedRequest:
    """A request that would pass, until it is sent a second time.

    Attributes:
        headers: (name, value) pairs: the five that sign, and Content-Type.
        body: the bytes that were signed.
        api_key: its text.
        secret: what signed; its repr hides it.
    """

    __slots__ = ("api_key", "body", "headers", "secret")

    def __init__(self, headers: list[tuple[str, str]], body: bytes, api_key: str, secret: Secret) -> None:
        self.headers: list[tuple[str, str]] = headers
        self.body: bytes = body
        self.api_key: str = api_key
        self.secret: Secret = secret

    def __repr__(self) -> str:
        return f"<SignedRequest {len(self.body):,} bytes, key {self.secret.key_id}>"


def keyring() -> Keyring:
    """Give the keyring that `signed_request` signs for."""
    return Keyring.of({API_KEY: [SECRET]})


def signed_request(
    payload: Any,
    *,
    api_key: str = API_KEY,
    secret: Secret | str = SECRET,
    clock: Callable[[], float] | None = None,
    nonce: Callable[[], str] | None = None,
) -> SignedRequest:
    """Sign a request.

    Args:
        payload: a JSON value, sent in its canonical form; or bytes, sent as they are.
        api_key: its text.
        secret: a `Secret`, or its text.
        clock: gives Unix seconds; `time.time` when None.
        nonce: gives a fresh nonce; random when None.

    Raises:
        ValueError, TypeError: an argument makes no sense; the message says which.
        CanonicalizationError: the payload has no canonical form.
    """
    secret = secret if isinstance(secret, Secret) else Secret(secret)
    body = payload if isinstance(payload, bytes) else canonicalize(payload)
    headers = Signer(api_key=api_key, secret=secret, clock=clock, nonce=nonce).sign(body)
    return SignedRequest([*headers.items(), (wire.CONTENT_TYPE, wire.MEDIA_TYPE)], body, api_key, secret)
