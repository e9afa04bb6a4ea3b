"""The memory store: bytes a nonce, time a claim, and the longest pause."""

from __future__ import annotations

import gc
import os
import secrets
import tracemalloc
from collections.abc import Callable, Iterator
from hashlib import blake2b, sha256
from itertools import count, repeat
from time import perf_counter
from typing import Any

from rp_signing import Claim, MemoryNonceStore
from rp_signing.replay import Window

from .measure import Goal, Row, Samples, row_of

START = 1_800_000_000
LARGE = int(os.environ.get("RP_BENCH_NONCES", "10000000"))
"""Live nonces of the large store; ten million of them and what they are compared with take 3 GB."""

_RATES = [round(1000 * 2 ** (step / 4)) for step in range(13)]
"""Nonces a second, evenly over three doublings of a set."""

_CLAIMS = 250
_numbers = count()


def claim_at(timestamp: int, api_key: int = 0) -> Claim:
    """Make a claim with a nonce of its own, at a time, for one of many api keys."""
    nonce = f"{next(_numbers):022d}"
    return Claim(f"{api_key:016x}", None, timestamp, nonce, 800, "d" * 64, "k" * 16, "s", False, False, Window())


def empty_store() -> MemoryNonceStore:
    """Make a store that any of these fills fits into."""
    return MemoryNonceStore(born=0, capacity=10**9, share=10**9)


def _bytes_of(fill: Callable[[], tuple[object, int]]) -> float:
    """Give the bytes a nonce that a fill keeps."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept, nonces = fill()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del kept
    return size / nonces


def _filled(rate: int, seconds: int, api_keys: int = 1) -> tuple[object, int]:
    store = empty_store()
    for second in range(START, START + seconds):
        for api_key in range(api_keys):
            for _ in range(rate):
                store.claim(claim_at(second, api_key), lambda: START)
    return store, len(store)


def _digests(nonces: int) -> tuple[object, int]:
    return {sha256(b"%d" % number).digest(): START for number in range(nonces)}, nonces


def _sizes() -> Iterator[Row]:
    fills = [_bytes_of(lambda rate=rate: _filled(rate, 4)) for rate in _RATES]  # type: ignore[misc]
    dicts = [_bytes_of(lambda rate=rate: _digests(40 * rate)) for rate in _RATES[::4]]  # type: ignore[misc]
    sparse = _bytes_of(lambda: _filled(1, 60, api_keys=100))
    lonely = _bytes_of(lambda: _filled(1, 60))
    ours, theirs = sum(fills) / len(fills), sum(dicts) / len(dicts)
    note = (
        f"{_RATES[0]:,} to {_RATES[-1]:,}/s of one api key: {min(fills):.0f} to {max(fills):.0f} B;"
        f" 100 api keys at 1/s each: {sparse:.0f} B; one at 1/s: {lonely:.0f} B"
    )
    goals = [Goal("≤ 90 bytes a nonce, mean of fills", ours, 90.0)]
    yield Row("memory store, size", ours, theirs, ours / theirs, "dict of SHA-256 digests", {}, goals, "B", note)


def fill(store: MemoryNonceStore, nonces: int) -> None:
    """Fill a store with so many nonces, spread over 300 seconds."""
    for number in range(nonces):
        store.claim(claim_at(START + number % 300), lambda: START + 240)


def claim_times(live: int, rounds: int = 40) -> Samples:
    """Time claims, and a keyed hash with a bare `set.add`, at so many live nonces each."""
    store = empty_store()
    fill(store, live)
    now = START + 240
    key = secrets.token_bytes(16)
    bare = {blake2b(b"%022d" % number, key=key, digest_size=16).digest() for number in range(live)}
    hashes = {hash(f"{number:022d}") for number in range(live)}
    taken: dict[str, list[float]] = {"ours": [], "floor": [], "hash() + set.add": []}
    clock: Callable[[], float] = lambda: now  # noqa: E731
    for number in range(rounds):
        claims = [claim_at(START + number * 7 % 300) for _ in range(_CLAIMS)]
        begun = perf_counter()
        for claim in claims:
            store.claim(claim, clock)
        claimed = perf_counter()
        for claim in claims:
            bare.add(blake2b(claim.nonce.encode(), key=key, digest_size=16).digest())
        added = perf_counter()
        nonces = [claim_at(START).nonce for _ in range(_CLAIMS)]
        again = perf_counter()
        for nonce in nonces:
            hashes.add(hash(nonce))
        hashed = perf_counter()
        for name, span in zip(taken, (claimed - begun, added - claimed, hashed - again), strict=True):
            taken[name].append(span / _CLAIMS)
    return Samples(taken)


def _claims() -> Iterator[Row]:
    few, many = claim_times(10_000), claim_times(LARGE)
    for live, samples in ((10_000, few), (LARGE, many)):
        goals = [Goal("≤ 3 × keyed hash + set.add", samples.ratio("ours", "floor"), 3.0)]
        if live == LARGE:
            growth = samples.median("ours") / few.median("ours")
            goals.append(Goal("the same as at 10,000 (≤ 1.5 ×)", growth, 1.5))
        yield row_of(f"memory store, claim at {live:,} live", samples, "keyed BLAKE2b + set.add", goals)


def _pauses(nonces: int, a_second: int) -> list[float]:
    """Fill a store and let all of it be forgotten; seconds of each claim."""
    store = empty_store()
    seconds = nonces // a_second
    taken = []
    arrivals = [START + number // a_second for number in range(nonces)]
    arrivals += [START + seconds + 400] * (2 * seconds)
    for timestamp in arrivals:
        claim = claim_at(timestamp)
        clock = repeat(timestamp).__next__
        begun = perf_counter()
        store.claim(claim, clock)
        taken.append(perf_counter() - begun)
    return taken


def _pause() -> Iterator[Row]:
    # What the machine does beside it hits one claim of one run; what the store does hits the same claim of each.
    runs: list[Any] = [_pauses(400_000, 20_000) for _ in range(3)]
    each = [min(spans) for spans in zip(*runs, strict=True)]
    usual = sorted(each)[len(each) // 2]
    goals = [Goal("no pause over 10 ms", max(each), 0.010)]
    note = "400,000 nonces at 20,000/s of one api key, then all of them dropped; each claim's least of 3 runs"
    yield Row("memory store, longest pause", max(each), usual, max(each) / usual, "median claim", {}, goals, note=note)


def rows() -> Iterator[Row]:
    """Measure the rows of this file."""
    yield from _sizes()
    yield from _claims()
    yield from _pause()
