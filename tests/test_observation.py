"""What a door is seen to do from outside: counts by reason and id, and how far the clocks are apart."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ingested import DOCUMENT, JSON, Endpoint, endpoint, signed, track
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from parties import BODY, NOW, STRANGER, UNSIGNED_API_KEY, Clock, refusal, signer, verifier
from served import ask
from spec_page import API_KEY

from rp_signing import Reason, canonicalize
from rp_signing.keyfile import keyring_of
from rp_signing.observation import UNVERIFIED, Observation
from rp_signing.otel import OpenTelemetryObserver

KEYRING = keyring_of(DOCUMENT)
ENTRY = KEYRING.find(API_KEY)
assert ENTRY is not None
API_KEY_ID, KEY_ID = ENTRY.api_key_id, next(iter(ENTRY.secrets))


class Observed(list[Observation]):
    """A hook that keeps what it is told."""

    __call__ = list.append


@pytest.fixture
def seen() -> Observed:
    """What the endpoint has told."""
    return Observed()


@pytest.fixture
def served(tmp_path: Path, seen: Observed) -> Iterator[Endpoint]:
    """An endpoint that is observed."""
    with endpoint(tmp_path, observe=seen) as served:
        yield served


def test_a_taken_request_is_told_with_its_ids_and_the_skew(served: Endpoint, seen: Observed) -> None:
    """A verified request tells the api key id, the key id and by how much the server's clock is ahead."""
    body = canonicalize(signed(track()))
    headers = signer(Clock(NOW - 7)).sign(body) | JSON
    assert ask(f"{served.url}/v1/track", body, headers).status == 202
    assert seen == [Observation(None, API_KEY_ID, KEY_ID, 7)]


def test_a_stranger_chooses_no_label(served: Endpoint, seen: Observed) -> None:
    """A request whose MAC does not hold is counted as unverified, whatever ids it names."""
    body = canonicalize(signed(track()))
    assert ask(f"{served.url}/v1/track", body, signer(Clock(), STRANGER).sign(body) | JSON).status == 401
    assert ask(f"{served.url}/v1/track", body, {"X-RP-Api-Key": "rpx_test_nobody"} | JSON).status == 401
    reasons = [Reason.KEY_ID_UNKNOWN, Reason.API_KEY_UNKNOWN]
    assert seen == [Observation(reason, UNVERIFIED, UNVERIFIED, None) for reason in reasons]


@pytest.mark.parametrize(
    ("body", "skew", "reason"),
    [
        (canonicalize(signed(track())), 301, Reason.TIMESTAMP_EXPIRED),
        (canonicalize(signed(track())), -61, Reason.TIMESTAMP_FUTURE),
        (b'{"a":1,"a":2}', 1, Reason.PAYLOAD_DUPLICATE_KEY),
        (b'{"type":"track"}', 2, Reason.EVENT_INVALID),
    ],
)
def test_what_is_refused_after_the_mac_has_held_has_its_ids(
    served: Endpoint, seen: Observed, body: bytes, skew: int, reason: Reason
) -> None:
    """A signed request that is stale, early or wrong inside is counted under its sender, with the skew."""
    assert ask(f"{served.url}/v1/track", body, signer(Clock(NOW - skew)).sign(body) | JSON).status == reason.status
    assert seen == [Observation(reason, API_KEY_ID, KEY_ID, skew)]


def test_a_replay_is_counted_under_its_sender(served: Endpoint, seen: Observed) -> None:
    """The second copy is told as replayed, with the ids of the one whose request was captured."""
    body = canonicalize(signed(track()))
    headers = signer(Clock()).sign(body) | JSON
    assert [ask(f"{served.url}/v1/track", body, headers).status for _ in range(2)] == [202, 409]
    assert seen[1] == Observation(Reason.REPLAYED, API_KEY_ID, KEY_ID, 0)


def test_an_unsigned_request_is_counted_as_unverified(served: Endpoint, seen: Observed) -> None:
    """An api key alone proves nothing, also where it is enough to be taken."""
    body = canonicalize(track())
    assert ask(f"{served.url}/v1/track", body, {"X-RP-Api-Key": UNSIGNED_API_KEY} | JSON).status == 202
    assert seen == [Observation(None, UNVERIFIED, UNVERIFIED, None)]


def test_a_hook_that_raises_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The request is answered as it would be without the hook, and the log names what was raised."""

    def broken(_: Observation) -> None:
        raise LookupError("sha256=0123")

    with endpoint(tmp_path, observe=broken) as served:
        assert served.send("track", signed(track())).status == 202
        assert ask(f"{served.url}/v1/track", b"{}", JSON).status == 401
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert lines == ["the observe= hook raised LookupError"] * 2


def test_a_refusal_of_the_library_carries_the_claim_once_the_mac_has_held() -> None:
    """`VerificationError.claim` is None until the signature has verified, and the claim from there on."""
    clock = Clock()
    gate = verifier(clock)
    headers = signer(clock).sign(BODY)
    wrong = headers | {"X-RP-Signature": "sha256=" + "0" * 64}
    assert refusal(gate.verify, wrong, BODY).claim is None
    assert refusal(gate.verify, {}, BODY).claim is None
    gate.verify(headers, BODY)
    replayed = refusal(gate.verify, headers, BODY)
    assert replayed.claim.nonce == headers["X-RP-Nonce"]
    assert headers["X-RP-Signature"][7:] not in repr(vars(replayed))
    clock.now += 301
    assert refusal(gate.check, headers, BODY).claim.key_id == KEY_ID


def test_every_way_into_the_gate_leaves_the_claim_on_its_refusal() -> None:
    """A payload that is refused once the MAC has held, and a replay that is awaited, count under their sender."""
    clock, spoiled = Clock(), b'{"a":1,"a":1}'
    gate = verifier(clock)
    assert refusal(gate.verify, signer(clock).sign(spoiled), spoiled).claim.key_id == KEY_ID
    headers = signer(clock).sign(BODY)

    async def twice() -> None:
        for _ in range(2):
            await gate.averify(headers, BODY)

    replayed = refusal(asyncio.run, twice())
    assert (replayed.reason, replayed.claim.key_id) == (Reason.REPLAYED, KEY_ID)


def test_a_store_that_breaks_leaves_the_claim_on_the_refusal() -> None:
    """An outage of the nonce store is counted under the sender whom it hit."""

    class Broken:
        def claim(self, *_: Any) -> Any:
            raise OSError

    error = refusal(verifier(Clock(), Broken()).verify, signer(Clock()).sign(BODY), BODY)
    assert (error.reason, error.claim.key_id) == (Reason.REPLAY_STORE_UNAVAILABLE, KEY_ID)


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """The data points of each instrument, by its name."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_opentelemetry_counts_requests_and_skew() -> None:
    """The counter has outcome, reason and ids; the histogram the seconds and which clock is ahead."""
    reader = InMemoryMetricReader()
    observer = OpenTelemetryObserver(MeterProvider([reader]).get_meter("test"))
    observer(Observation(None, API_KEY_ID, KEY_ID, 0.5))
    observer(Observation(None, API_KEY_ID, KEY_ID, -2))
    observer(Observation(Reason.KEY_ID_UNKNOWN, UNVERIFIED, UNVERIFIED, None))
    measured = points(reader)
    counts = {frozenset(point.attributes.items()): point.value for point in measured["rp_signing.requests"]}
    taken = {
        "rp_signing.outcome": "taken",
        "rp_signing.api_key_id": API_KEY_ID,
        "rp_signing.key_id": KEY_ID,
    }
    unverified = {
        "rp_signing.outcome": "refused",
        "rp_signing.reason": "key_id_unknown",
        "rp_signing.api_key_id": "unverified",
        "rp_signing.key_id": "unverified",
    }
    assert counts == {frozenset(taken.items()): 2, frozenset(unverified.items()): 1}
    skews = {point.attributes["rp_signing.sender_clock"]: point for point in measured["rp_signing.clock_skew"]}
    assert {direction: (point.count, point.sum) for direction, point in skews.items()} == {
        "behind": (1, 0.5),
        "ahead": (1, 2),
    }
    assert {point.attributes["rp_signing.api_key_id"] for point in skews.values()} == {API_KEY_ID}
    assert {60.0, 300.0} < set(skews["ahead"].explicit_bounds)


def test_without_the_extra_the_adapter_says_what_to_type() -> None:
    """Where OpenTelemetry is not installed, importing the adapter names the line that brings it."""
    code = "import sys; sys.modules['opentelemetry'] = None; import rp_signing.otel"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "pip install 'rp-signing[otel]'" in run.stderr
