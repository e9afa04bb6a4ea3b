"""Threads and processes that claim as fast as they can, and keep count of what they were told."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from math import floor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from soak_part import Advance, Row

from rp_signing import Claim, Reason, VerificationError
from rp_signing.replay import Window

PROCESSES = 8
_numbers = count()


def claim(timestamp: int, nonce: str) -> Claim:
    """A claim as the gate makes it."""
    rest = (2, "d" * 64, "k" * 16, "sha256=" + "0" * 64, False, False, Window())
    return Claim("a" * 16, None, timestamp, nonce, *rest)


def fresh() -> Claim:
    """A request that was never made before, signed now."""
    return claim(floor(time.time()), f"{next(_numbers):022d}")


def told(store: Any, claims: Iterable[Claim]) -> Counter[str]:
    """What becomes of claims, some at a time."""

    def send(one: Claim) -> str:
        try:
            store.claim(one, time.time)
        except VerificationError as error:
            return error.reason
        return "taken"

    with ThreadPoolExecutor(4) as pool:
        return Counter(pool.map(send, claims))


def sent_until_told(store: Any, claims: Sequence[Claim], seconds: float = 60.0) -> Counter[str]:
    """What becomes of the same bytes when their senders try again for as long as the store is unavailable."""
    outcomes = Counter[str]()
    until = time.monotonic() + seconds
    for one in claims:
        outcome = Counter({str(Reason.REPLAY_STORE_UNAVAILABLE): 1})
        while Reason.REPLAY_STORE_UNAVAILABLE in outcome and time.monotonic() < until:
            outcome = told(store, [one])
        outcomes += outcome
    return outcomes


def row(work: str, seen: int, *, wanted: int = 0) -> Row:
    """A row whose figure has to be one number."""
    return Row(work, f"{wanted:,}", f"{seen:,}", seen == wanted)


class Load:
    """Threads that do one thing after the other, and keep what was acknowledged and what was refused.

    Args:
        act: does it with a new request; raises `VerificationError` when that is refused.
        threads: how many; each ends with its first refusal.
    """

    def __init__(self, act: Callable[[Claim], object], threads: int = 4) -> None:
        self.acknowledged: list[Claim] = []
        self.refused: list[Claim] = []
        self.slowest = 0.0
        self._act = act
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, acknowledged: int) -> None:
        """Come back when so many were acknowledged, or nobody tries any more."""
        while len(self.acknowledged) < acknowledged and any(thread.is_alive() for thread in self._threads):
            self._threads[0].join(0.01)

    def end(self) -> None:
        """Let each thread finish what it does."""
        self._over.set()
        self.wait_until_refused()

    def wait_until_refused(self) -> None:
        """Come back when every thread has been refused."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._over.is_set():
            one = fresh()
            begun = time.monotonic()
            try:
                self._act(one)
                self.acknowledged.append(one)
            except VerificationError:
                self.refused.append(one)
                return
            finally:
                self.slowest = max(self.slowest, time.monotonic() - begun)


Open = Callable[[str], Any]
"""Opens a store in a place; a function of a module, so that other processes find it."""


def _compete(opened: Open, place: str, start: int, nonces: int) -> list[int]:
    store = opened(place)
    won = []
    for number in range(nonces):
        try:
            store.claim(claim(start, f"{number:022d}"), time.time)
            won.append(number)
        except VerificationError as error:
            if error.reason != Reason.REPLAYED:
                raise
    store.close()
    return won


def race(opened: Open, place: str, nonces: int, advance: Advance) -> list[Row]:
    """Let eight processes claim the same nonces at the same time."""
    opened(place).close()
    begun = floor(time.time())
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as racers:
        runs = [racers.submit(_compete, opened, place, begun, nonces) for _ in range(PROCESSES)]
        times = Counter(number for run in runs for number in run.result())
    advance(nonces)
    work = f"{nonces:,} nonces claimed by {PROCESSES} processes each"
    twice = sum(taken > 1 for taken in times.values())
    return [row(f"{work}: taken twice", twice), row(f"{work}: never taken", nonces - len(times))]


_CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
import time
from importlib import import_module
from claimants import claim
store = getattr(import_module(sys.argv[2]), sys.argv[3])(sys.argv[4])
for number in range(100_000):
    one = claim(int(sys.argv[5]), f"{number:011d}{sys.argv[6]:0>11}")
    store.claim(one, time.time)
    print(one.nonce, flush=True)
"""


def kill_clients(opened: Open, place: str, kills: int, advance: Advance) -> list[Row]:
    """Kill a client while it claims, and claim again what it said was acknowledged."""
    replayed, acknowledged = 0, 0
    store = opened(place)
    for number in range(kills):
        now = floor(time.time())
        where = (str(Path(__file__).parent), opened.__module__, opened.__name__, place)
        command = [sys.executable, "-c", _CLIENT, *where, str(now), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
            assert client.stdout is not None
            lines = [client.stdout.readline() for _ in range(50)]
            client.kill()
            lines += client.stdout.readlines()
        whole = [claim(now, line.decode().strip()) for line in lines if line.endswith(b"\n")]
        assert len(whole) >= 50, "the client did not get as far as being killed"
        acknowledged += len(whole)
        replayed += told(store, whole)[Reason.REPLAYED]
        advance(1)
    store.close()
    return [row(f"{kills:,} kills of a client: of {acknowledged:,} nonces, replayable", acknowledged - replayed)]
