"""What becomes of events between a call and the network."""

from __future__ import annotations

import datetime
import decimal
import pickle
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from recorded import NOW, URL, VARIABLES, Wire
from scripted import API_KEY, SECRET

from rp_signing.errors import SigningError
from rp_signing.keys import Keyring, Secret
from rp_signing.replay import Claim
from rp_signing.sdk import ClientUnusable, Identify, PayloadRefused, RetainPixel, Track
from rp_signing.signing import verify_event
from rp_signing.verifier import Verifier


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wire() -> Wire:
    """A network that keeps what was sent."""
    return Wire()


@pytest.fixture
def client(wire: Wire) -> Iterator[RetainPixel]:
    """A client that signs."""
    with RetainPixel(
        api_key=API_KEY, secret=SECRET, base_url=URL, transport=wire.transport, clock=lambda: NOW
    ) as client:
        yield client


# What is sent


def test_what_is_sent_verifies(client: RetainPixel, wire: Wire) -> None:
    """The body is canonical, and request and event are signed as SPEC has it."""
    receipt = client.track(user_id="u", event="Opened", properties={"total": 50.0, "name": "Zoë"}, message_id="m-1")
    (request,) = wire.requests
    keyring = Keyring.of({API_KEY: SECRET})
    claim = Verifier(keyring, nonces=None).check(request.headers.raw, request.content, now=NOW)
    assert isinstance(claim, Claim)
    assert claim.sent_key_id == Secret(SECRET).key_id
    (event,) = wire.events()
    assert verify_event(event, keyring=keyring, api_key=API_KEY) == Secret(SECRET).key_id
    assert request.content.startswith(b'{"event":"Opened","integrity_signature":"sha256=')
    assert b'"properties":{"name":"Zo\xc3\xab","total":50}' in request.content
    assert str(request.url) == f"{URL}/v1/track"
    assert request.headers["content-type"] == "application/json"
    assert (receipt.message_ids, receipt.stored, receipt.trust, receipt.request_id) == (["m-1"], 1, "high", "r")
    assert receipt.skew == client.skew == 2


def test_each_method_sends_its_own_type(client: RetainPixel, wire: Wire) -> None:
    """Track, identify and group go to their routes with every member under its name on the wire."""
    known: dict[str, Any] = {"user_id": "u", "anonymous_id": "a", "properties": {}, "traits": {}, "context": {}}
    known |= {"timestamp": "1999-01-01T00:00:00Z", "message_id": "m", "event": "E", "group_id": "g"}
    wired = {"userId": "u", "anonymousId": "a", "properties": {}, "traits": {}, "context": {}, "event": "E"}
    wired |= {"timestamp": "1999-01-01T00:00:00Z", "messageId": "m", "groupId": "g"}
    for call in (client.track, client.identify, client.group):
        call(**known)
        event = wire.events()[0]
        event.pop("integrity_signature")
        assert event == {"type": call.__name__, **wired}
        assert wire.requests[-1].url.path == f"/v1/{call.__name__}"


def test_name_and_time_are_filled_in_once(client: RetainPixel, wire: Wire) -> None:
    """A messageId and a timestamp are made at the call, in UTC with milliseconds; None is the same as left out."""
    first = client.track(user_id="u", event="Opened", timestamp=None, message_id=None, group_id=None)
    second = client.track(user_id="u", event="Opened")
    event = wire.events()[0]
    assert event["timestamp"] == "2026-11-23T09:00:00.500Z"
    assert event["messageId"] == second.message_ids[0] == str(uuid.UUID(second.message_ids[0], version=4))
    assert first.message_ids != second.message_ids
    assert "groupId" not in event


def test_a_batch_takes_dicts_and_models(client: RetainPixel, wire: Wire) -> None:
    """Dicts with either spelling and models go in one request; one receipt names them all, and no dict is changed."""
    given = {"type": "track", "user_id": "u", "event": "Opened", "messageId": "m-1"}
    kept = dict(given)
    receipt = client.batch(
        [given, Identify(user_id="u", message_id="m-2"), Track(userId="u", event="E", messageId="3")]
    )
    assert receipt.message_ids == ["m-1", "m-2", "3"]
    assert [event["type"] for event in wire.events()] == ["track", "identify", "track"]
    assert all(re.fullmatch("sha256=[0-9a-f]{64}", event["integrity_signature"]) for event in wire.events())
    assert given == kept


def test_a_nonce_can_be_handed_in(wire: Wire) -> None:
    """Clock and nonce are arguments, so that a test can know every byte."""
    arguments: dict[str, Any] = {
        "api_key": API_KEY,
        "secret": SECRET,
        "base_url": URL + "/",
        "transport": wire.transport,
    }
    for _ in range(2):
        with RetainPixel(**arguments, clock=lambda: NOW, nonce=lambda: "n" * 22) as client:
            client.identify(user_id="u", message_id="m")
    first, second = wire.requests
    assert first.headers["x-rp-nonce"] == "n" * 22
    assert first.headers["x-rp-signature"] == second.headers["x-rp-signature"]
    assert first.url.path == "/v1/identify"


# What is refused before any network


def refused(call: Any, wire: Wire) -> PayloadRefused:
    """Give the refusal of a call, which must not have reached the network."""
    with pytest.raises(PayloadRefused) as caught:
        call()
    assert wire.requests == []
    assert isinstance(caught.value, SigningError)
    assert not caught.value.retryable
    return caught.value


@pytest.mark.parametrize(
    ("value", "reason", "cure"),
    [
        (decimal.Decimal("1.10"), "value_not_json", "str(value)"),
        (datetime.datetime(2026, 1, 1), "value_not_json", "value.astimezone()"),  # noqa: DTZ001 - what is refused
        (datetime.time(9), "value_not_json", "value.isoformat()"),
        ({1, 2}, "value_not_json", "sorted(value)"),
        (b"x", "value_not_json", "base64"),
        (2**53, "payload_number_range", "as a string"),
        (float("nan"), "payload_number_range", "null"),
        ("\ud800", "payload_surrogate", "surrogate"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(
    client: RetainPixel, wire: Wire, value: Any, reason: str, cure: str
) -> None:
    """A value that is not JSON is named by its pointer, relative to the event, and with what to write instead."""
    properties = {"items": [0, {"price/€": value}]}
    alone = refused(lambda: client.track(user_id="u", event="E", properties=properties), wire)
    event = {"type": "track", "userId": "u", "event": "E", "properties": properties}
    within = refused(lambda: client.batch([{"type": "identify", "userId": "u"}, event]), wire)
    for index, error in ((0, alone), (1, within)):
        (fault,) = error.errors
        assert (fault["index"], fault["reason"]) == (index, reason)
        assert fault["pointer"] == "/properties/items/1/price~1€"
        assert cure in fault["detail"]
        assert fault["detail"] in str(error)
        assert (error.code, error.prepared, error.message_ids) == (reason, None, [])


def test_every_bad_event_is_named_at_once(client: RetainPixel, wire: Wire) -> None:
    """A batch with bad events is not sent, and the error holds index, reason, pointer and detail of each."""
    good = {"type": "track", "userId": "u", "event": "E"}
    bad = [good, {**good, "userId": 5}, {**good, "trust": "high"}, 7, {**good, "user_id": "v"}, {1: 2}]
    bad += [{**good, "integrity_signature": None}, {"type": "page", "properties": {"a": {1}}}]
    error = refused(lambda: client.batch(bad), wire)
    assert [(fault["index"], fault["reason"], fault["pointer"]) for fault in error.errors] == [
        (1, "event_invalid", "/userId"),
        (2, "trust_claimed", "/trust"),
        (3, "event_invalid", ""),
        (4, "event_invalid", "/userId"),
        (5, "key_not_string", ""),
        (5, "event_invalid", "/type"),
        (5, "event_invalid", "/userId"),
        (5, "event_invalid", "/1"),
        (6, "event_invalid", "/integrity_signature"),
        (7, "value_not_json", "/properties/a"),
        (7, "event_invalid", "/type"),
        (7, "event_invalid", "/userId"),
    ]
    assert all(f"event {index}: " in str(error) for index in range(1, 8))
    assert pickle.loads(pickle.dumps(error)).errors == error.errors  # noqa: S301 - our own bytes


def test_a_batch_beyond_the_limits_says_both_numbers(client: RetainPixel, wire: Wire) -> None:
    """1,000 events and 1 MiB, signatures counted, are the limits; the refusal names what came and what is taken."""
    event = {"type": "track", "userId": "u", "event": "E"}
    error = refused(lambda: client.batch([event] * 1001), wire)
    assert "1,001 events, the limit is 1,000" in str(error)
    assert error.code == "batch_too_long"
    large = refused(lambda: client.batch([{**event, "properties": {"a": "x" * 2000}}] * 600), wire)
    assert re.search(r"the body has 1,\d\d\d,\d\d\d bytes, the limit is 1,048,576", str(large))
    assert (large.code, len(large.message_ids)) == ("payload_too_large", 600)
    assert "the batch is empty" in str(refused(lambda: client.batch([]), wire))
    assert client.batch([event] * 1000).stored == 1000


def test_a_body_of_exactly_the_limit_is_sent(client: RetainPixel, wire: Wire) -> None:
    """The limit is that of the signed body: 1,048,576 bytes go out, one more does not."""
    client.track(user_id="u", event="E", properties={"a": ""}, message_id="m")
    room = 1024 * 1024 - len(wire.requests[0].content)
    client.track(user_id="u", event="E", properties={"a": "x" * room}, message_id="m")
    assert len(wire.requests[1].content) == 1024 * 1024
    with pytest.raises(PayloadRefused, match=r"1,048,577 bytes, the limit is 1,048,576"):
        client.track(user_id="u", event="E", properties={"a": "x" * (room + 1)}, message_id="m")


def test_depth_counts_where_the_event_stands(client: RetainPixel, wire: Wire) -> None:
    """An event as deep as is allowed goes alone; in a batch, two levels further down, it is named as too deep."""
    deep: Any = {}
    for _ in range(62):
        deep = {"a": deep}
    event = {"type": "track", "userId": "u", "event": "E", "properties": deep}
    error = refused(lambda: client.batch([event]), wire)
    assert [fault["reason"] for fault in error.errors] == ["payload_depth"]
    assert error.errors[0]["pointer"].startswith("/properties/a/")
    assert client.track(user_id="u", event="E", properties=deep).stored == 1


def test_wrong_calls_are_type_errors(client: RetainPixel) -> None:
    """A mistyped argument or something that is no list of events is the caller's mistake, and says so."""
    calls: Any = client
    with pytest.raises(TypeError, match="takes no colour="):
        calls.track(user_id="u", event="E", colour="red")
    with pytest.raises(TypeError):
        calls.track("u", "E")
    with pytest.raises(TypeError, match="list of events, not dict"):
        calls.batch({"type": "track"})
    with pytest.raises(TypeError, match=r"\.prepared"):
        calls.send({"type": "track"})


def test_a_closed_client_says_so(wire: Wire) -> None:
    """Nothing is sent by a closed client, and its error holds the events."""
    client = RetainPixel(api_key=API_KEY, secret=SECRET, base_url=URL, transport=wire.transport)
    client.close()
    client.close()
    with pytest.raises(ClientUnusable, match="closed") as caught:
        client.track(user_id="u", event="E", message_id="m-1")
    assert caught.value.message_ids == ["m-1"]
    with RetainPixel(api_key=API_KEY, secret=SECRET, base_url=URL, transport=Wire().transport) as other:
        assert other.send(caught.value.prepared).message_ids == ["m-1"]


def test_close_leaves_a_client_that_was_handed_in_open(wire: Wire) -> None:
    """Whoever made the HTTP client closes it."""
    with httpx2.Client(transport=wire.transport) as http_client:
        with RetainPixel(api_key=API_KEY, secret=SECRET, base_url=URL, http_client=http_client) as client:
            client.track(user_id="u", event="E")
        assert not http_client.is_closed
    assert len(wire.requests) == 1


def test_reprs_show_ids_alone(client: RetainPixel) -> None:
    """No repr shows an api key, a secret or an event."""
    assert repr(client) == f"<RetainPixel api key {client.api_key_id}, key {client.key_id}>"
    prepared = client._prepare("track", event="hush", user_id="hush")
    outgoing = client._outgoing(prepared, is_closed=False)
    for shown in map(repr, (client, prepared, outgoing, client._credentials, vars(client))):
        assert not any(hidden in shown for hidden in (API_KEY, SECRET, "hush"))
