"""What both doors share: how they are made, what they let through, and what a refusal leaves in the log."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Iterable
from math import floor
from typing import Any

from .. import wire
from ..canonical import DEFAULT_LIMIT, canonicalize, parse
from ..errors import CanonicalizationError, Reason, VerificationError
from ..keys import Keyring, forgetting
from ..observation import Observe, observation_of, told
from ..replay import FUTURE, PAST, Clock, NonceStore
from ..stores.memory import MemoryNonceStore
from ..verifier import Unsigned, Verified, Verifier
from .problem import Reply, refused

__all__ = ["BODY_TIMEOUT", "UNSIGNED", "VERIFIED", "Door", "log_refusal", "refuse_without_type"]

BODY_TIMEOUT = 10.0
"""Seconds that a body may take to arrive unless told otherwise."""

VERIFIED = "rp_signing.verified"
"""Where the application finds the `Verified` of its request, in the ASGI scope or the WSGI environ."""

UNSIGNED = "rp_signing.unsigned"
"""Where the application finds the `Unsigned` of an unsigned request that was let through."""

_LOG = logging.getLogger("rp_signing.middleware")


class Door:
    """Verifies each request before the application sees it.

    Only POST with a JSON body passes, whatever the path: what stands below is protected as a whole, so mount it where
    signed requests come in. A refused request is answered with a problem document and logged to
    ``rp_signing.middleware`` with its exact reason; the application does not run.

    Args:
        app: the application that is protected.
        keyring: the api keys that are taken.
        nonces: where nonces are remembered; every server that takes these api keys must share it.
        past: seconds that a timestamp may lie in the past.
        future: seconds that a timestamp may lie in the future.
        max_body: bytes; a longer body is refused before it is read whole.
        body_timeout: seconds that a body may take to arrive.
        accept_unsigned: also let unsigned requests of api keys through that do not require a signature.
        accept_reserialized: for receivers behind a gateway that rewrites JSON: try the canonical form too.
        clock: gives Unix seconds; `time.time` when None.
        observe: is told of each request that was judged, as an `Observation`.
        errors_url: where the page of errors is published, such as ``https://docs.example/errors.html``; every problem
            document then links to its error there.

    Raises:
        ValueError, TypeError: an argument makes no sense; the message says which.
    """

    def __init__(
        self,
        app: Any,
        keyring: Keyring,
        *,
        nonces: NonceStore,
        past: int = PAST,
        future: int = FUTURE,
        max_body: int = DEFAULT_LIMIT,
        body_timeout: float = BODY_TIMEOUT,
        accept_unsigned: bool = False,
        accept_reserialized: bool = False,
        clock: Clock | None = None,
        observe: Observe | None = None,
        errors_url: str | None = None,
    ) -> None:
        if nonces is None:
            raise TypeError("nonces must be a nonce store: without one a captured request passes again")
        if not body_timeout > 0:
            raise ValueError("body_timeout must be more than 0 seconds")
        _refuse_apart(nonces)
        self._app = app
        self._max_body = max_body
        self._body_timeout = body_timeout
        self._accept_unsigned = accept_unsigned
        self._clock = clock
        self._observe = observe
        self._errors_url = errors_url
        self._judging: dict[str, Any] = {
            "nonces": nonces,
            "past": past,
            "future": future,
            "max_body": max_body,
            "accept_reserialized": accept_reserialized,
            "clock": clock,
        }
        try:
            self.use(keyring)
        except (TypeError, ValueError) as error:
            del keyring  # plain keys, it may be
            raise error.with_traceback(None) from None

    @forgetting
    def use(self, keyring: Keyring) -> None:
        """Take another keyring, such as a keys file read again: from the next request on, in this process.

        Raises:
            TypeError: it is none; the door goes on with the one it has.
        """
        self._verifier = Verifier(keyring, **self._judging)

    def _unsigned(self, headers: wire.Headers, body: bytes) -> Unsigned | None:
        """Admit an unsigned request, parsed as strictly as a signed one; None where it is for the gate to judge."""
        if not self._accept_unsigned or not isinstance(wire.read_headers(headers), wire.UnsignedFields):
            return None
        outcome = self._verifier.admit(headers, body)
        try:
            parse(body, self._max_body)
        except CanonicalizationError as error:
            raise VerificationError(error.reason, error.detail, error.pointer) from None
        assert isinstance(outcome, Unsigned)  # noqa: S101 - such headers give nothing else
        return outcome

    def _taken(self, outcome: Verified | Unsigned, body: bytes) -> tuple[str, bytes]:
        """Tell the hook; give where the outcome belongs, and the bytes that were verified."""
        claim = None if isinstance(outcome, Unsigned) else outcome.claim
        told(self._observe, observation_of(claim, None, self._now()), _LOG)
        if isinstance(outcome, Unsigned):
            return UNSIGNED, body
        return VERIFIED, canonicalize(outcome.payload) if outcome.reserialized else body

    def _refused(self, error: VerificationError, body: bytes | None) -> Reply:
        """Tell the hook and the log; give the answer."""
        now, request_id = self._now(), secrets.token_hex(16)
        log_refusal(_LOG, error, {"request_id": request_id, "length": None if body is None else len(body)})
        told(self._observe, observation_of(None, error, now), _LOG)
        return refused(error, body, request_id, floor(now), self._errors_url)

    def _now(self) -> float:
        return (self._clock or time.time)()


def refuse_method(method: str) -> None:
    """Refuse all but POST: the method is not signed, so no other may mean anything (SPEC §11)."""
    if method != "POST":
        raise VerificationError(Reason.METHOD_UNSUPPORTED, "only POST is taken: the method is not signed")


def refuse_without_type(names: Iterable[str]) -> None:
    """Refuse a request without Content-Type; the gate refuses a wrong one (SPEC HDR-7).

    Args:
        names: of all headers, in lower case.
    """
    if wire.CONTENT_TYPE.lower() not in names:
        raise VerificationError(Reason.MEDIA_TYPE_UNSUPPORTED, f"{wire.CONTENT_TYPE} must be {wire.MEDIA_TYPE}")


def log_refusal(log: logging.Logger, error: VerificationError, known: dict[str, Any]) -> None:
    """Write the exact reason, which the reply may not say, and what else is known of the request."""
    fields = {
        "reason": error.reason.value,
        "detail": error.detail,
        "pointer": error.pointer,
        "status": error.status,
        "api_key_id": error.claim and error.claim.api_key_id,
        **known,
    }
    level = logging.ERROR if error.status >= 500 else logging.WARNING
    log.log(level, "refused: %s", error.reason.value, extra=fields)


def _refuse_apart(nonces: NonceStore) -> None:
    """Refuse a store that the other worker processes cannot see (SPEC WIN-9)."""
    workers = os.environ.get("WEB_CONCURRENCY", "")
    if isinstance(nonces, MemoryNonceStore) and workers.strip().isdigit() and int(workers) > 1:
        raise ValueError(
            f"WEB_CONCURRENCY is {int(workers)}, and each of these processes would have nonces of its own: a captured "
            "request would pass once in each. Share a store: SQLiteNonceStore on one machine, else PostgresNonceStore "
            "or RedisNonceStore"
        )
