"""What a refusal says to a stranger: an RFC 9457 problem document (SPEC §6.3, §9)."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

from ..canonical import canonicalize
from ..errors import Reason, VerificationError

__all__ = ["PROBLEM_MEDIA_TYPE", "PROBLEM_TYPE", "Reply", "refused"]

PROBLEM_MEDIA_TYPE = "application/problem+json"
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
        further: (name, value) pairs of further headers, names in lower case.
    """

    status: int
    media_type: str
    document: dict[str, Any]
    further: tuple[tuple[str, str], ...] = ()

    def body(self) -> bytes:
        """Write the document."""
        return canonicalize(self.document)

    def headers(self, length: int) -> list[tuple[str, str]]:
        """Give all headers, names in lower case.

        Args:
            length: of the body in bytes.
        """
        return [
            ("content-type", self.media_type),
            ("content-length", str(length)),
            ("cache-control", "no-store"),
            *self.further,
        ]


def refused(
    error: VerificationError, body: bytes | None, request_id: str, server_time: int, errors_url: str | None = None
) -> Reply:
    """Say why, and no more than a stranger may be told (SPEC RSN-1).

    Args:
        error: the refusal.
        body: as it was received; None where it was not read whole.
        request_id: 32 hex digits.
        server_time: whole Unix seconds.
        errors_url: of the page that ``type`` leads to, before ``#`` and the public code; a URN, which leads nowhere,
            when None.
    """
    document: dict[str, Any] = {
        "type": (PROBLEM_TYPE if errors_url is None else f"{errors_url}#") + error.public_code,
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
    further: list[tuple[str, str]] = []
    if error.retry_after is not None:
        further.append(("retry-after", str(error.retry_after)))
    if error.reason is Reason.METHOD_UNSUPPORTED:
        further.append(("allow", "POST"))
    return Reply(error.status, PROBLEM_MEDIA_TYPE, document, tuple(further))
