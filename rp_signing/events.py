"""Track, identify, group and batch: what an event may hold, and every fault of one that breaks a rule (SPEC §9).

The models are for Python, where `user_id` and `userId` both do. `events_of` and `judge_events` read what came over
the wire, camelCase alone, and change nothing: whoever calls them goes on with the very values that were parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

try:
    import pydantic
    from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError
except ImportError as _error:
    raise ImportError(f"{_error}; events need an extra: pip install 'rp-signing[client]', or [ingest]") from None

from .errors import Reason, VerificationError

__all__ = ["MAX_BATCH", "ROUTES", "Batch", "Group", "Identify", "Track"]
__all__ += ["WIRE_NAMES", "EventFault", "EventsRefused", "events_of", "judge_events", "sentence_of"]

MAX_BATCH = 1_000
"""Events in one batch at the most (SPEC EVT-4, §10)."""

ROUTES = ("track", "identify", "group", "batch")
"""What stands behind ``/v1/``; the first three are the types of events (SPEC §9)."""

_TYPES = ROUTES[:3]

_TIMESTAMP = (
    r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])\z"
)


def _on_a_day_that_exists(timestamp: str) -> str:
    date.fromisoformat(timestamp[:10])
    return timestamp


Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]

# A member may be left out, and reads as None then; null in its place is refused. So pydantic sees no None.
if TYPE_CHECKING:
    OptionalText = str | None
    OptionalMessageId = str | None
    OptionalTimestamp = str | None
    OptionalObject = dict[str, Any] | None
else:
    OptionalText = Text
    OptionalMessageId = Annotated[str, StringConstraints(strict=True, pattern=r"\A[A-Za-z0-9._:-]{1,128}\z")]
    OptionalTimestamp = Annotated[
        str, StringConstraints(strict=True, pattern=_TIMESTAMP), pydantic.AfterValidator(_on_a_day_that_exists)
    ]
    # Neither copied nor looked into: what is in there is any JSON.
    OptionalObject = pydantic.InstanceOf[dict]

_TEXT = "a string of 1 to 256 characters"
_DATE = "a string like 2026-11-23T09:00:00.000Z, a date and time that exist"
# What the models demand, in words.
_EXPECTED = {
    "type": f"one of {', '.join(_TYPES)}",
    "messageId": "a string of 1 to 128 of A-Z a-z 0-9 . _ : -",
    **dict.fromkeys(("userId", "anonymousId", "event", "groupId"), _TEXT),
    **dict.fromkeys(("properties", "traits", "context"), "an object"),
    "timestamp": _DATE,
    "batch": f"an array of 1 to {MAX_BATCH:,} events",
    "sentAt": _DATE,
}
WIRE_NAMES = {re.sub("([A-Z])", r"_\1", name).lower(): name for name in _EXPECTED if not name.islower()}
"""Python's spelling of a member → that of the wire, where they differ."""


class _Model(BaseModel, extra="forbid", validate_by_name=True, validate_by_alias=True, hide_input_in_errors=True):
    def to_wire(self) -> dict[str, Any]:
        """Give the members that were set, under their names on the wire; their values are not copied."""
        given = self.model_fields_set | {"type"}
        return {WIRE_NAMES.get(name, name): getattr(self, name) for name in type(self).model_fields if name in given}


class _Event(_Model):
    """What the three types share. Every member is allowed on every type."""

    type: Any = None
    message_id: OptionalMessageId = Field(default=None, validation_alias="messageId")
    user_id: OptionalText = Field(default=None, validation_alias="userId")
    anonymous_id: OptionalText = Field(default=None, validation_alias="anonymousId")
    event: OptionalText = None
    group_id: OptionalText = Field(default=None, validation_alias="groupId")
    properties: OptionalObject = None
    traits: OptionalObject = None
    context: OptionalObject = None
    timestamp: OptionalTimestamp = None
    integrity_signature: Any = None

    @pydantic.model_validator(mode="after")
    def _has_identity(self) -> Self:
        if self.user_id is None and self.anonymous_id is None:
            raise ValueError("user_id or anonymous_id is required")
        return self


class Track(_Event):
    """Something that somebody did (SPEC §9).

    Attributes:
        event: what was done, 1 to 256 characters.
        user_id: 1 to 256 characters; this or `anonymous_id` is required.
        anonymous_id: 1 to 256 characters.
        properties: any JSON object; so are `traits` and `context`.
        timestamp: RFC 3339, with ``Z`` or an offset; the client fills it in, and so `message_id`.
        message_id: the event's own name, 1 to 128 of ``A-Z a-z 0-9 . _ : -``.

    Raises:
        pydantic.ValidationError: a member breaks a rule; a ValueError.
    """

    type: Literal["track"] = "track"
    event: Text


class Identify(_Event):
    """What is known of a user, in `traits` (SPEC §9). The other members are those of `Track`."""

    type: Literal["identify"] = "identify"


class Group(_Event):
    """That a user belongs to a group, `group_id` (SPEC §9). The other members are those of `Track`."""

    type: Literal["group"] = "group"
    group_id: Text = Field(validation_alias="groupId")


class Batch(_Model):
    """1 to 1,000 events in one request (SPEC §9). They are judged one by one, by `judge_events`."""

    batch: Annotated[list[Any], Field(strict=True, min_length=1, max_length=MAX_BATCH)]
    sent_at: OptionalTimestamp = Field(default=None, validation_alias="sentAt")


class EventFault(NamedTuple):
    """What is wrong with one event.

    Attributes:
        index: which event of the request, from 0.
        reason: the exact `Reason`.
        pointer: JSON Pointer (RFC 6901), relative to the event; ``""`` is the event itself.
        detail: one sentence: what was expected, never the value that stands there.
    """

    index: int  # type: ignore[assignment]  # nobody looks an item of this up
    reason: Reason
    pointer: str
    detail: str

    def document(self) -> dict[str, Any]:
        """Give it as it stands in a problem document: the reason is the public code (SPEC EVT-5)."""
        return {**self._asdict(), "reason": self.reason.public_code}


class EventsRefused(VerificationError):
    """At least one event breaks a rule, so none is taken (SPEC EVT-5). Its str names every bad event.

    Attributes:
        errors: every `EventFault`, in order of index; reason, detail and pointer are those of the first.
    """

    def __init__(self, errors: list[EventFault]) -> None:
        first = errors[0]
        super().__init__(first.reason, first.detail, first.pointer)
        self.errors = errors

    def __str__(self) -> str:
        return sentence_of(fault.document() for fault in self.errors)

    def __reduce__(self) -> tuple[type[Self], tuple[list[EventFault]]]:
        return type(self), (self.errors,)


def sentence_of(documents: Iterable[Mapping[str, Any]]) -> str:
    """Name each fault, given as in a problem document, with index, reason and pointer."""
    line = "event {index}: {reason} at {pointer}: {detail}"
    return "; ".join(line.format_map({**fault, "pointer": fault["pointer"] or "its root"}) for fault in documents)


def events_of(route: str, payload: object) -> list[Any]:
    """Give the events of a payload, as they were parsed (SPEC §9, EVT-4).

    Args:
        route: one of `ROUTES`.
        payload: what `parse` gave.

    Raises:
        VerificationError: ``batch_too_long``.
        EventsRefused: the envelope of a batch is malformed; the pointer is into the payload, the index 0.
    """
    if route != "batch":
        return [payload]
    if not isinstance(payload, dict):
        raise EventsRefused([_no_object(0, "a batch", payload)])
    events = payload.get("batch")
    if isinstance(events, list) and len(events) > MAX_BATCH:
        raise VerificationError(
            Reason.BATCH_TOO_LONG, f"the batch has {len(events):,} events, the limit is {MAX_BATCH:,}", "/batch"
        )
    try:
        _BATCH.validate_python(payload, by_alias=True, by_name=False)
    except ValidationError as error:
        raise EventsRefused(list(_faults_of(0, payload, error))) from None
    return list(events or ())


def judge_events(route: str, events: list[Any]) -> list[EventFault]:
    """Find every fault of every event, in order of index (SPEC EVT-1, EVT-2, EVT-3).

    Args:
        route: one of `ROUTES`.
        events: what `events_of` gave. Their ``integrity_signature`` is not looked at.

    Returns:
        ``type_mismatch``, ``trust_claimed`` and ``event_invalid``; an empty list when every event may be taken.
    """
    return [fault for index, event in enumerate(events) for fault in _judge(route, index, event)]


def _judge(route: str, index: int, event: Any) -> Iterator[EventFault]:
    if not isinstance(event, dict):
        yield _no_object(index, "an event", event)
        return
    kind = event.get("type")
    known = isinstance(kind, str) and kind in _TYPES
    if known and route not in ("batch", kind):
        detail = f"the type is {kind}, the route takes {route}; send it to /v1/{kind} or in a batch"
        yield EventFault(index, Reason.TYPE_MISMATCH, "/type", detail)
    elif not known and "type" in event:
        yield _invalid(index, "type", _contrast("type", kind))
    for name in ("type", "messageId"):
        if name not in event:
            yield _missing(index, name)
    if "userId" not in event and "anonymousId" not in event:
        yield _invalid(index, "userId", f"userId or anonymousId is required: {_TEXT}")
    try:
        (_EVENT[str(kind)] if known else _OTHER).validate_python(event, by_alias=True, by_name=False)
    except ValidationError as error:
        yield from _faults_of(index, event, error)


def _faults_of(index: int, holder: dict[str, Any], error: ValidationError) -> Iterator[EventFault]:
    for line in error.errors(include_url=False, include_context=False, include_input=False):
        if not line["loc"]:
            continue  # that there is neither userId nor anonymousId, which `_judge` has said
        name = str(line["loc"][0])
        if line["type"] == "missing":
            yield _missing(index, name)
        elif name == "trust":
            detail = "trust is set by the verifier alone; leave it out"
            yield EventFault(index, Reason.TRUST_CLAIMED, "/trust", detail)
        elif line["type"] in ("extra_forbidden", "invalid_key"):
            called = f"it is called {WIRE_NAMES[name]} on the wire" if name in WIRE_NAMES else "there is no such member"
            yield _invalid(index, name, f"{called}; properties, traits and context hold what is yours")
        else:
            yield _invalid(index, name, _contrast(name, holder.get(name)))


def _missing(index: int, name: str) -> EventFault:
    return _invalid(index, name, f"{name} is required: {_EXPECTED[name]}")


def _invalid(index: int, name: str, detail: str) -> EventFault:
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    return EventFault(index, Reason.EVENT_INVALID, pointer, detail)


def _no_object(index: int, what: str, value: object) -> EventFault:
    return EventFault(index, Reason.EVENT_INVALID, "", f"{what} is an object; this is {_kind_of(value)}")


def _contrast(name: str, value: object) -> str:
    expected = f"{name} must be {_EXPECTED[name]}"
    if _kind_of(value) == "a number" and _EXPECTED[name].startswith("a string"):
        return f"{expected}; this is a number: {'write the time out' if 'date' in expected else 'send it as a string'}"
    if isinstance(value, (str, list)):
        return f"{expected}; this is {_kind_of(value)} of length {len(value):,}"
    return f"{expected}; this is {_kind_of(value)}" + (": leave it out" if value is None else "")


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    kinds = {str: "a string", int: "a number", float: "a number", list: "an array", dict: "an object"}
    return "null" if value is None else kinds.get(type(value), f"a {type(value).__name__}")


_EVENT: dict[str, TypeAdapter[Any]] = {model.__name__.lower(): TypeAdapter(model) for model in (Track, Identify, Group)}
_OTHER = TypeAdapter(_Event)
_BATCH = TypeAdapter(Batch)
