"""Python values at the door, fields of Segment, and batches that fit."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from recorded import NOW, URL, VARIABLES, Wire
from scripted import API_KEY, SECRET

from rp_signing.sdk import PayloadRefused, RetainPixel, Track, split
from rp_signing.sdk.segment import FIELDS, KINDS

UUID = uuid.UUID("01234567-89AB-cdef-0123-456789abcdef")
EVENT: dict[str, Any] = {"type": "track", "userId": "u", "event": "E", "messageId": "m"}
LIMIT = 1024 * 1024


class Plan(enum.Enum):
    """Values of each kind."""

    TEXT = "pro"
    NUMBER = 3
    PAIR = ("a", date(2026, 1, 2))


class Colour(enum.StrEnum):
    """A str that is an Enum too."""

    RED = "red"


@pytest.fixture
def wire() -> Wire:
    """A network that keeps what was sent."""
    return Wire()


@pytest.fixture
def client(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[RetainPixel]:
    """A client that signs."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    settings: Any = {"api_key": API_KEY, "secret": SECRET, "base_url": URL}
    with RetainPixel(**settings, transport=wire.transport, clock=lambda: NOW) as client:
        yield client


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (datetime(2026, 11, 23, 9, 0, 0, 500_999, tzinfo=UTC), "2026-11-23T09:00:00.500Z"),
        (datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-11-22T19:00:00.000Z"),
        (datetime(33, 1, 2, tzinfo=UTC), "0033-01-02T00:00:00.000Z"),
        (date(2026, 11, 23), "2026-11-23"),
        (UUID, "01234567-89ab-cdef-0123-456789abcdef"),
        (Plan.TEXT, "pro"),
        (Plan.NUMBER, 3),
        (Plan.PAIR, ["a", "2026-01-02"]),
        (Colour.RED, "red"),
        ((1, (2, UUID)), [1, [2, str(UUID)]]),
        ([{"a": UUID}, None, True, 1.5], [{"a": str(UUID)}, None, True, 1.5]),
    ],
)
def test_python_values_are_converted(client: RetainPixel, wire: Wire, value: Any, written: Any) -> None:
    """Each row of the table of conversions, alone and within a batch, and what was given is not changed."""
    properties = {"a": [value], "same": value}
    client.track(user_id="u", event="E", properties=properties)
    assert wire.events()[0]["properties"] == {"a": [written], "same": written}
    client.batch([{**EVENT, "properties": properties}, Track(user_id="u", event="E", context=properties)])
    assert wire.events()[0]["properties"] == wire.events()[1]["context"] == {"a": [written], "same": written}
    assert properties == {"a": [value], "same": value}


def test_members_of_an_event_take_python_values(client: RetainPixel, wire: Wire) -> None:
    """Names, moments and ids may be Python's; a timestamp may be of any age; the receipt has the text."""
    receipt = client.track(user_id=UUID, event=Colour.RED, timestamp=datetime(1970, 1, 1, tzinfo=UTC), message_id=UUID)
    (event,) = wire.events()
    assert (event["userId"], event["event"], event["timestamp"]) == (str(UUID), "red", "1970-01-01T00:00:00.000Z")
    assert receipt.message_ids == [event["messageId"]] == [str(UUID)]


def refused(call: Any) -> list[tuple[int, str, str, str]]:
    """Give the faults of a call."""
    with pytest.raises(PayloadRefused) as caught:
        call()
    return [tuple(fault.values()) for fault in caught.value.errors]  # type: ignore[misc]


def test_each_moment_without_a_zone_is_named(client: RetainPixel, wire: Wire) -> None:
    """All naive datetimes of an event are named at once, the ones that UTC cannot hold too, and nothing else."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what is refused
    early = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    properties = {"fine": UUID, "a/b": naive, "list": [early]}
    call: Any = client.track
    faults = sorted(refused(lambda: call(user_id=UUID, event="E", timestamp=naive, properties=properties)))
    assert [fault[:3] for fault in faults] == [
        (0, "value_not_json", "/properties/a~1b"),
        (0, "value_not_json", "/properties/list/0"),
        (0, "value_not_json", "/timestamp"),
    ]
    assert "astimezone()" in faults[0][3]
    assert "years 1 and 9999" in faults[1][3]
    assert wire.requests == []


def test_what_holds_itself_ends(client: RetainPixel) -> None:
    """A value that is inside itself, or shared many times over, is refused or sent, and never without end."""
    endless: list[Any] = [UUID]
    endless += [endless, endless, endless]
    assert refused(lambda: client.track(user_id="u", event="E", properties={"a": endless}))[0][1] == "payload_depth"
    deep: Any = UUID
    for _ in range(100_000):
        deep = [deep]
    assert refused(lambda: client.track(user_id="u", event="E", properties={"a": deep}))[0][1] == "payload_depth"


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_of_segment_is_refused_with_its_cure(client: RetainPixel, wire: Wire, name: str) -> None:
    """Who comes from Segment is told what stands here for the field, as an argument and in a batch."""
    assert refused(lambda: client.batch([{**EVENT, name: {}}])) == [(0, "event_invalid", f"/{name}", FIELDS[name])]
    spelled = "".join("_" + c.lower() if c.isupper() else c for c in name)
    with pytest.raises(TypeError, match=f"takes no {spelled}=: ") as caught:
        client.track(user_id="u", event="E", **{spelled: {}})  # type: ignore[misc]
    assert FIELDS[name] in str(caught.value)
    assert wire.requests == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_type_of_segment_is_refused_with_its_cure(client: RetainPixel, kind: str) -> None:
    """Page, screen and alias are no types here, and the refusal says what to send."""
    assert refused(lambda: client.batch([{**EVENT, "type": kind}])) == [(0, "event_invalid", "/type", KINDS[kind])]


def test_split_gives_batches_that_fit(client: RetainPixel, wire: Wire) -> None:
    """By count and by bytes, in order, none lost; and each of them is taken."""
    many = client.split({**EVENT, "messageId": f"m-{n}"} for n in range(2_001))
    assert [len(batch) for batch in many] == [1000, 1000, 1]
    assert [event["messageId"] for batch in many for event in batch] == [f"m-{n}" for n in range(2_001)]
    large = client.split({**EVENT, "properties": {"a": "x" * (n * 997 % 40_000)}} for n in range(300))
    for batch in (*many, *large):
        assert client.batch(batch).stored == len(batch)
    sizes = [len(request.content) for request in wire.requests[3:]]
    assert len(sizes) == 6
    assert min(sizes[:-1]) > LIMIT - 40_000
    assert client.split([]) == []


def test_split_fills_a_batch_to_the_last_byte(client: RetainPixel, wire: Wire) -> None:
    """Two events whose signed batch has exactly the limit are one batch; a byte more makes two."""
    event = {**EVENT, "timestamp": "2026-01-01T00:00:00Z", "properties": {"a": ""}}
    client.batch([event, event])
    room = LIMIT - len(wire.requests[0].content)
    full = [event, {**event, "properties": {"a": "x" * room}}]
    (batch,) = client.split(full)
    client.batch(batch)
    assert len(wire.requests[1].content) == LIMIT
    full[1]["properties"] = {"a": "x" * (room + 1)}
    assert [len(batch) for batch in client.split(full)] == [1, 1]
    assert [len(batch) for batch in split([event] * 3, max_events=2)] == [2, 1]
    assert [len(batch) for batch in split([event] * 3, max_bytes=len(wire.requests[0].content))] == [2, 1]


def test_split_names_what_fits_nowhere() -> None:
    """Every bad event and every one too large is named at once, by its index in all of them."""
    huge = {**EVENT, "properties": {"a": "x" * LIMIT}}
    faults = refused(lambda: split([EVENT] * 1500 + [huge, EVENT, huge]))
    assert [fault[:3] for fault in faults] == [(1500, "payload_too_large", ""), (1502, "payload_too_large", "")]
    assert "1,048,564" in faults[0][3]
    assert refused(lambda: split([EVENT] * 1500 + [{}]))[0][0] == 1500
    with pytest.raises(TypeError, match=r"split\(\) takes a list of events, not dict"):
        split(EVENT)  # type: ignore[arg-type]
    for name in ("max_events", "max_bytes"):
        limits: Any = {name: 0}
        with pytest.raises(ValueError, match=f"{name}= must be 1 or more; this is 0"):
            split([EVENT], **limits)
        with pytest.raises(TypeError, match=f"{name}= must be an int, not str"):
            split([EVENT], **{**limits, name: "5"})


def test_split_makes_events_that_can_be_sent_again(client: RetainPixel) -> None:
    """A batch of it has its messageIds and timestamps, so that the same call again stores nothing twice."""
    (batch,) = client.split([{"type": "identify", "user_id": UUID}] * 2)
    assert client.batch(batch).message_ids == client.batch(batch).message_ids
    assert [event["timestamp"] for event in batch] == ["2026-11-23T09:00:00.500Z"] * 2
    assert [event["userId"] for event in batch] == [str(UUID)] * 2
