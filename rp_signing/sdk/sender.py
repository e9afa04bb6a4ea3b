"""What both clients share: what they are told, and the way from a call to its receipt or error. No input or output."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Literal

from ..keys import Secret
from .credentials import Credentials, Endpoint, LeftOut
from .errors import ClientUnusable, NotDelivered
from .prepare import Event, Outgoing, Prepared, prepare_batch, prepare_one, sign
from .reply import Receipt, Reply, cut_off, no_answer, read_reply

__all__ = ["Sender"]

_MUCH_SKEW = 30
_LOG = logging.getLogger("rp_signing.sdk")


class Sender:
    """What both clients share: all but the waiting.

    Args:
        api_key: its text; left out, the environment variable RETAINPIXEL_API_KEY.
        secret: a `Secret` or its text; left out, RETAINPIXEL_HMAC_SECRET; without either, events are sent unsigned,
            which the log says once. None or empty is refused: it is what a missing variable gives.
        base_url: such as ``https://ingest.example``; left out, RETAINPIXEL_BASE_URL.
        timeout: seconds that a call may take in all; 5 of them to connect.
        clock: gives Unix seconds; `time.time` when None.
        nonce: gives a fresh nonce, 22 to 64 of ``A-Z a-z 0-9 _ -``; random when None.

    Raises:
        ValueError, TypeError: an argument or variable makes no sense; the message names it, never a secret's text.
    """

    def __init__(
        self,
        api_key: str | LeftOut,
        secret: Secret | str | LeftOut,
        base_url: str | LeftOut,
        timeout: float,
        clock: Callable[[], float] | None,
        nonce: Callable[[], str] | None,
    ) -> None:
        if not 0 < timeout < float("inf"):
            raise ValueError("timeout= must be seconds, more than 0")
        self._timeout = timeout
        self._endpoint = Endpoint.of(base_url)
        self._credentials = Credentials(api_key, secret, clock, nonce)
        self._closed = False
        self._skew: int | None = None
        self._warned = False

    @property
    def signs(self) -> bool:
        """Whether this client signs what it sends."""
        return self._credentials.signs

    @property
    def api_key_id(self) -> str:
        """16 hex digits; public."""
        return self._credentials.api_key_id

    @property
    def key_id(self) -> str | None:
        """The secret's, 16 hex digits; public. None for a client that does not sign."""
        return self._credentials.key_id

    @property
    def skew(self) -> int | None:
        """Seconds, the server's clock less the own one by the last answer that told, refusals included; or None."""
        return self._skew

    def _prepare(self, kind: Literal["track", "identify", "group"], **members: Any) -> Prepared:
        return prepare_one(kind, members, self._credentials.now())

    def _prepare_batch(self, events: Iterable[Event]) -> Prepared:
        return prepare_batch(events, self._credentials.now())

    def _outgoing(self, prepared: Prepared, http_closed: bool) -> Outgoing:
        if not isinstance(prepared, Prepared):
            raise TypeError(f"send() takes what an error's .prepared holds, not {type(prepared).__name__}")
        if self._closed or http_closed:
            raise ClientUnusable("nothing was sent: the client is closed", prepared=prepared)
        return sign(prepared, self._credentials)

    def _url(self, outgoing: Outgoing) -> str:
        return f"{self._endpoint.url}/v1/{outgoing.prepared.route}"

    def _failed(self, outgoing: Outgoing, status: int | None, cause: Exception) -> NotDelivered:
        if status is None:
            return no_answer(outgoing, self._credentials, cause)
        return cut_off(outgoing, self._credentials, status, cause)

    def _receipt(self, outgoing: Outgoing, reply: Reply | NotDelivered) -> Receipt:
        """Turn what the exchange gave into what the caller gets."""
        outcome = reply if isinstance(reply, NotDelivered) else read_reply(outgoing, reply, self._credentials)
        self._note(outcome.skew)
        # Not raised where it was caught: the HTTP client's exception holds its request, and with it the api key.
        if isinstance(outcome, NotDelivered):
            raise outcome
        return outcome

    def _note(self, skew: int | None) -> None:
        if skew is None:
            return
        self._skew = skew
        if abs(skew) > _MUCH_SKEW and not self._warned:
            self._warned = True
            _LOG.warning("the server's clock less the own one is %+d s; requests out of its window are refused", skew)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._credentials}>"
