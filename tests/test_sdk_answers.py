"""What both clients make of every answer, and of none, over real sockets."""

from __future__ import annotations

import gzip
import json
import pickle
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

import pytest
from called import HEAD, caller, refusal
from recorded import VARIABLES
from scripted import API_KEY, SECRET, Arrived, Script, answering, drip, problem, raw, receipt, reply

from rp_signing.keys import Secret
from rp_signing.sdk import (
    AsyncRetainPixel,
    BodyAltered,
    ClockSkew,
    IngestUnavailable,
    NotDelivered,
    PayloadRefused,
    Replayed,
    RequestRefused,
    RetainPixel,
    SignatureRemoved,
    WrongSecret,
)


@pytest.fixture(params=[RetainPixel, AsyncRetainPixel])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Send an event by either client."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return caller(request.param)


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


def test_a_date_to_come_again_is_read_as_seconds(call: Any) -> None:
    """Proxies write Retry-After as a date: it is told in seconds from now, never fewer than none."""
    for offset, least, most in ((90, 80, 91), (-90, 0, 0)):
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=offset), usegmt=True)
        seconds = refusal(call, reply(503, Retry_After=date), IngestUnavailable).retry_after
        assert seconds is not None
        assert least <= seconds <= most


def test_a_wrong_clock_makes_no_long_wait(call: Any) -> None:
    """A date in Retry-After counts from the answer's own Date: a sender whose clock is years behind waits no years."""
    sent = datetime(2036, 1, 1, tzinfo=UTC)
    again, date = (format_datetime(moment, usegmt=True) for moment in (sent + timedelta(seconds=9), sent))
    for told, seconds in (({"Date": date}, 9), ({"Date": "noon"}, None), ({}, None)):
        script = reply(503, Retry_After=again if seconds else "noon", **told)
        assert refusal(call, script, IngestUnavailable, clock=lambda: 1_000_000_000.0).retry_after == seconds


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
    """Garbage, a cut-off, 10 MB, another 2xx, a receipt for other events: nobody can tell whether they are stored."""
    error = refusal(call, script, IngestUnavailable)
    assert "send(error.prepared)" in str(error)


def test_what_a_proxy_does_to_an_answer_is_named(call: Any) -> None:
    """An answer that was compressed unasked, and a proxy's own refusal, are told from an endpoint that is none."""
    squeezed = reply(202, gzip.compress(json.dumps(receipt()).encode()), Content_Encoding="gzip")
    assert "it is compressed" in str(refusal(call, squeezed, IngestUnavailable))
    refused = reply(503, gzip.compress(json.dumps(problem("replay_store_full")).encode()), Content_Encoding="gzip")
    assert "it is compressed" in str(refusal(call, refused, IngestUnavailable))
    assert "user and password" in str(refusal(call, reply(407, b"<html>who are you?</html>"), RequestRefused))


def test_nobody_listening_is_told_with_the_cause(call: Any) -> None:
    """A connection that cannot be made is named by the cause's class and text, chains nothing, and sent nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(IngestUnavailable, match=r"no connection \(ConnectError: .*\); nothing was sent") as caught:
        call(url)
    assert caught.value.status is None
    assert caught.value.retryable
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
