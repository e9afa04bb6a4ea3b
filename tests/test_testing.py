"""What users test with: every spoiling gives its reason at each door, and the clients record what they would send."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from parties import OTHER_API_KEY

from rp_signing import MemoryNonceStore, Reason, VerificationError, Verifier, sign_event, verify_event
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.middleware.asgi import VerifyRequests
from rp_signing.sdk import IngestUnavailable, PayloadRefused, RetainPixel
from rp_signing.sdk.credentials import ALLOW_LIVE
from rp_signing.testing import (
    API_KEY,
    SECRET,
    AsyncRecordingClient,
    Clock,
    Recording,
    RecordingClient,
    SignedRequest,
    keyring,
    nonces,
    signed_request,
    spoilings,
)

LIVE = {
    "api_key": "rpx_live_demo",
    "secret": "a-secret-of-a-live-api-key-0123456789-abc",
    "base_url": "http://a.example",
}
EVENT = {"type": "track", "messageId": "m-1", "userId": "user-123", "event": "Order Completed"}
Answered = Callable[[SignedRequest | Any], tuple[int, str]]


def ask(app: Any) -> Answered:
    """Give what answers a request through an ASGI application: the status and the code."""

    def answer(request: Any) -> tuple[int, str]:
        async def once() -> tuple[int, str]:
            async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as client:
                got = await client.post("/v1/track", content=request.body, headers=request.headers)
                return got.status_code, got.json().get("code", "")

        return asyncio.run(once())

    return answer


def middleware(_: Path) -> Any:
    """An application behind the middleware."""

    async def taken(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    return VerifyRequests(taken, keyring(), nonces=MemoryNonceStore(born=0))


def endpoint(folder: Path) -> Any:
    """The ingest endpoint."""
    return Ingest(keyring(), SQLiteEventStore(folder / "events.db"))


@pytest.mark.parametrize("door", [middleware, endpoint])
def test_every_spoiling_is_refused_for_its_reason_at_every_door(door: Callable[[Path], Any], tmp_path: Path) -> None:
    """The request is taken, and after it nothing that was spoiled in one place, the same request again included."""
    answer = ask(door(tmp_path))
    sent = signed_request(sign_event(EVENT, api_key=API_KEY, secret=SECRET))
    assert answer(sent) == (202, "")
    spoiled = list(spoilings(sent))
    assert len(spoiled) >= 60
    assert len({each.name for each in spoiled}) == len(spoiled)
    for each in spoiled:
        assert answer(each) == (each.status, each.reason.public_code), each.name
        assert each.reason.public_code in each.codes


def test_every_spoiling_is_refused_for_its_reason_by_a_verifier() -> None:
    """The exact reason, with a window and a limit of one's own."""
    clock = Clock()
    verifier = Verifier(keyring(), nonces=MemoryNonceStore(born=0), past=10, future=5, max_body=5000, clock=clock)
    sent = signed_request(EVENT, clock=clock, nonce=nonces())
    verifier.verify(sent.headers, sent.body)
    reasons = set()
    for each in spoilings(sent, past=10, future=5, max_body=5000, door=False):
        with pytest.raises(VerificationError) as caught:
            verifier.verify(each.headers, each.body)
        assert caught.value.reason is each.reason, each.name
        reasons.add(each.reason)
    # All that a gate can say of a request, but for what is a store's to say.
    assert reasons == {reason for reason in Reason if reason.status in (400, 401, 413, 415) or "payload_" in reason} - {
        Reason.BATCH_TOO_LONG
    } | {Reason.REPLAYED}


def test_a_valid_request_is_one_line_and_stays_the_same() -> None:
    """With a clock and seeded nonces, a request is the same bytes in each run."""
    clock = Clock(1_795_424_400)
    first, second = (signed_request(EVENT, clock=clock, nonce=nonces(7)) for _ in range(2))
    assert (first.headers, first.body) == (second.headers, second.body)
    assert signed_request(EVENT, clock=clock, nonce=nonces(8)).headers != first.headers
    assert signed_request(b'{ "a": 1 }').body == b'{ "a": 1 }'
    assert SECRET not in repr(first)


def test_the_clock_stands_until_it_is_moved() -> None:
    """What was signed now expires when the clock goes on, and is taken again when it goes back."""
    clock = Clock()
    verifier = Verifier(keyring(), nonces=MemoryNonceStore(born=0), clock=clock)
    sent = signed_request(EVENT, clock=clock)
    clock.advance(301)
    with pytest.raises(VerificationError, match="timestamp_expired"):
        verifier.verify(sent.headers, sent.body)
    clock.advance(-1)
    assert verifier.verify(sent.headers, sent.body).timestamp == clock.now - 300


def test_a_recording_client_sends_nothing_and_signs_for_real() -> None:
    """The events are there as they went out; they verify, and so does their request."""
    with RecordingClient() as client:
        receipt = client.track(user_id="user-123", event="Order Completed", properties={"total": 49.9})
        assert (receipt.trust, receipt.stored) == ("high", 1)
        client.batch([{"type": "identify", "user_id": "u"}, {"type": "group", "user_id": "u", "group_id": "g"}])
        assert [event["type"] for event in client.sent] == ["track", "identify", "group"]
        assert client.sent[0]["properties"] == {"total": 49.9}
        verify_event(client.sent[0], keyring=keyring(), api_key=API_KEY)
        headers, body = client.sent.requests[0]
        assert Verifier(keyring(), nonces=MemoryNonceStore(born=0)).verify(headers, body).payload == client.sent[0]


def test_a_recording_client_refuses_as_an_endpoint_does() -> None:
    """An outage can be played: the client raises as ever, and sending again records what was not recorded."""
    client = RecordingClient()
    client.sent.refuse_next(Reason.EVENT_STORE_UNAVAILABLE)
    with pytest.raises(IngestUnavailable) as caught:
        client.track(user_id="user-123", event="Order Completed")
    assert (client.sent, caught.value.retryable) == ([], True)
    client.send(caught.value.prepared)
    assert [event["messageId"] for event in client.sent] == caught.value.message_ids


def test_models_judge_before_anything_is_recorded() -> None:
    """What an endpoint would not take is refused by a recording client, too."""
    client = RecordingClient()
    with pytest.raises(PayloadRefused, match="/userId"):
        client.track(event="Order Completed")
    assert client.sent == []


def test_the_async_client_records_too() -> None:
    """Awaited, the same."""

    async def send() -> Recording:
        async with AsyncRecordingClient(api_key=OTHER_API_KEY, secret=SECRET) as client:
            await client.track(user_id="user-123", event="Order Completed")
            return client.sent

    [event] = asyncio.run(send())
    assert event["event"] == "Order Completed"


def test_the_fixture_takes_what_any_client_sends(sent_events: Recording) -> None:
    """A client made anywhere in the test sends into the fixture, a live one with a proxy too, from asyncio too."""
    from rp_signing.sdk import AsyncRetainPixel

    with RetainPixel(**LIVE, proxy="http://127.0.0.1:9") as client:
        client.track(user_id="user-123", event="One")

    async def send() -> None:
        async with AsyncRetainPixel(**LIVE, proxy="http://127.0.0.1:9") as client:
            await client.track(user_id="user-123", event="Two")

    asyncio.run(send())
    assert [event["event"] for event in sent_events] == ["One", "Two"]


def test_a_live_key_is_refused_inside_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the fixture, a live api key raises, naming what allows it, and never shows itself."""
    monkeypatch.delenv(ALLOW_LIVE, raising=False)
    with pytest.raises(ValueError, match=ALLOW_LIVE) as caught:
        RetainPixel(**LIVE)
    assert "rpx_live_demo" not in str(caught.value)
    monkeypatch.setenv(ALLOW_LIVE, "0")
    with pytest.raises(ValueError, match="sent_events"):
        RetainPixel(**LIVE)
    monkeypatch.setenv(ALLOW_LIVE, "1")
    RetainPixel(**LIVE).close()
    monkeypatch.delenv(ALLOW_LIVE)
    for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION"):
        with pytest.raises(ValueError, match="sent_events"):
            RetainPixel(**LIVE)
        monkeypatch.delenv(name)
    RetainPixel(**LIVE).close()


def test_a_live_key_is_refused_while_tests_are_collected(tmp_path: Path) -> None:
    """A client that a module makes when it is imported is inside the run, too, before any test begins."""
    (tmp_path / "test_theirs.py").write_text(
        f"from rp_signing import RetainPixel\nclient = RetainPixel(**{LIVE!r})\ndef test_theirs(): pass\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            name: value for name, value in os.environ.items() if name not in ("PYTEST_VERSION", "PYTEST_CURRENT_TEST")
        },
    )
    assert "api_key= is a live api key, inside a run of pytest" in run.stdout
    assert "1 error" in run.stdout


def test_pytest_finds_the_fixtures_by_itself(tmp_path: Path, signing_clock: Clock) -> None:
    """In a project of somebody else, the fixtures are there without an import, and its ten lines pass."""
    (tmp_path / "test_theirs.py").write_text(
        "from rp_signing import MemoryNonceStore, VerificationError, Verifier\n"
        "from rp_signing.testing import keyring, signed_request, spoilings\n"
        "import pytest\n\n"
        "def test_theirs(signing_clock, sent_events):\n"
        "    verifier = Verifier(keyring(), nonces=MemoryNonceStore(born=0), clock=signing_clock)\n"
        "    sent = signed_request({'event': 'Order Completed'}, clock=signing_clock)\n"
        "    verifier.verify(sent.headers, sent.body)\n"
        "    for spoiled in spoilings(sent, door=False):\n"
        "        with pytest.raises(VerificationError, match=spoiled.reason):\n"
        "            verifier.verify(spoiled.headers, spoiled.body)\n"
        "    assert sent_events == []\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr
