"""What a call of the SDK raises when its events were not taken. Each says why, and what to do about it.

Rule: no exception holds an api key, a secret, or an object of the HTTP client.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import SigningError

if TYPE_CHECKING:
    from .prepared import Prepared

__all__ = [
    "BodyAltered",
    "ClientUnusable",
    "ClockSkew",
    "IngestUnavailable",
    "NotDelivered",
    "PayloadRefused",
    "Replayed",
    "RequestRefused",
    "SignatureRemoved",
    "WrongSecret",
]


class NotDelivered(SigningError):
    """The events of a call were not taken, or it is not known whether they were. The base of all of the SDK's errors.

    Attributes:
        retryable: True where the same events may be taken later: no answer, a cut-off or unreadable one, 408, 429
            and every 5xx. ``client.send(error.prepared)`` sends them again, signed anew, and stores none twice.
        retry_after: seconds (int) that the server asked to wait, or None.
        prepared: the events, ready to be sent again; None where nothing could be prepared.
        message_ids: of those events, in order; empty where nothing could be prepared.
        code: the public code of the reason (SPEC §6.3), or None.
        status: the HTTP status (int), or None where there was no answer.
        request_id: the server's name for the request, or None.
        skew: seconds (int), the server's clock less the own one, or None where the server did not tell.
        page: the URL of the page about this error, where the server publishes one; else None.
    """

    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        prepared: Prepared | None = None,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: int | None = None,
        skew: int | None = None,
        page: str | None = None,
    ) -> None:
        super().__init__(message)
        self.page = page
        self.prepared = prepared
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.skew = skew

    @property
    def message_ids(self) -> list[str]:
        """The events' own names, in order."""
        return [] if self.prepared is None else self.prepared.message_ids

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception that crosses to another process (Celery, multiprocessing) brings its events along.
        return _revive, (type(self), self.args, self.__dict__)


class IngestUnavailable(NotDelivered):
    """No answer, a cut-off or unreadable one, 408, 429 or 5xx: send the same events again, they are stored once.

    Without a connection nothing was sent; in all other cases the events may or may not be stored. ``prepared`` is never
    None.
    """

    retryable = True
    prepared: Prepared


class ClientUnusable(NotDelivered):
    """The client is closed, or belongs to another event loop or process; nothing was sent. `flush` raises it too."""


class RequestRefused(NotDelivered):
    """The server refused, or something between did; the same events would be refused again."""


class PayloadRefused(RequestRefused):
    """At least one event breaks a rule, or they are too many or too large; none was stored.

    Attributes:
        errors: for every bad event a dict of ``index`` (in the call, from 0), ``reason`` (public code), ``pointer``
            (JSON Pointer, relative to the event) and ``detail``; empty where it is about the request as a whole.
    """

    def __init__(self, message: str, *, errors: Sequence[dict[str, Any]] = (), **known: Any) -> None:
        from ..events import sentence_of  # brings pydantic: not before there is a client

        self.errors: list[dict[str, Any]] = list(errors)
        super().__init__(f"{message}: {sentence_of(self.errors)}" if self.errors else message, **known)


class BodyAltered(RequestRefused):
    """The server received another body than was sent: something between rewrites it.

    Attributes:
        sent_length: bytes.
        received_length: bytes.
    """

    def __init__(self, message: str, *, sent_length: int, received_length: int, **known: Any) -> None:
        self.sent_length = sent_length
        self.received_length = received_length
        super().__init__(message, **known)


class ClockSkew(RequestRefused):
    """The own clock differs from the server's by more than its window; `skew` tells by how much."""


class WrongSecret(RequestRefused):
    """The body arrived unaltered, and no secret that the server holds for this api key gave the signature.

    Attributes:
        key_id: of the own secret, 16 hex digits; public.
    """

    def __init__(self, message: str, *, key_id: str, **known: Any) -> None:
        self.key_id = key_id
        super().__init__(message, **known)


class Replayed(RequestRefused):
    """An earlier copy of this very request arrived: something between sent it twice. Most likely that one is stored."""


class SignatureRemoved(RequestRefused):
    """The events were signed, and the server stored them as unsigned: something between took the signature off."""


def _revive(kind: type[NotDelivered], args: tuple[Any, ...], state: dict[str, Any]) -> NotDelivered:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
