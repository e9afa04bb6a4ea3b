"""Growth: cost against body size, secrets of an api key, api keys, and live nonces; flat, or linear in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
from corpus import typical_event

from rp_signing import Keyring, Secret, Signer, Verifier, canonicalize, parse
from rp_signing.wire import KEY_ID, NONCE, SIGNATURE, TIMESTAMP, signing_input

from . import sender
from .gate_rows import floor_of
from .measure import in_turn
from .memory_rows import claim_times

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
API_KEYS = (1, 100, 10_000, 1_000_000)
NONCES = (1_000, 10_000, 100_000, 1_000_000)

Curve = dict[str, Any]


def _curve(title: str, axis: str, points: list[int], lines: dict[str, list[float]]) -> Curve:
    return {"title": title, "axis": axis, "points": points, "lines": lines}


def curves() -> Iterator[Curve]:
    """Measure one after the other."""
    yield _sizes()
    yield _secrets()
    yield _api_keys()
    yield _nonces()


def _body(length: int) -> bytes:
    """Give a canonical body of about so many bytes, of typical events where they fit."""
    if length < 900:
        return canonicalize({"event": "x" * (length - 12)})
    return canonicalize([typical_event(seed) for seed in range(1, 1 + round(length / 880))])


def _sizes() -> Curve:
    lines: dict[str, list[float]] = {}
    points = []
    for size in SIZES:
        body = _body(size)
        points.append(len(body))
        value = parse(body, 2 * 10**7)
        verifier = Verifier(sender.KEYRING, nonces=None, max_body=2 * 10**7)
        works = {
            "check": partial(verifier.check, sender.signed(body), body),
            "SHA-256 + HMAC": floor_of(body),
            "parse": partial(parse, body, 2 * 10**7),
            "orjson.loads": partial(orjson.loads, body),
            "canonicalize": partial(canonicalize, value),
            "orjson.dumps": partial(orjson.dumps, value, option=orjson.OPT_SORT_KEYS),
        }
        samples = in_turn(works, 0.4)
        for name in works:
            lines.setdefault(name, []).append(samples.median(name))
    return _curve("Cost against body size", "bytes of the body", points, lines)


def _secrets() -> Curve:
    body = sender.body_of(800)
    texts = [f"secret-number-{number}-of-one-single-api-key" for number in range(4)]
    lines: dict[str, list[float]] = {"the oldest signed, no key id": [], "the oldest signed, key id sent": []}
    for count in range(1, 5):
        verifier = Verifier(Keyring.of({sender.API_KEY: texts[:count]}), nonces=None)
        signer = Signer(api_key=sender.API_KEY, secret=texts[count - 1])
        named = sender.asgi(signer.sign(body))
        nameless = _without_key_id(signer, body)
        works = {"no": partial(verifier.check, nameless, body), "yes": partial(verifier.check, named, body)}
        samples = in_turn(works, 0.4)
        for line, name in zip(lines.values(), works, strict=True):
            line.append(samples.median(name))
    return _curve("check against the active secrets of an api key", "secrets", [1, 2, 3, 4], lines)


def _without_key_id(signer: Signer, body: bytes) -> sender.Headers:
    """Sign as a sender does that gives no key id: its fourth line is a dash (SPEC §5)."""
    headers = signer.sign(body)
    del headers[KEY_ID]
    message = signing_input(
        "request", signer.api_key_id, None, headers[TIMESTAMP], headers[NONCE], len(body),
        sha256(body).hexdigest(),
    )  # fmt: skip
    headers[SIGNATURE] = "sha256=" + signer._secret.mac(message).hex()
    return sender.asgi(headers)


def _api_keys() -> Curve:
    body = sender.body_of(800)
    other = Secret("one-secret-for-all-the-other-api-keys")
    line = []
    for count in API_KEYS:
        keys: dict[str, Any] = {f"rpx_test_{number:022d}": other for number in range(count - 1)}
        verifier = Verifier(Keyring.of({**keys, sender.API_KEY: sender.SECRET}), nonces=None)
        line.append(in_turn({"check": partial(verifier.check, sender.signed(body), body)}, 0.4).median("check"))
    return _curve("check against api keys", "api keys in the keyring", list(API_KEYS), {"check": line})


def _nonces() -> Curve:
    timed = [claim_times(live, 20) for live in NONCES]
    lines = {
        "claim": [samples.median("ours") for samples in timed],
        "keyed hash + set.add": [samples.median("floor") for samples in timed],
    }
    return _curve("A claim against live nonces", "live nonces", list(NONCES), lines)
