"""Nonces of one process, in its memory (SPEC §7)."""

from __future__ import annotations

import os
import threading
import time
from heapq import heappop, heappush
from math import floor

from ..errors import Reason, StoreError, VerificationError
from ..replay import FUTURE, Claim, Clock
from .findings import clock_ran_ahead

__all__ = ["MemoryNonceStore"]

CAPACITY = 4_000_000
"""Nonces that are held at the most unless told otherwise (SPEC WIN-7)."""

_BUCKETS_A_CLAIM = 2
_FORKED = "this process was forked from the one that holds the nonces; several processes need a shared store"
# 60 bits are what an int holds in 32 bytes. `hash` of a str is SipHash under a key of this process: among a million
# nonces in one second, a false "replayed" has the odds 1 : 10^12, and only against the sender's own requests.
_HASH_BITS = (1 << 60) - 1
_NONE: dict[str, set[int]] = {}


class _Token:
    """One claim's; spent by the release."""

    __slots__ = ("claim",)

    def __init__(self, claim: Claim) -> None:
        self.claim: Claim | None = claim


class MemoryNonceStore:
    """Remembers nonces in this process: for one process, and lost with it.

    Never evicts a live nonce. Refuses after a fork, since two processes cannot see each other's nonces; it cannot see
    workers that were started apart. Its length is how many nonces it holds.

    Args:
        born: Unix seconds; every timestamp up to ``born + future`` is refused, because an earlier process could have
            taken it. None: now. 0 states that nothing was accepted earlier (a first start, tests).
        capacity: how many nonces are held at the most.
        share: how many of them one api key may hold; a quarter when None.

    Raises:
        ValueError: an argument makes no sense.
    """

    def __init__(self, *, born: float | None = None, capacity: int = CAPACITY, share: int | None = None) -> None:
        if capacity < 1 or (share is not None and not 1 <= share <= capacity):
            raise ValueError("capacity must be 1 or more, and share between 1 and capacity")
        self._born = floor(time.time() if born is None else born)
        self._capacity = capacity
        self._share = share or max(1, capacity // 4)
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._buckets: dict[int, dict[str, set[int]]] = {}  # timestamp → api key id → nonces
        self._seconds: list[int] = []  # a heap of the buckets' timestamps
        self._held: dict[str, int] = {}  # api key id → live nonces
        self._size = 0
        self._forgotten_through = 0

    def __len__(self) -> int:
        return self._size

    def claim(self, claim: Claim, clock: Clock) -> _Token:
        """Use the nonce up (`rp_signing.replay.NonceStore.claim`, which says what is raised)."""
        if os.getpid() != self._process:
            raise VerificationError(Reason.REPLAY_STORE_UNAVAILABLE, _FORKED)
        nonce = hash(claim.nonce) & _HASH_BITS
        with self._lock:
            now = claim.judge_again(clock)
            self._forget(claim, now)
            window, second = claim.window, claim.timestamp
            window.judge_memory(second, self._forgotten_through, now)
            window.judge_birth(second, self._born, now)
            if nonce in self._buckets.get(second, _NONE).get(claim.api_key_id, ()):
                raise VerificationError(Reason.REPLAYED, "this nonce was used before: an earlier copy arrived")
            self._refuse_if_full(claim, now)
            self._remember(claim, nonce)
        return _Token(claim)

    def release(self, claim: Claim, token: _Token) -> None:
        """Give a nonce back (`rp_signing.replay.NonceStore.release`)."""
        if os.getpid() != self._process:
            raise StoreError(_FORKED)
        with self._lock:
            if token.claim != claim:
                return
            token.claim = None
            nonces = self._buckets.get(claim.timestamp, _NONE).get(claim.api_key_id, set())
            nonce = hash(claim.nonce) & _HASH_BITS
            if nonce in nonces:
                nonces.remove(nonce)
                self._count_off(claim.api_key_id, 1)

    def doctor(self, now: float | None = None) -> list[str]:
        """Say what is wrong with the store, a sentence each; an empty list when nothing is; `now` in Unix seconds."""
        ahead = self._forgotten_through - floor(time.time() if now is None else now)
        return [] if ahead < 0 else [clock_ran_ahead(ahead)]

    def clear_future(self, now: float | None = None, future: int = FUTURE) -> int:
        """Lower a ``forgotten_through`` that a clock which ran ahead has left to `now` + `future`.

        Until then everything is still refused. Later, a request that was dated ahead and taken by that clock could
        come again.

        Returns:
            1 when it was lowered, else 0.
        """
        through = floor(time.time() if now is None else now) + future
        with self._lock:
            lowered = self._forgotten_through > through
            self._forgotten_through = min(self._forgotten_through, through)
        return int(lowered)

    async def aclaim(self, claim: Claim, clock: Clock) -> _Token:
        """Do what `claim` does; nothing in here waits."""
        return self.claim(claim, clock)

    async def arelease(self, claim: Claim, token: _Token) -> None:
        """Do what `release` does; nothing in here waits."""
        self.release(claim, token)

    def _remember(self, claim: Claim, nonce: int) -> None:
        second, api_key_id = claim.timestamp, claim.api_key_id
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = {}
            heappush(self._seconds, second)
        nonces = bucket.get(api_key_id)
        if nonces is None:
            nonces = bucket[api_key_id] = set()
        nonces.add(nonce)
        self._held[api_key_id] = self._held.get(api_key_id, 0) + 1
        self._size += 1

    def _forget(self, claim: Claim, now: int) -> None:
        """Drop the oldest buckets that can no longer be taken, a few at a time so that no claim waits long."""
        for _ in range(_BUCKETS_A_CLAIM):
            if not self._seconds or not claim.window.may_forget(self._seconds[0], now):
                return
            oldest = heappop(self._seconds)
            self._forgotten_through = max(self._forgotten_through, oldest)
            for api_key_id, nonces in self._buckets.pop(oldest).items():
                self._count_off(api_key_id, len(nonces))

    def _count_off(self, api_key_id: str, nonces: int) -> None:
        self._size -= nonces
        held = self._held.pop(api_key_id, 0) - nonces
        if held > 0:
            self._held[api_key_id] = held

    def _refuse_if_full(self, claim: Claim, now: int) -> None:
        if self._size >= self._capacity:
            reason, who = Reason.REPLAY_STORE_FULL, "the nonce store"
        elif self._held.get(claim.api_key_id, 0) >= self._share:
            reason, who = Reason.REPLAY_KEY_FULL, "this api key's share of the nonce store"
        else:
            return
        raise VerificationError(
            reason,
            f"{who} is full, and a live nonce is never dropped",
            retry_after=max(1, self._seconds[0] + claim.window.past + 1 - now),
        )
