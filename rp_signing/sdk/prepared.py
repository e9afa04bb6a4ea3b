"""The events of a call, complete, and one attempt to send them. Knows no input or output (SPEC §4, §5).

What judges events, and brings pydantic's models with it, is in `prepare`: this is there before the first client.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, TypedDict
from uuid import UUID

from .. import wire
from ..canonical import DEFAULT_LIMIT, canonicalize, parse
from ..errors import Reason
from .credentials import Credentials
from .errors import PayloadRefused

__all__ = ["SPLIT", "Members", "Outgoing", "Prepared", "prepare_check", "sign"]

SPLIT = "split(events) gives batches that fit"
"""What to do with too many events."""


class Members(TypedDict, total=False):
    """What `track`, `identify` and `group` all take. None is the same as leaving it out.

    Values may be Python's: `rp_signing.sdk.values` has the table of what is converted.

    Attributes:
        user_id: 1 to 256 characters; this or `anonymous_id` is required.
        anonymous_id: 1 to 256 characters.
        properties: any JSON object; so are `traits` and `context`.
        timestamp: when it happened, of any age: a datetime with a time zone, or RFC 3339 with ``Z`` or an offset; the
            time of the call when left out.
        message_id: the event's own name, 1 to 128 of ``A-Z a-z 0-9 . _ : -``; a new UUID when left out.
    """

    user_id: str | UUID | None
    anonymous_id: str | UUID | None
    properties: dict[str, Any] | None
    traits: dict[str, Any] | None
    context: dict[str, Any] | None
    timestamp: datetime | str | None
    message_id: str | UUID | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The events of one call, complete but for the signatures, which are made at sending. It can be kept and pickled.

    Attributes:
        route: ``track``, ``identify``, ``group`` or ``batch``; or ``check``, without any event.
        message_ids: the events' own names, in order.
        body: the unsigned body in canonical form, UTF-8.
    """

    route: str
    message_ids: list[str]
    body: bytes = field(repr=False)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The unsigned events, read anew from the body."""
        payload = parse(self.body, len(self.body))
        if self.route == "check":
            return []
        return list(payload["batch"]) if self.route == "batch" else [payload]


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """One attempt to send: what goes over the wire. Its repr shows no header.

    Attributes:
        prepared: what it was made of.
        headers: name → value; they hold the api key.
        body: canonical bytes, UTF-8.
    """

    prepared: Prepared
    headers: dict[str, str]
    body: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the body, 64 hex digits."""
        return sha256(self.body).hexdigest()

    def __repr__(self) -> str:
        return f"<Outgoing {self.prepared.route}, {len(self.body):,} bytes>"


def prepare_check() -> Prepared:
    """Give a body without events, in which whatever rewrites JSON on the way finds something to rewrite."""
    return Prepared(
        "check", [], canonicalize({"numbers": [0.1, 1e-7, 1e21, 2**53 - 1], "text": "</é\u2028😀>", "nothing": None})
    )


def sign(prepared: Prepared, credentials: Credentials) -> Outgoing:
    """Make one attempt: every event and the request signed, with a fresh timestamp and nonce, where there is a secret.

    Raises:
        PayloadRefused: the body would be longer than is taken.
    """
    body = prepared.body
    if credentials.signs and prepared.message_ids:
        events = prepared.events
        for event in events:
            covered = canonicalize(event) if prepared.route == "batch" else prepared.body
            event[wire.SIGNATURE_MEMBER] = credentials.event_signature(covered)
        body = canonicalize({"batch": events} if prepared.route == "batch" else events[0])
    if len(body) > DEFAULT_LIMIT:
        cure = SPLIT if len(prepared.message_ids) > 1 else "make the event smaller"
        raise PayloadRefused(
            f"nothing was sent: the body has {len(body):,} bytes, the limit is {DEFAULT_LIMIT:,}; {cure}",
            prepared=prepared,
            code=Reason.PAYLOAD_TOO_LARGE.public_code,
        )
    return Outgoing(prepared, {wire.CONTENT_TYPE: wire.MEDIA_TYPE, **credentials.headers(body)}, body)
