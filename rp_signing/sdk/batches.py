"""Events, however many → batches that fit (SPEC EVT-4, §10). Knows no input or output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from .. import wire
from ..canonical import DEFAULT_LIMIT, canonicalize
from ..errors import Reason
from ..events import MAX_BATCH, EventFault
from .prepare import Event, judged, listed, refusal_of

__all__ = ["split"]

_ENVELOPE = len(b'{"batch":[]}')
# What signing adds to an event, and the comma behind it. An unsigned event may then be that much longer than is needed.
_ADDED = len(canonicalize({wire.SIGNATURE_MEMBER: "sha256=" + "0" * 64})) - len(b"{}") + 2 * len(b",")


def split(
    events: Iterable[Event],
    *,
    max_events: int = MAX_BATCH,
    max_bytes: int = DEFAULT_LIMIT,
    clock: Callable[[], float] | None = None,
) -> list[list[dict[str, Any]]]:
    """Give batches that fit by count and by bytes, in order, each for one call of ``batch``.

    The events in them are complete, messageId and timestamp included: to call ``batch`` again with the same list stores
    nothing twice.

    Args:
        events: dicts or models, any number of them.
        max_events: in one batch.
        max_bytes: of one body, signatures included.
        clock: gives Unix seconds, for events without a timestamp; `time.time` when None.

    Raises:
        PayloadRefused: at least one event breaks a rule or is too large for any batch; all of them are named, with
            their index in `events`.
        TypeError, ValueError: this is no list of events, or a limit makes no sense.
    """
    for name, limit in (("max_events", max_events), ("max_bytes", max_bytes)):
        if type(limit) is not int:
            raise TypeError(f"{name}= must be an int, not {type(limit).__name__}")
        if limit < 1:
            raise ValueError(f"{name}= must be 1 or more; this is {limit}")
    complete, texts = judged("batch", listed("split", events), (clock or time.time)())
    sizes = [len(text) + _ADDED for text in texts]
    room = max_bytes - _ENVELOPE + len(b",")
    faults = [_too_large(index, size, room) for index, size in enumerate(sizes) if size > room]
    if faults:
        raise refusal_of(faults)
    batches: list[list[dict[str, Any]]] = []
    left = 0
    for event, size in zip(complete, sizes, strict=True):
        if not batches or size > left or len(batches[-1]) == max_events:
            batches.append([])
            left = room
        batches[-1].append(event)
        left -= size
    return batches


def _too_large(index: int, size: int, room: int) -> EventFault:
    detail = (
        f"the event takes {size - 1:,} bytes, signature included; a batch has room for {room - 1:,}: make it smaller"
    )
    return EventFault(index, Reason.PAYLOAD_TOO_LARGE, "", detail)
