"""Nonces in Redis or Valkey: for several machines (SPEC §7)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from ..errors import StoreError, VerificationError
from ..replay import FUTURE, PAST, Claim, Clock, Window
from .redis_async_link import AsyncLink
from .redis_claim import Claims, Places, said
from .redis_link import FAILURES, Link, Steps
from .redis_record import Records
from .redis_script import TAGS, unavailable

__all__ = ["AsyncRedisNonceStore", "RedisNonceStore"]

T = TypeVar("T")


class _Plan:
    """The settings of a store, checked, and the conversations that follow from them."""

    def __init__(
        self, born: float | None, window: Window, replicas: int, share: int | None, timeout: float, prefix: str
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", prefix):
            raise ValueError("prefix must be 1 to 32 letters, digits, dots, underscores or hyphens")
        if not 0 < timeout <= 4:
            raise ValueError("timeout must be over 0 and at most 4 seconds: a networked store answers within 10 s")
        if replicas < 0 or min(window) < 0:
            raise ValueError("replicas, past and future must be 0 or more")
        if share is not None and share < 100 * TAGS:
            raise ValueError(f"share must be {100 * TAGS:,} or more, for it is kept in {TAGS} parts")
        self._given = born, window, replicas, share or 0, timeout, prefix

    def of(self, link: Any) -> tuple[Claims, Records]:
        """Give what claims, and what keeps the records."""
        born, window, replicas, share, timeout, prefix = self._given
        places = Places(link.reach.nodes, link.reach.remap, prefix)
        return Claims(places, window, timeout, replicas, share), Records(places, born, window, replicas)


class RedisNonceStore:
    """Remembers nonces in a Redis 6.2 or newer, or a Valkey, alone, behind a Sentinel or as a cluster.

    What single use then rests on is the server: `doctor` says what its settings would lose. The clocks of the server
    and of every verifier may differ by 60 s; beyond that, claims are refused. All verifiers that share a server take
    the same window. Refuses after a fork: make one store in each process.

    The store opens connections of its own, with the client's addresses and credentials, without its retries and
    timeouts. The user that it logs in as needs EVALSHA, SCRIPT LOAD, INFO, and the commands TIME, HMGET, HSET, HDEL,
    HGET, GET, SET, DEL, EXISTS, INCR, PTTL, PEXPIRE on keys that begin with ``{prefix:``; WAIT with `replicas`, CLUSTER
    SLOTS in a cluster, SCAN for its length. While a slot of a cluster moves key by key, its claims are refused.

    Args:
        client: a `redis.Redis` or `redis.RedisCluster`.
        born: Unix seconds for a store that has to be made because the server has no record of one: every timestamp up
            to ``born + future`` is refused. None: now, by a clock that could be 60 s ahead. 0 states that nothing was
            accepted earlier. A record that is lost later is made anew, born then, whatever was said here.
        past: seconds that this verifier takes at the most; a store that is made remembers for that long.
        future: seconds, as `past`.
        replicas: how many replicas have to acknowledge each claim (WAIT); where fewer do in time, it is refused. With
            0, a failover to a replica that lags takes copies.
        share: how many nonces one api key may use up in one lifetime of a nonce, at least 25,600; None: as many as
            there is memory for. It is kept in 256 parts, so that a key is refused when the first of them is full.
        timeout: seconds, at most 4, that a claim waits for the server before it is tried once more. What the server
            gets to later than half of that, because it was stopped, is not executed.
        prefix: what all keys begin with, 1 to 32 letters, digits, dots, underscores or hyphens.

    Raises:
        StoreError: no server answers, it cannot be used, or the window it remembers for is smaller than this one.
        ValueError: an argument makes no sense.
    """

    def __init__(
        self,
        client: Any,
        *,
        born: float | None = None,
        past: int = PAST,
        future: int = FUTURE,
        replicas: int = 0,
        share: int | None = None,
        timeout: float = 2.0,
        prefix: str = "rp",
    ) -> None:
        plan = _Plan(born, Window(past, future), replicas, share, timeout, prefix)
        self._link = Link(client, timeout)
        self._claims, self._records = plan.of(self._link)
        try:
            self._run(self._records.open())
        except StoreError:
            self._link.close()
            raise

    def claim(self, claim: Claim, clock: Clock) -> bytes:
        """Use the nonce up (`rp_signing.replay.NonceStore.claim`, which says what is raised)."""
        return _only(self.claim_many([claim], clock))

    def claim_many(self, claims: Sequence[Claim], clock: Clock) -> list[bytes | VerificationError]:
        """Claim several at once: one round to each server that holds some of them.

        Returns:
            For each, in order, the token that `release` takes, or the refusal that `claim` would have raised.
        """
        try:
            return self._link.run(self._claims.claim(claims, clock))
        except FAILURES as error:
            return [unavailable(said(error)) for _ in claims]

    def release(self, claim: Claim, token: bytes) -> None:
        """Give a nonce back (`rp_signing.replay.NonceStore.release`)."""
        self._run(self._claims.release(claim, token))

    async def aclaim(self, claim: Claim, clock: Clock) -> bytes:
        """Do what `claim` does, in a thread."""
        return await asyncio.to_thread(self.claim, claim, clock)

    async def arelease(self, claim: Claim, token: bytes) -> None:
        """Do what `release` does, in a thread."""
        await asyncio.to_thread(self.release, claim, token)

    def raise_window(self, past: int, future: int) -> int:
        """Make the store remember for longer. Nonces do so from now on; the window is taken one old lifetime later.

        Args:
            past: seconds.
            future: seconds.

        Returns:
            The Unix second from which on the larger window is taken; 0 when it already is.

        Raises:
            StoreError: a server cannot be reached.
        """
        return self._run(self._records.raise_window(Window(past, future)))

    def trust_clock(self) -> None:
        """Take requests again after a server's clock ran far ahead; for a minute or two, as after a new start, none.

        Raises:
            StoreError: a server cannot be reached.
        """
        self._run(self._records.trust_clock())

    def doctor(self) -> list[str]:
        """Say for how long nonces are kept, and what the servers' settings would lose; a sentence each.

        Raises:
            StoreError: a server cannot be reached.
        """
        return self._run(self._records.examine())

    def close(self) -> None:
        """Close the connections."""
        self._link.close()

    def __len__(self) -> int:
        """Count the nonces, by looking at every key of every server: for tests and for curiosity."""
        return self._run(self._records.count())

    def _run(self, steps: Steps[T]) -> T:
        try:
            return self._link.run(steps)
        except FAILURES as error:
            raise StoreError(f"the nonce store cannot be reached, and every claim stands: {said(error)}") from error


class AsyncRedisNonceStore:
    """Remembers nonces as `RedisNonceStore` does, for `Verifier.averify` in one event loop.

    A server is first spoken to by `open`, which the first claim calls when nobody has.

    Args:
        client: a `redis.asyncio.Redis` or `redis.asyncio.RedisCluster`.
        born: as in `RedisNonceStore`, as is each of the rest.
        past: seconds.
        future: seconds.
        replicas: how many have to acknowledge each claim.
        share: nonces of one api key.
        timeout: seconds, at most 4.
        prefix: what all keys begin with.

    Raises:
        ValueError: an argument makes no sense.
    """

    def __init__(
        self,
        client: Any,
        *,
        born: float | None = None,
        past: int = PAST,
        future: int = FUTURE,
        replicas: int = 0,
        share: int | None = None,
        timeout: float = 2.0,
        prefix: str = "rp",
    ) -> None:
        plan = _Plan(born, Window(past, future), replicas, share, timeout, prefix)
        self._link = AsyncLink(client, timeout)
        self._claims, self._records = plan.of(self._link)
        self._opening = asyncio.Lock()
        self._opened = False

    async def open(self) -> None:
        """Look at the servers and make the store where there is none; later calls do nothing.

        Raises:
            StoreError: as in making a `RedisNonceStore`.
        """
        async with self._opening:
            if not self._opened:
                await self._run(self._records.open())
                self._opened = True

    def claim(self, claim: Claim, clock: Clock) -> bytes:
        """Refuse: whoever can wait for this store calls `Verifier.averify`."""
        raise unavailable("this store is for averify; verify needs a RedisNonceStore")

    def release(self, claim: Claim, token: bytes) -> None:
        """Refuse, as `claim` does.

        Raises:
            StoreError: always.
        """
        raise StoreError("this store is for arelease; release needs a RedisNonceStore")

    async def aclaim(self, claim: Claim, clock: Clock) -> bytes:
        """Use the nonce up (`rp_signing.replay.NonceStore.claim`, which says what is raised)."""
        return _only(await self.aclaim_many([claim], clock))

    async def aclaim_many(self, claims: Sequence[Claim], clock: Clock) -> list[bytes | VerificationError]:
        """Do what `RedisNonceStore.claim_many` does."""
        try:
            if not self._opened:
                await self.open()
            return await self._link.run(self._claims.claim(claims, clock))
        except (*FAILURES, StoreError) as error:
            return [unavailable(said(error)) for _ in claims]

    async def arelease(self, claim: Claim, token: bytes) -> None:
        """Give a nonce back (`rp_signing.replay.NonceStore.release`)."""
        await self._run(self._claims.release(claim, token))

    async def raise_window(self, past: int, future: int) -> int:
        """Do what `RedisNonceStore.raise_window` does."""
        return await self._run(self._records.raise_window(Window(past, future)))

    async def trust_clock(self) -> None:
        """Do what `RedisNonceStore.trust_clock` does."""
        await self._run(self._records.trust_clock())

    async def doctor(self) -> list[str]:
        """Do what `RedisNonceStore.doctor` does."""
        return await self._run(self._records.examine())

    async def count(self) -> int:
        """Count the nonces, as the length of a `RedisNonceStore` does."""
        return await self._run(self._records.count())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._link.aclose()

    async def _run(self, steps: Steps[T]) -> T:
        try:
            return await self._link.run(steps)
        except FAILURES as error:
            raise StoreError(f"the nonce store cannot be reached, and every claim stands: {said(error)}") from error


def _only(outcomes: list[bytes | VerificationError]) -> bytes:
    """Give the token of the one claim, or raise its refusal."""
    outcome = outcomes[0]
    if isinstance(outcome, VerificationError):
        raise outcome
    return outcome
