"""What the endpoint answers: 202, or an RFC 9457 problem document (SPEC §9)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

from ..canonical import canonicalize
from ..errors import Reason, VerificationError
from ..events import EventsRefused
from ..wire import MEDIA_TYPE
from .body import Send
from .store import Stored

__all__ = ["PROBLEM_TYPE", "Reply", "accepted", "refused"]

PROBLEM_TYPE = "urn:rp-signing:problem:"
"""What the public code is put behind for the member ``type``, which has to be a URI (RFC 9457 §3.1.1)."""

# What a stranger must not be able to tell apart gets one text (SPEC RSN-1); what broke inside is for the log alone.
_GUARDED = {
    Reason.KEY_ID_UNKNOWN: "the request was altered on its way, or signed with a secret that is not active here",
    Reason.SIGNATURE_MISMATCH: "the request was altered on its way, or signed with a secret that is not active here",
    Reason.EVENT_STORE_UNAVAILABLE: "nothing was stored; send the same events again",
    Reason.REPLAY_STORE_UNAVAILABLE: "nothing was stored; send the same events again",
}


class Reply(NamedTuple):
    """An answer, ready to be sent.

    Attributes:
        status: the HTTP status.
        media_type: the Content-Type.
        document: the JSON object.
        headers: further (name, value) pairs.
    """

    status: int
    media_type: str
    document: dict[str, Any]
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send) -> None:
        """Send it."""
        body = canonicalize(self.document)
        headers = [
            (b"content-type", self.media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def accepted(outcome: Stored, trust: str, received_at: int, request_id: str, server_time: int) -> Reply:
    """Say that every event is stored now, or was before."""
    document = {
        "stored": outcome.stored,
        "duplicates": outcome.duplicates,
        "trust": trust,
        "received_at": received_at,
        "server_time": server_time,
        "request_id": request_id,
    }
    return Reply(202, MEDIA_TYPE, document)


def refused(error: VerificationError, body: bytes | None, request_id: str, server_time: int) -> Reply:
    """Say why, and no more than a stranger may be told (SPEC RSN-1).

    Args:
        error: the refusal.
        body: as it was received; None where it was not read whole.
        request_id: 32 hex digits.
        server_time: whole Unix seconds.
    """
    document: dict[str, Any] = {
        "type": PROBLEM_TYPE + error.public_code,
        "title": error.reason.summary,
        "status": error.status,
        "detail": _GUARDED.get(error.reason, error.detail),
        "code": error.public_code,
        "request_id": request_id,
        "server_time": server_time,
    }
    if body is not None:
        document["received"] = {"sha256": sha256(body).hexdigest(), "length": len(body)}
    if error.pointer is not None:
        document["pointer"] = error.pointer
    if isinstance(error, EventsRefused):
        document["errors"] = [fault.document() for fault in error.errors]
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    if error.reason is Reason.METHOD_UNSUPPORTED:
        headers.append((b"allow", b"POST"))
    return Reply(error.status, "application/problem+json", document, tuple(headers))
