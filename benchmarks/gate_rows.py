"""The gate and the signer: `check`, `verify`, `sign`, and a batch as the endpoint takes it."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from functools import partial
from hashlib import sha256

import orjson
import rfc8785
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from rp_signing import MemoryNonceStore, Verifier, canonicalize, parse
from rp_signing.ingest.judge import judge, verified
from rp_signing.signing import usable_secrets
from rp_signing.wire import SIGNATURE_MEMBER

from . import sender
from .measure import Call, Comparison, Goal, Row, Samples, Work, at_most
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


def _check() -> Iterator[Comparison]:
    body = sender.body_of(800)
    five = sender.signed(body)
    verifier = Verifier(sender.KEYRING, nonces=None)
    floor = "SHA-256 + HMAC, prepared key"
    works = {"ours": partial(verifier.check, five, body), "floor": floor_of(body), **verifiers(body)}
    note = "800 bytes; slack_sdk compares the MAC alone; svix, standardwebhooks and PyJWT parse too"
    yield Comparison("check, our 5 headers", works, floor, _check_goals, note, 6.0)
    twelve = sender.among_twelve(five)
    works = {"ours": partial(verifier.check, twelve, body), "floor": floor_of(body)}
    yield Comparison("check, among 12 headers", works, floor, at_most(3, "floor"), seconds=2.0)


def _check_goals(samples: Samples) -> list[Goal]:
    return [
        *at_most(2.6, "floor")(samples),
        Goal("ahead of stripe", samples.ratio("ours", "stripe"), 1.0),
    ]


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


def _verify() -> Comparison:
    requests = _Requests(sender.body_of(800))
    works = {
        "ours": Work(requests.verify, requests.rewind, _FRESH),
        "floor": Work(requests.parts, requests.rewind, _FRESH),
    }
    floor = "check + orjson.loads + canonicalize"
    return Comparison("verify, memory store", works, floor, at_most(1.5, "(check + loads + canonicalize)"))


def _sign() -> Comparison:
    body = sender.body_of(800)
    works = {"ours": partial(sender.SIGNER.sign, body), "floor": floor_of(body), **signers(body)}
    note = "800 bytes; fresh nonce and time"
    return Comparison("Signer.sign", works, "SHA-256 + HMAC, prepared key", at_most(2.5, "floor"), note)


def _batch() -> Comparison:
    body = sender.new_batch()
    headers = sender.signed(body)
    verifier = Verifier(sender.KEYRING, nonces=None)
    entry = sender.KEYRING.find(sender.API_KEY)
    assert entry is not None
    secrets = usable_secrets(entry)

    def take() -> int:
        verifier.check(headers, body)
        return len([verified(event, entry, secrets) for event in parse(body)["batch"]])

    def take_elsewhere() -> None:
        key = sender.SECRET_TEXT.encode()
        hmac.digest(key, body, "sha256")
        for event in orjson.loads(body)["batch"]:
            event.pop(SIGNATURE_MEMBER)
            hmac.digest(key, rfc8785.dumps(event), "sha256")

    def judge_too() -> int:
        return len(judge("batch", parse(body), verifier.check(headers, body), entry))

    assert take() == judge_too() == 100
    mac = floor_of(bytes(len(body) // 100))

    def steps_alone() -> None:
        verifier.check(headers, body)
        parse(body)
        for _ in range(100):
            mac()

    works = {
        "ours": take,
        "floor": partial(orjson.loads, body),
        "rfc8785 + hmac": take_elsewhere,
        "the rules of events too": judge_too,
        "check, parse, 100 digests and MACs alone": steps_alone,
    }
    note = f"{len(body):,} bytes"
    return Comparison("batch of 100 events", works, "orjson.loads", at_most(2.5, "orjson.loads"), note, 5.0)


def comparisons() -> Iterator[Comparison]:
    """Give what is compared."""
    yield from _check()
    yield _verify()
    yield _batch()
    yield _sign()


def rows() -> Iterator[Row]:
    """Measure the rows of this file."""
    return (compared.row() for compared in comparisons())
