"""What both clients make of every answer, and of none, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
import time
import traceback
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx2
import pytest
from scripted import API_KEY, SECRET, Arrived, Script, answering, drip, problem, raw, receipt, reply

from rp_signing.keys import Secret
from rp_signing.sdk import (
    AsyncRetainPixel,
    BodyAltered,
    ClientUnusable,
    ClockSkew,
    IngestUnavailable,
    NotDelivered,
    PayloadRefused,
    Prepared,
    Receipt,
    Replayed,
    RequestRefused,
    RetainPixel,
    SignatureRemoved,
    WrongSecret,
)

EVENT: dict[str, Any] = {"user_id": "u", "event": "Opened", "message_id": "m-1"}
HEAD = b"HTTP/1.1 202 OK\r\nContent-Length: 100\r\n"


@pytest.fixture(params=[RetainPixel, AsyncRetainPixel])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Send an event by either client: (url, prepared or None, arguments) → receipt."""
    for name in ("RETAINPIXEL_API_KEY", "RETAINPIXEL_HMAC_SECRET", "RETAINPIXEL_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def send(url: str, prepared: Prepared | None = None, **arguments: Any) -> Receipt:
        given: dict[str, Any] = {"api_key": API_KEY, "secret": SECRET, "base_url": url, **arguments}
        if given["secret"] is None:
            del given["secret"]
        if request.param is RetainPixel:
            with RetainPixel(**given) as client:
                return client.send(prepared) if prepared else client.track(**EVENT)

        async def within() -> Receipt:
            async with AsyncRetainPixel(**given) as client:
                return await (client.send(prepared) if prepared else client.track(**EVENT))

        return asyncio.run(within())

    return send


def refusal(call: Any, script: Script, kind: type[NotDelivered], **arguments: Any) -> Any:
    """Give the error of one call, of exactly this kind, with what every error has."""
    with answering(script) as server, pytest.raises(NotDelivered) as caught:
        call(server.url, **arguments)
    error = caught.value
    assert type(error) is kind
    assert error.retryable is (kind is IngestUnavailable)
    assert error.message_ids == ["m-1"]
    assert error.prepared is not None
    # Nothing of the HTTP client, nothing secret: in no text, no attribute and no chained exception.
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    for text in (str(error), repr(error), repr(vars(error)), shown):
        assert API_KEY not in text
        assert SECRET not in text
    assert len(server.arrived) <= 1
    return error


def test_a_receipt_says_what_became_of_the_events(call: Any) -> None:
    """What the answer says is in the receipt; members that are not known are passed over."""
    with answering(reply(202, receipt(0, duplicates=1, unknown=[1]))) as server:
        said = call(server.url)
    assert (said.message_ids, said.stored, said.duplicates, said.trust, said.request_id) == (
        ["m-1"],
        0,
        1,
        "high",
        "5ad0",
    )
    assert abs(said.received_at - time.time()) < 60
    assert abs(said.skew) <= 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_a_server_in_trouble_can_be_asked_again(call: Any, status: int) -> None:
    """5xx, 429 and 408 are retryable, with the seconds that the server asked for, document or not."""
    error = refusal(call, reply(status, problem("event_store_unavailable"), Retry_After="7"), IngestUnavailable)
    assert (error.status, error.retry_after, error.code, error.request_id) == (
        status,
        7,
        "event_store_unavailable",
        "5ad1",
    )
    bare = refusal(call, reply(status, b"<html>sorry</html>", Retry_After="soon"), IngestUnavailable)
    assert (bare.status, bare.retry_after, bare.code, bare.request_id) == (status, None, None, None)
    assert "problem document" in str(bare)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_that_names_it(call: Any, status: int) -> None:
    """No redirect is followed: its target is named, and the events go nowhere else."""
    error = refusal(call, reply(status, Location="https://elsewhere.example/v1/track"), RequestRefused)
    assert str(status) in str(error)
    assert "https://elsewhere.example/v1/track" in str(error)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "timestamp_expired", ClockSkew),
        (401, "timestamp_future", ClockSkew),
        (401, "signature_invalid", WrongSecret),
        (409, "replayed", Replayed),
        (409, "message_id_conflict", PayloadRefused),
        (413, "payload_too_large", PayloadRefused),
        (413, "batch_too_long", PayloadRefused),
        (422, "event_invalid", PayloadRefused),
        (422, "event_signature_mismatch", PayloadRefused),
        (401, "api_key_unknown", RequestRefused),
        (401, "signature_missing", RequestRefused),
        (400, "header_malformed", RequestRefused),
        (404, "route_unknown", RequestRefused),
        (415, "media_type_unsupported", RequestRefused),
        (418, "a_code_of_the_future", RequestRefused),
    ],
)
def test_each_refusal_names_its_cause(call: Any, status: int, code: str, kind: type[NotDelivered]) -> None:
    """Each public code has its error; none of them is worth a retry."""
    error = refusal(call, reply(status, problem(code)), kind)
    assert (error.status, error.code, error.request_id) == (status, code, "5ad1")
    assert code in str(error)
    assert "a detail" in str(error)


def test_an_altered_body_is_told_with_both_lengths(call: Any) -> None:
    """When the server received other bytes, that is the cause, whatever the code says."""
    received = {"sha256": sha256(b"other").hexdigest(), "length": 5}
    error = refusal(call, reply(401, problem("signature_invalid", received=received)), BodyAltered)
    assert error.received_length == 5
    assert f"sent {error.sent_length:,} bytes, received 5" in str(error)
    assert pickle.loads(pickle.dumps(error)).sent_length == error.sent_length  # noqa: S301 - our own bytes


def test_a_wrong_secret_is_told_by_its_key_id(call: Any) -> None:
    """The body arrived as it was sent and the signature did not verify: the secrets differ."""

    def script(request: Arrived, connection: socket.socket, over: Any) -> None:
        received = {"sha256": sha256(request.body).hexdigest(), "length": len(request.body)}
        reply(401, problem("signature_invalid", received=received))(request, connection, over)

    error = refusal(call, script, WrongSecret)
    assert error.key_id == Secret(SECRET).key_id
    assert error.key_id in str(error)


def test_a_clock_that_is_wrong_is_told_by_how_much(call: Any) -> None:
    """The server's time against the own one is the cause, in seconds, with its sign."""
    error = refusal(
        call,
        reply(401, problem("timestamp_expired", server_time=1795424417)),
        ClockSkew,
        clock=lambda: 1795424000.9,
    )
    assert error.skew == 417
    assert "+417 s" in str(error)


def test_a_refusal_of_events_names_each(call: Any) -> None:
    """The server's list of bad events is handed on; what is malformed in it is left out."""
    errors = [
        {"index": 0, "reason": "event_invalid", "pointer": "/userId", "detail": "must be"},
        {"index": True, "reason": "x"},
        "garbage",
    ]
    error = refusal(call, reply(422, problem("event_invalid", errors=errors)), PayloadRefused)
    assert error.errors == errors[:1]
    assert "event 0: event_invalid at /userId: must be" in str(error)


def test_a_signature_that_was_taken_off_is_an_error(call: Any) -> None:
    """A client that signs does not take trust standard for an answer; one that does not sign does."""
    error = refusal(call, reply(202, receipt(trust="standard")), SignatureRemoved)
    assert (error.status, error.request_id) == (202, "5ad0")
    with answering(reply(202, receipt(trust="standard"))) as server:
        assert call(server.url, secret=None).trust == "standard"


@pytest.mark.parametrize(
    "script",
    [
        reply(202, b"garbage"),
        reply(202),
        reply(202, b'{"stored":1,"stored":1}'),
        reply(202, b"[]"),
        reply(202, b"\xff" * 100),
        reply(202, b"[" * 100_000),
        reply(202, receipt(2)),
        reply(202, receipt(0)),
        reply(202, receipt(True)),
        reply(202, receipt(stored=2, duplicates=-1)),
        reply(202, receipt(trust="medium")),
        reply(202, receipt(request_id=None)),
        reply(202, receipt(server_time="now")),
        reply(200, receipt()),
        reply(204),
        reply(202, b"x" * 10_000_000),
        raw(b"garbage\r\n\r\n"),
        raw(b""),
        raw(b"HTTP/1.1 202 OK\r\n"),
        raw(HEAD + b"\r\n{"),
        raw(b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz"),
    ],
)
def test_an_answer_that_is_no_receipt_is_no_success(call: Any, script: Script) -> None:
    """Garbage, a cut-off, 10 MB, a 200 of something else, a receipt for other events: the events may be stored or not."""
    error = refusal(call, script, IngestUnavailable)
    assert "send(error.prepared)" in str(error)


def test_nobody_listening_is_told_with_the_cause(call: Any) -> None:
    """A connection that cannot be made is named by the cause's class and text, and chains nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(IngestUnavailable, match="ConnectError") as caught:
        call(url)
    assert caught.value.status is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "script",
    [
        drip(b"", b""),
        drip(b"HTTP/1.1 20", b"2"),
        drip(b"HTTP/1.1 202 OK\r\n", b"x"),
        drip(b"HTTP/1.1 202 OK\r\n", b"X-A: b\r\n"),
        drip(HEAD + b"\r\n", b"{"),
        drip(b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
)
def test_the_time_in_all_holds_against_a_drip(call: Any, script: Script) -> None:
    """A server that sends a byte now and then, in the headers or in the body, keeps nobody beyond the time in all."""
    begun = time.monotonic()
    refusal(call, script, IngestUnavailable, timeout=0.4)
    assert 0.35 < time.monotonic() - begun < 3


def test_what_an_echo_sends_back_is_scrubbed(call: Any) -> None:
    """An answer that holds our own api key, as echo servers and firewalls give, does not carry it into the error."""

    def script(request: Arrived, connection: socket.socket, over: Any) -> None:
        key = request.headers["x-rp-api-key"]
        error = {"index": 0, "reason": key, "pointer": key, "detail": key}
        document = problem(key, detail=f"your key {key}", request_id=key, pointer=key, errors=[error])
        reply(403, document, Location=key)(request, connection, over)

    refusal(call, script, RequestRefused)
    refusal(call, raw(f"HTTP/1.1 200 OK\r\n{API_KEY}\r\n\r\n".encode()), IngestUnavailable)
    refusal(call, reply(302, Location=f"https://x/{API_KEY}"), RequestRefused)


def test_sending_again_keeps_the_events_and_signs_anew(call: Any) -> None:
    """send(error.prepared) sends the same messageId and timestamp, under a fresh nonce, also from another process."""
    with answering(reply(503)) as server:
        with pytest.raises(IngestUnavailable) as caught:
            call(server.url)
        revived = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
        assert (revived.status, str(revived), revived.retryable) == (503, str(caught.value), True)
        for _ in range(2):
            with pytest.raises(IngestUnavailable):
                call(server.url, revived.prepared)
    bodies = {request.body for request in server.arrived}
    nonces = {request.headers["x-rp-nonce"] for request in server.arrived}
    assert len(bodies) == 1
    assert len(nonces) == len(server.arrived) == 3


def test_events_changed_after_the_call_are_sent_as_they_were(call: Any) -> None:
    """What is prepared is a copy: changing a dict later changes no event under the same messageId."""
    properties = {"total": 1}
    EVENT["properties"] = properties
    try:
        error = refusal(call, reply(503), IngestUnavailable)
    finally:
        del EVENT["properties"]
    properties["total"] = 2
    assert error.prepared.events[0]["properties"] == {"total": 1}


@pytest.fixture
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    text = caplog.text
    assert API_KEY not in text
    assert SECRET not in text


@pytest.mark.usefixtures("_quiet")
def test_a_skew_is_kept_and_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Every answer that tells the time sets `skew`; beyond 30 s the log says so, once; no log holds a secret."""
    with answering(reply(202, receipt(server_time=1795424100))) as server:
        client = RetainPixel(api_key=API_KEY, secret=SECRET, base_url=server.url, clock=lambda: 1795424000)
        with client:
            assert client.skew is None
            assert client.track(**EVENT).skew == client.skew == 100
            client.track(**EVENT)
    assert [r.getMessage() for r in caplog.records if "+100 s" in r.getMessage()] == [
        "the server's clock less the own one is +100 s; requests out of its window are refused"
    ]
    with answering(reply(401, problem("api_key_unknown", server_time=1795423999))) as server:
        client = RetainPixel(api_key=API_KEY, secret=SECRET, base_url=server.url, clock=lambda: 1795424000)
        with client, pytest.raises(RequestRefused):
            client.track(**EVENT)
        assert client.skew == -1


def test_a_client_of_another_event_loop_is_refused() -> None:
    """Connections belong to the loop that made them; the error says so and holds the events."""
    with answering(reply(202, receipt())) as server:
        client = AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=server.url)
        asyncio.run(_one(client))
        with pytest.raises(ClientUnusable, match="another event loop") as caught:
            asyncio.run(_one(client))
        assert caught.value.message_ids == ["m-1"]
        asyncio.run(client.aclose())


def test_cancelling_a_call_cancels_it() -> None:
    """A cancelled task is cancelled, and no error of ours is made of it; the client goes on working."""

    async def cancel() -> None:
        async with AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=server.url) as client:
            task = asyncio.create_task(_one(client))
            while not server.arrived:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with answering(drip(b"", b"")) as server:
        asyncio.run(cancel())


def test_a_client_that_was_handed_in_keeps_the_time_between_pieces() -> None:
    """With a user's own HTTP client, redirects are off and the body has its deadline all the same."""
    with httpx2.Client(follow_redirects=True, timeout=None) as http_client:
        arguments: dict[str, Any] = {"api_key": API_KEY, "secret": SECRET, "http_client": http_client}
        with answering(reply(307, Location="/v1/track")) as server, pytest.raises(RequestRefused, match="not followed"):
            RetainPixel(base_url=server.url, **arguments).track(**EVENT)
        with answering(drip(HEAD + b"\r\n", b"{")) as server, pytest.raises(IngestUnavailable, match="cut off"):
            RetainPixel(base_url=server.url, timeout=0.3, **arguments).track(**EVENT)


async def _one(client: AsyncRetainPixel) -> Receipt:
    return await client.track(**EVENT)
