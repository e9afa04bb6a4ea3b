"""The gate and the signer: `check`, `verify`, `sign`, and a batch as the endpoint takes it."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
import rfc8785
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from rp_signing import MemoryNonceStore, Verifier, canonicalize, parse
from rp_signing.ingest.judge import judge
from rp_signing.wire import SIGNATURE_MEMBER

from . import sender
from .measure import Call, Goal, Row, Work, in_turn, row_of
from .peers import signers, verifiers

_INPUT = 213
"""Bytes of a request's signing input."""

_FRESH = 400
"""Requests that are signed ahead for one sample: each nonce can be taken once."""


def floor_of(body: bytes) -> Call:
    """Give SHA-256 of a body and HMAC under a prepared key: below that, nothing can be signed."""
    prepared = HMAC(sender.SECRET_TEXT.encode(), SHA256())
    message = bytes(_INPUT)

    def mac() -> bytes:
        sha256(body).hexdigest()
        context = prepared.copy()
        context.update(message)
        return context.finalize()

    return mac


def _check() -> Iterator[Row]:
    body = sender.body_of(800)
    five = sender.signed(body)
    verifier = Verifier(sender.KEYRING, nonces=None)
    floor = "SHA-256 + HMAC, prepared key"
    peers = verifiers(body)
    samples = in_turn({"ours": partial(verifier.check, five, body), "floor": floor_of(body), **peers}, 6.0)
    goals = [
        Goal("≤ 2.6 × floor", samples.ratio("ours", "floor"), 2.6),
        Goal("ahead of stripe", samples.ratio("ours", "stripe"), 1.0),
    ]
    note = "800 bytes; slack_sdk compares the MAC alone; svix, standardwebhooks and PyJWT parse too"
    yield row_of("check, our 5 headers", samples, floor, goals, note)
    twelve = sender.among_twelve(five)
    samples = in_turn({"ours": partial(verifier.check, twelve, body), "floor": floor_of(body)})
    yield row_of("check, among 12 headers", samples, floor, [Goal("≤ 3 × floor", samples.ratio("ours", "floor"), 3.0)])


class _Requests:
    """Requests that are verified once a sample, each sample with an empty store."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.signed = [sender.signed(body) for _ in range(_FRESH)]
        self.rewind()

    def rewind(self) -> None:
        """Begin anew, with nothing claimed."""
        # Copied, so that no nonce comes with its hash computed.
        self._next = iter([[(name, bytes(bytearray(value))) for name, value in pairs] for pairs in self.signed])
        self.verifier = Verifier(sender.KEYRING, nonces=MemoryNonceStore(born=0))

    def verify(self) -> None:
        """Verify the next one."""
        self.verifier.verify(next(self._next), self.body)

    def parts(self) -> None:
        """Do what `verify` is made of, without the strictness and the claim."""
        self.verifier.check(next(self._next), self.body)
        canonicalize(orjson.loads(self.body))


def _verify() -> Iterator[Row]:
    requests = _Requests(sender.body_of(800))
    samples = in_turn(
        {
            "ours": Work(requests.verify, requests.rewind, _FRESH),
            "floor": Work(requests.parts, requests.rewind, _FRESH),
        },
        3.0,
    )
    goals = [Goal("≤ 1.5 × (check + loads + canonicalize)", samples.ratio("ours", "floor"), 1.5)]
    yield row_of("verify, memory store", samples, "check + orjson.loads + canonicalize", goals)


def _sign() -> Iterator[Row]:
    body = sender.body_of(800)
    samples = in_turn({"ours": partial(sender.SIGNER.sign, body), "floor": floor_of(body), **signers(body)}, 3.0)
    goals = [Goal("≤ 2.5 × floor", samples.ratio("ours", "floor"), 2.5)]
    yield row_of("Signer.sign", samples, "SHA-256 + HMAC, prepared key", goals, "800 bytes; fresh nonce and time")


def _batch() -> Iterator[Row]:
    body = sender.new_batch()
    headers = sender.signed(body)
    verifier = Verifier(sender.KEYRING, nonces=None)
    entry = sender.KEYRING.find(sender.API_KEY)
    assert entry is not None

    def take() -> list[Any]:
        claim = verifier.check(headers, body)
        return judge("batch", parse(body), claim, entry)

    def take_elsewhere() -> None:
        key = sender.SECRET_TEXT.encode()
        hmac.digest(key, body, "sha256")
        for event in orjson.loads(body)["batch"]:
            event.pop(SIGNATURE_MEMBER)
            hmac.digest(key, rfc8785.dumps(event), "sha256")

    assert len(take()) == 100
    works = {"ours": take, "floor": partial(orjson.loads, body), "rfc8785 + hmac": take_elsewhere}
    samples = in_turn(works, 5.0)
    goals = [Goal("≤ 2.5 × orjson.loads", samples.ratio("ours", "floor"), 2.5)]
    mac = floor_of(bytes(len(body) // 100))
    alone = in_turn({"macs": lambda: [mac() for _ in range(100)], "loads": partial(orjson.loads, body)}, 1.0)
    macs = alone.ratio("macs", "loads")
    note = f"{len(body):,} bytes; the 100 SHA-256 and MACs alone are {macs:.1f} × orjson.loads"
    yield row_of("batch of 100 events, judged", samples, "orjson.loads", goals, note)


def rows() -> Iterator[Row]:
    """Measure the rows of this file."""
    yield from _check()
    yield from _verify()
    yield from _batch()
    yield from _sign()
