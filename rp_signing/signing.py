"""HMAC of the signing input, and the only constant-time comparison of the package (SPEC §5, §6.2).

Rule: `matches` is the one place where a received MAC meets a computed one.
"""

from __future__ import annotations

import secrets as randomness
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from math import floor
from typing import Any

from . import grammar, wire
from .canonical import canonicalize
from .errors import CanonicalizationError, Reason, VerificationError
from .exact import type_name
from .grammar import SIGNATURE_BEGIN
from .keys import ApiKey, Keyring, Secret

__all__ = ["Signer", "matches", "sign_event", "verify_event"]


def matches(secret: Secret, signing_input: bytes, signature: str) -> bool:
    """Tell, in constant time, whether a signature (ASCII) is this secret's of the signing input (SPEC VER-7).

    Text is compared with text, so whatever matches is in the one spelling of a signature.
    """
    # What `Secret.mac` and `grammar.spell_mac` do, two calls less for each request.
    context = secret.keyed()
    context.update(signing_input)
    return compare_digest(SIGNATURE_BEGIN + context.finalize().hex(), signature)


class Signer:
    """Signs requests (SPEC §4, §5). Its repr shows ids alone.

    Args:
        api_key: the text.
        secret: a `Secret`, or its text.
        clock: gives Unix seconds; `time.time` when None.
        nonce: gives a fresh nonce, 22 to 64 of ``A-Z a-z 0-9 _ -``; 16 random bytes in base64url when None.

    Attributes:
        api_key_id: 16 hex digits.
        key_id: 16 hex digits.

    Raises:
        ValueError: the api key or the secret breaks a rule of SPEC §8; the message says which.
    """

    def __init__(
        self,
        *,
        api_key: str,
        secret: Secret | str,
        clock: Callable[[], float] | None = None,
        nonce: Callable[[], str] | None = None,
    ) -> None:
        try:
            entry = ApiKey(api_key, [secret])
        except (TypeError, ValueError) as error:
            del self, api_key, secret
            raise error.with_traceback(None) from None
        self._api_key = api_key
        self._secret = next(iter(entry.secrets.values()))
        self._clock = clock
        self._nonce = nonce
        self.api_key_id: str = entry.api_key_id
        self.key_id: str = self._secret.key_id

    def sign(self, body: bytes) -> dict[str, str]:
        """Sign a body with a fresh timestamp and nonce.

        Args:
            body: the exact bytes that will be sent: JSON, not empty.

        Returns:
            The five headers, name → value.

        Raises:
            ValueError: the body is empty, or ``clock`` or ``nonce`` gave what no request may carry.
            TypeError: the body is no bytes.
        """
        if type(body) is not bytes:
            raise TypeError(f"the body must be the bytes that are sent, not {type(body).__name__}")
        if not body:
            raise ValueError("an empty body cannot be signed; only a POST with a JSON body can")
        now = (self._clock or time.time)()
        if not 1e9 <= now < 1e10:
            raise ValueError(f"the clock gave {now}, which is no Unix time of ten digits")
        timestamp = str(floor(now))
        if self._nonce is None:
            nonce = randomness.token_urlsafe(16)
        else:
            nonce = self._nonce()
            if not grammar.NONCE.matches(nonce):
                raise ValueError(f"nonce() must give {grammar.NONCE.shape}")
        signing_input = wire.signing_input(
            "request", self.api_key_id, self.key_id, timestamp, nonce, len(body), sha256(body).hexdigest()
        )
        return {
            wire.API_KEY: self._api_key,
            wire.KEY_ID: self.key_id,
            wire.TIMESTAMP: timestamp,
            wire.NONCE: nonce,
            wire.SIGNATURE: grammar.spell_mac(self._secret.mac(signing_input)),
        }

    def __repr__(self) -> str:
        return f"<Signer api key {self.api_key_id}, key {self.key_id}>"


def sign_event(event: Mapping[str, Any], *, api_key: str, secret: Secret | str) -> dict[str, Any]:
    """Give a new event with its ``integrity_signature`` (SPEC §5, INP-4).

    Args:
        event: a JSON object without that member.
        api_key: the text.
        secret: a `Secret`, or its text.

    Raises:
        ValueError: the event has the member already (SPEC EVS-4), or a key breaks a rule of SPEC §8.
        CanonicalizationError: the event has no canonical form.
    """
    try:
        entry = ApiKey(api_key, [secret])
        return _sign_event(event, entry)
    except (CanonicalizationError, TypeError, ValueError) as error:
        # A traceback keeps the locals of its frames.
        del api_key, secret
        raise error.with_traceback(None) from None


def _sign_event(event: Any, entry: ApiKey) -> dict[str, Any]:
    if type(event) is not dict:
        raise CanonicalizationError(
            Reason.VALUE_NOT_JSON, f"an event is a dict, not {type(event).__name__}; write dict(event)", ""
        )
    if wire.SIGNATURE_MEMBER in event:
        raise ValueError(f"the event has {wire.SIGNATURE_MEMBER} already; sign it once, or take it out first")
    key = next(iter(entry.secrets.values()))
    signing_input = event_signing_input(canonicalize(event), entry.api_key_id, key.key_id)
    return {**event, wire.SIGNATURE_MEMBER: grammar.spell_mac(key.mac(signing_input))}


def verify_event(
    event: Mapping[str, Any],
    *,
    keyring: Keyring,
    api_key: str,
    key_id: str | None = None,
    at_rest: bool = False,
    received_at: int | None = None,
) -> str:
    """Verify an event's ``integrity_signature`` (SPEC §6.2).

    Args:
        event: the event with that member, as it was parsed.
        keyring: what is known of the api keys.
        api_key: the text of the api key that it was received under.
        key_id: 16 hex digits, where it was kept as evidence; without it each usable secret is tried.
        at_rest: take retired secrets too, for what was received at or before their ``until`` (SPEC KEY-6).
        received_at: Unix seconds; needed with ``at_rest`` for retired secrets to be taken.

    Returns:
        The key id that verified, 16 hex digits.

    Raises:
        VerificationError: ``api_key_unknown``, ``event_signature_missing``, ``event_signature_mismatch``,
            ``key_id_unknown``, ``event_invalid``, or the reason why the event has no canonical form.
    """
    try:
        entry = keyring.find(api_key)
        return _verify_event(event, entry, key_id, at_rest, received_at)
    except VerificationError as error:
        # A traceback keeps the locals of its frames.
        del api_key
        raise error.with_traceback(None) from None


def _verify_event(event: Any, entry: ApiKey | None, key_id: str | None, at_rest: bool, received_at: int | None) -> str:
    if type(event) is not dict:
        raise VerificationError(Reason.EVENT_INVALID, f"an event is a JSON object, not {type_name(event)}", "")
    for name in event:
        if type(name) is not str:
            raise VerificationError(Reason.KEY_NOT_STRING, f"a name of type {type_name(name)}; names are str", "")
    if entry is None:
        raise VerificationError(Reason.API_KEY_UNKNOWN, "the api key of this event is not in the keyring")
    unsigned = {name: value for name, value in event.items() if name != wire.SIGNATURE_MEMBER}
    try:
        covered = canonicalize(unsigned)
    except CanonicalizationError as error:
        raise VerificationError(error.reason, error.detail, error.pointer) from None
    signature = event_signature(event)
    return match_event(covered, signature, entry, usable_secrets(entry, key_id, at_rest, received_at))


def event_signature(event: dict[str, Any]) -> str:
    """Read the signature out of an event (SPEC EVS-1, EVS-2).

    Raises:
        VerificationError: ``event_signature_missing`` or ``event_signature_mismatch``.
    """
    pointer = "/" + wire.SIGNATURE_MEMBER
    if wire.SIGNATURE_MEMBER not in event:
        raise VerificationError(Reason.EVENT_SIGNATURE_MISSING, "the event carries no signature of its own", pointer)
    signature: object = event[wire.SIGNATURE_MEMBER]
    if not grammar.SIGNATURE.matches(signature):
        raise VerificationError(Reason.EVENT_SIGNATURE_MISMATCH, f"it must be {grammar.SIGNATURE.shape}", pointer)
    return signature


def match_event(covered: bytes, signature: str, entry: ApiKey, secrets: Iterable[Secret]) -> str:
    """Give the id of the secret whose signature of these canonical bytes this is (SPEC EVS-3).

    Raises:
        VerificationError: ``event_signature_mismatch``.
    """
    length, digest = len(covered), sha256(covered).hexdigest()
    for secret in secrets:
        signing_input = wire.signing_input("event", entry.api_key_id, secret.key_id, "-", "-", length, digest)
        if matches(secret, signing_input, signature):
            return secret.key_id
    raise VerificationError(
        Reason.EVENT_SIGNATURE_MISMATCH,
        "the event was altered, or signed with a secret that is not active for this api key",
        "/" + wire.SIGNATURE_MEMBER,
    )


def usable_secrets(
    entry: ApiKey, key_id: str | None = None, at_rest: bool = False, received_at: int | None = None
) -> list[Secret]:
    """Give the secrets that may verify an event, newest first (SPEC KEY-5, KEY-6).

    Raises:
        VerificationError: ``key_id_unknown``, when the one that is named is not among them.
    """
    usable = dict(entry.secrets)
    if at_rest and received_at is not None:
        usable |= {old.secret.key_id: old.secret for old in entry.retired.values() if received_at <= old.until}
    if key_id is None:
        return list(usable.values())
    if key_id not in usable:
        raise VerificationError(Reason.KEY_ID_UNKNOWN, "no usable secret of this api key has this key id")
    return [usable[key_id]]


def event_signing_input(covered: bytes, api_key_id: str, key_id: str) -> bytes:
    """Give the eight lines for an event's canonical bytes (SPEC §5)."""
    return wire.signing_input("event", api_key_id, key_id, "-", "-", len(covered), sha256(covered).hexdigest())
