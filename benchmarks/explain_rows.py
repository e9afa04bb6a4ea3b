"""`explain`: all single mistakes beside 60 hashes of the body, pairs beside ten times that."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import sha256

from rp_signing import Signer, canonicalize, parse
from rp_signing.explain import explain
from rp_signing.keys import secret_text
from rp_signing.wire import KEY_ID, SIGNATURE_MEMBER

from . import sender
from .measure import Comparison, Row, Work

_STRANGER = Signer(api_key=sender.API_KEY, secret=secret_text(bytes(32), live=False))


def comparisons() -> Iterator[Comparison]:
    """Give what is compared; no goal, since a near-miss has to be written before it is hashed."""
    for events in (100, 1000):
        body = sender.new_batch(events)
        yield _beside(60, f"explain, the last single mistake, {events:,} events", body, _signed_too_early(body))
        yield _beside(600, f"explain, nothing found in pairs, {events:,} events", body, _signed_by_a_stranger(body))


def rows() -> Iterator[Row]:
    """Measure the rows of this file."""
    return (compared.row() for compared in comparisons())


def _beside(hashes: int, work: str, body: bytes, headers: dict[str, str]) -> Comparison:
    def hash_it() -> None:
        for _ in range(hashes):
            sha256(body).digest()

    ours = partial(explain, sender.KEYRING, headers, body)
    works = {"ours": Work(ours, most=1), "floor": Work(hash_it, most=1)}
    return Comparison(work, works, f"{hashes} hashes of the body", lambda _: [], f"{len(body):,} bytes")


def _signed_too_early(body: bytes) -> dict[str, str]:
    """Sign a batch before its events were signed: the last of the mistakes that are tried alone."""
    events = [{**event} for event in parse(body)["batch"]]
    for event in events:
        del event[SIGNATURE_MEMBER]
    headers = sender.SIGNER.sign(canonicalize({"batch": events}))
    assert [found.cause for found in explain(sender.KEYRING, headers, body).causes] == ["signed_before_event"]
    return headers


def _signed_by_a_stranger(body: bytes) -> dict[str, str]:
    headers = {**_STRANGER.sign(body), KEY_ID: sender.SIGNER.key_id}
    assert not explain(sender.KEYRING, headers, body).causes
    return headers
