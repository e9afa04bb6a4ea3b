"""What the endpoint answers: 202, or an RFC 9457 problem document with every bad event in it (SPEC §9)."""

from __future__ import annotations

from ..errors import VerificationError
from ..events import EventsRefused
from ..middleware import problem
from ..middleware.problem import Reply
from ..wire import MEDIA_TYPE
from .store import Stored

__all__ = ["accepted", "refused"]


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


def refused(
    error: VerificationError, body: bytes | None, request_id: str, server_time: int, errors_url: str | None = None
) -> Reply:
    """Say why, as `problem.refused` does, and of events which (SPEC EVT-5)."""
    reply = problem.refused(error, body, request_id, server_time, errors_url)
    if isinstance(error, EventsRefused):
        reply.document["errors"] = [fault.document() for fault in error.errors]
    return reply
