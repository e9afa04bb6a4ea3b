"""Arguments and Python values → complete, judged events. Knows no input or output (SPEC §9)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from .. import wire
from ..canonical import canonicalize
from ..errors import CanonicalizationError, Reason
from ..events import MAX_BATCH, WIRE_NAMES, EventFault, Group, Identify, Track, judge_events
from .errors import PayloadRefused
from .prepared import SPLIT, Members, Prepared
from .segment import KINDS, for_migrants
from .values import Conversion, rfc3339

__all__ = ["Event", "judged", "listed", "prepare_batch", "prepare_one", "refusal_of"]

Event = dict[str, Any] | Track | Identify | Group
"""What `batch` takes: a dict with the names of the wire or of Python, or a model."""


_ARGUMENTS = ("event", "group_id", *Members.__annotations__)


def prepare_one(kind: Literal["track", "identify", "group"], members: dict[str, Any], now: float) -> Prepared:
    """Complete and judge one event.

    Args:
        kind: its type, and the route.
        members: the arguments of the call, by Python's names; None is left out.
        now: Unix seconds.

    Raises:
        TypeError: there is no such argument.
        PayloadRefused: the event breaks a rule.
    """
    for name in members:
        if name not in _ARGUMENTS:
            cure = for_migrants(name)
            known = f"it takes {', '.join(_ARGUMENTS)}, and properties, traits and context hold what is yours"
            raise TypeError(f"{kind}() takes no {name}=: {cure}" if cure else f"{kind}() takes no {name}=; {known}")
    given = {name: value for name, value in members.items() if value is not None}
    return _prepare(kind, [{"type": kind, **given}], now)


def prepare_batch(events: Iterable[Event], now: float) -> Prepared:
    """Complete and judge the events of a batch.

    Raises:
        TypeError: this is no list of events.
        PayloadRefused: there is none, there are too many, or at least one breaks a rule.
    """
    given = listed("batch", events)
    if not given:
        raise PayloadRefused(f"nothing was sent: the batch is empty; it holds 1 to {MAX_BATCH:,} events")
    if len(given) > MAX_BATCH:
        raise PayloadRefused(
            f"nothing was sent: the batch has {len(given):,} events, the limit is {MAX_BATCH:,}; {SPLIT}",
            code=Reason.BATCH_TOO_LONG.public_code,
        )
    return _prepare("batch", given, now)


def listed(call: str, events: Iterable[Event]) -> list[Event]:
    """Give the events of a call as a list.

    Raises:
        TypeError: this is no list of events.
    """
    if isinstance(events, (str, bytes, dict, Track, Identify, Group)) or not isinstance(events, Iterable):
        raise TypeError(f"{call}() takes a list of events, not {type(events).__name__}")
    return list(events)


def _prepare(route: str, given: list[Any], now: float) -> Prepared:
    events, texts = judged(route, given, now)
    body = b'{"batch":[' + b",".join(texts) + b"]}" if route == "batch" else texts[0]
    return Prepared(route, [event["messageId"] for event in events], body)


def judged(route: str, given: list[Any], now: float) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Complete, convert and judge events; gives them, and the canonical form of each, UTF-8.

    Args:
        route: as in `Prepared`.
        given: the events, however many.
        now: Unix seconds.

    Raises:
        PayloadRefused: at least one event breaks a rule; each is named.
        ValueError: now is no time.
    """
    try:
        moment = rfc3339(datetime.fromtimestamp(now, UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"the clock gave {now}, which is no Unix time in seconds") from None
    faults: list[EventFault] = []
    events, texts = [], []
    for index, one in enumerate(given):
        event, text = _text(route, index, _complete(index, one, moment, faults), faults)
        events.append(event)
        texts.append(text)
    # What was said of a value once is not said again.
    said = {(fault.index, fault.pointer) for fault in faults}
    faults += [fault for fault in judge_events(route, events) if (fault.index, fault.pointer) not in said]
    if faults:
        faults.sort(key=lambda fault: fault.index)
        raise refusal_of([_for_migrants(fault, events[fault.index]) for fault in faults])
    return events, texts


def refusal_of(faults: list[EventFault]) -> PayloadRefused:
    """Give the error that names each fault."""
    documents = [fault.document() for fault in faults]
    return PayloadRefused("nothing was sent", errors=documents, code=faults[0].reason.public_code)


def _for_migrants(fault: EventFault, event: Any) -> EventFault:
    """Say what stands here for a member or a type of Segment."""
    kind = event.get("type") if fault.pointer == "/type" else None
    cure = KINDS.get(kind) if isinstance(kind, str) else for_migrants(fault.pointer.removeprefix("/"))
    return fault._replace(detail=cure) if cure and fault.reason is Reason.EVENT_INVALID else fault


def _complete(index: int, given: Any, moment: str, faults: list[EventFault]) -> Any:
    """Give the event under the names of the wire, with messageId and timestamp."""
    if isinstance(given, (Track, Identify, Group)):
        given = given.to_wire()
    if not isinstance(given, dict):
        return given
    event: dict[Any, Any] = {}
    for name, value in given.items():
        wired = WIRE_NAMES.get(name, name) if isinstance(name, str) else name
        if wired in event:
            _fault(faults, index, wired, f"given twice, as {wired} and as its Python name; take one of the two")
        event[wired] = value
    if wire.SIGNATURE_MEMBER in event:
        _fault(faults, index, wire.SIGNATURE_MEMBER, "events are signed at sending; leave it out")
    event.setdefault("messageId", str(uuid4()))
    event.setdefault("timestamp", moment)
    return event


def _text(route: str, index: int, event: Any, faults: list[EventFault]) -> tuple[Any, bytes]:
    """Give the event and its canonical form; where it has none, that of what Python's values are converted to."""
    try:
        return event, _canonical(route, event)
    except CanonicalizationError:
        conversion = Conversion()
        event = conversion.of(event)
    faults += [EventFault(index, Reason.VALUE_NOT_JSON, pointer, detail) for pointer, detail in conversion.faults]
    try:
        return event, _canonical(route, event)
    except CanonicalizationError as error:
        pointer = (error.pointer or "").removeprefix("/0/0" if route == "batch" else "")
        if (index, pointer) not in {(fault.index, fault.pointer) for fault in faults}:
            faults.append(EventFault(index, error.reason, pointer, error.detail))
        return event, b""


def _canonical(route: str, event: Any) -> bytes:
    # Two levels down, as it will stand in the batch, so that it is not too deep only then.
    return canonicalize([[event]])[2:-2] if route == "batch" else canonicalize(event)


def _fault(faults: list[EventFault], index: int, name: str, detail: str) -> None:
    faults.append(EventFault(index, Reason.EVENT_INVALID, f"/{name}", detail))
