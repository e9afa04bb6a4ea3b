"""Sending again, clocks, event loops, cancelling, and clients that were handed in, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from called import EVENT, HEAD, caller, refusal
from recorded import NOW, URL, VARIABLES, Wire
from scripted import API_KEY, PATIENCE, SECRET, answering, drip, problem, receipt, reply

from rp_signing.sdk import (
    AsyncRetainPixel,
    ClientUnusable,
    IngestUnavailable,
    Receipt,
    RequestRefused,
    RetainPixel,
)


@pytest.fixture(params=[RetainPixel, AsyncRetainPixel])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Send an event by either client."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return caller(request.param)


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


@pytest.mark.parametrize(("seconds", "warnings"), [(30, 0), (31, 1), (-30, 0), (-31, 1)])
def test_more_than_thirty_seconds_are_much(seconds: int, warnings: int, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond 30 s either way the log says so, once for fifty threads that see it at the same time."""
    wire = Wire()  # its clock is two seconds before the one of events
    clock = int(NOW) + 2 - seconds
    settings: Any = {"api_key": API_KEY, "secret": SECRET, "base_url": URL, "clock": lambda: clock}
    start = threading.Barrier(50)

    def send(_: int) -> int:
        start.wait(PATIENCE)
        return client.track(**{**EVENT, "message_id": None}).skew

    with (
        caplog.at_level(logging.WARNING, "rp_signing.sdk"),
        RetainPixel(**settings, transport=wire.transport) as client,
        ThreadPoolExecutor(50) as threads,
    ):
        assert set(threads.map(send, range(50))) == {seconds}
    assert len([r for r in caplog.records if f"is {seconds:+d} s" in r.getMessage()]) == warnings


def test_without_an_event_loop_nothing_is_sent() -> None:
    """Awaited by something other than asyncio, a call raises an error of ours, with the events."""
    client = AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=URL)
    with pytest.raises(ClientUnusable, match="event loop of asyncio") as caught:
        client.track(**EVENT).send(None)
    assert caught.value.message_ids == ["m-1"]


def test_a_client_of_another_event_loop_is_refused() -> None:
    """Connections belong to the loop that made them; the error says so and holds the events."""
    with answering(reply(202, receipt())) as server:
        client = AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=server.url)
        asyncio.run(_one(client))
        with pytest.raises(ClientUnusable, match="another event loop") as caught:
            asyncio.run(_one(client))
        assert caught.value.message_ids == ["m-1"]


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
