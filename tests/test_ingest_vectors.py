"""The vectors of event rules (SPEC §9, EVT-1 to EVT-6), sent to the endpoint over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ingested import JSON
from parties import UNSIGNED_API_KEY
from served import ask, serving

from rp_signing import Keyring, Reason, Signer
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.store import ReceivedEvent, ReceivedRequest, Stored
from rp_signing.keyfile import keyring_of

FILE = Path(__file__).resolve().parent.parent / "rp_signing" / "conformance" / "vectors" / "events.json"
VECTORS = [vector for vector in json.loads(FILE.read_text("ascii"))["vectors"] if vector["do"] == "ingest"]
UNSIGNED = Keyring.of({UNSIGNED_API_KEY: []})


class Counting:
    """An event store that counts; whether a messageId stands there already is no part of these vectors."""

    def store(self, request: ReceivedRequest, events: Sequence[ReceivedEvent]) -> Stored:
        """Take all of them."""
        assert request.trust == ("high" if request.claim else "standard")
        return Stored(len(events), 0)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Ingest, str]]:
    """An endpoint that stores nothing, and its URL."""
    app = Ingest(UNSIGNED, Counting())  # type: ignore[arg-type]  # nobody reads it
    with serving(app) as url:
        yield app, url


def octets(payload: Any) -> bytes:
    """Bytes written as hex, or as pieces that are repeated."""
    if isinstance(payload, str):
        return bytes.fromhex(payload)
    return b"".join(bytes.fromhex(piece) * times for piece, times in payload["repeat"])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vector(served: tuple[Ingest, str], vector: dict[str, Any]) -> None:
    """The endpoint takes what the vector says is right, and names every fault of what is wrong."""
    app, url = served
    body = octets(vector["payload"])
    headers = {"X-RP-Api-Key": UNSIGNED_API_KEY}
    app.use(UNSIGNED)
    if vector["signed"]:
        app.use(keyring_of(vector["keys"]))
        (entry,) = [item for item in vector["keys"]["api_keys"] if item["api_key"] == vector["api_key"]]
        headers = Signer(api_key=vector["api_key"], secret=entry["secrets"][0]).sign(body)
    answer = ask(f"{url}/v1/{vector['route']}", body, headers | JSON)
    expected = vector["expect"]
    if "ok" in expected:
        assert (answer.status, answer.document.get("stored")) == (202, expected["ok"]["events"]), answer.document
        return
    assert (answer.status, answer.document["code"]) == (
        Reason[expected["refused"].upper()].status,
        expected["public_code"],
    )
    if "errors" in expected:
        told = [{name: error[name] for name in ("index", "reason", "pointer")} for error in answer.document["errors"]]
        assert told == expected["errors"]
