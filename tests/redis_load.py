"""Threads that claim in a Redis store, one request after the other, and what becomes of the requests afterwards."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from math import floor

from soak_part import Advance, Row
from store_claims import claim
from valkey_server import until

from rp_signing import Claim, VerificationError
from rp_signing.stores.redis import RedisNonceStore

PATIENCE = 0.2
"""Seconds that these stores wait for a server, so that a round is short."""

_numbers = count()


def requests(number: int) -> list[Claim]:
    """So many requests that were never made before, signed now."""
    now = floor(time.time())
    return [claim(now, f"{next(_numbers):022d}") for _ in range(number)]


def told(store: RedisNonceStore, claims: Sequence[Claim]) -> Counter[str]:
    """What becomes of claims, made a hundred at a time."""
    outcomes = Counter[str]()
    for start in range(0, len(claims), 100):
        for one in store.claim_many(claims[start : start + 100], time.time):
            outcomes[one.reason if isinstance(one, VerificationError) else "taken"] += 1
    return outcomes


def row(work: str, seen: int, *, wanted: int = 0) -> Row:
    """A row whose figure has to be one number."""
    return Row(work, f"{wanted:,}", f"{seen:,}", seen == wanted)


class Load:
    """Threads that claim one request after the other, and keep what was acknowledged and what was refused."""

    def __init__(self, store: RedisNonceStore, threads: int = 4) -> None:
        self.store = store
        self.acknowledged: list[Claim] = []
        self.refused: list[Claim] = []
        self.slowest = 0.0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let each thread finish its claim."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_until_refused(self) -> None:
        """Come back when every thread has been refused once: it ends with that."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._over.is_set():
            (one,) = requests(1)
            begun = time.monotonic()
            try:
                self.store.claim(one, time.time)
                self.acknowledged.append(one)
            except VerificationError:
                self.refused.append(one)
                return
            finally:
                self.slowest = max(self.slowest, time.monotonic() - begun)


def cut_off(
    rounds: int, advance: Advance, store: RedisNonceStore, cut: Callable[[], None], heal: Callable[[], None], what: str
) -> list[Row]:
    """Cut a store off while four threads claim; heal it, and claim again what was acknowledged, and what was not."""
    again, copies, refused, slowest = Counter[str](), Counter[str](), 0, 0.0
    for _ in range(rounds):
        load = Load(store)
        until(lambda load=load: len(load.acknowledged) > 20)  # type: ignore[misc]
        cut()
        load.wait_until_refused()
        heal()
        again += told(store, load.refused)
        copies += told(store, [*load.acknowledged, *load.refused])
        refused += len(load.refused)
        slowest = max(slowest, load.slowest)
        advance(1)
    store.close()
    held = slowest < 10
    return [
        Row(f"{rounds:,} × {what}: slowest of {refused:,} refusals", "under 10 s", f"{slowest:.1f} s", held),
        row(
            f"{rounds:,} × {what}: refused requests that get through when they are sent again",
            again["taken"],
            wanted=refused,
        ),
        row(f"{rounds:,} × {what}: copies taken", copies["taken"]),
    ]
