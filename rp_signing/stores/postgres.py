"""Nonces in a PostgreSQL database: for any number of machines, and through restarts (SPEC §7)."""

from __future__ import annotations

import asyncio
import os
import time
from math import floor
from typing import TypeVar

from ..errors import StoreError
from ..replay import FUTURE, Claim, Clock
from .postgres_claim import Claims, claiming, refused, words
from .postgres_link import TIMEOUT, AsyncPool, Failure, Flow, Pool, aconverse, connect, converse, fault_of_pool
from .postgres_tables import clearing, counting, looking, making, releasing

__all__ = ["AsyncPostgresNonceStore", "PostgresNonceStore", "connect"]

_T = TypeVar("_T")

_FORKED = "this process was forked from the one that opened the store"
_READING = "the nonce store cannot be read"
_RELEASING = "the nonce could not be released"


class PostgresNonceStore:
    """Remembers nonces in a PostgreSQL database (13 or later) that any number of processes and machines may share.

    What was acknowledged survives the death of the server, whatever its ``synchronous_commit`` is by default, and of
    the machine where ``fsync`` is on; the loss of the machine only with ``synchronous_standby_names``. It holds as
    many nonces as the disk does: no api key has a share. Its length is how many it holds. Refuses after a fork.

    A claim is decided before it is committed: where no answer comes in time, the server rolls it back, and the same
    bytes can be sent again. Where the answer to the COMMIT itself is lost nobody knows; the request is refused, and
    the store that it was sent to takes the same bytes when they come again; another one may say ``replayed``.

    A table that is gone or truncated under a running store makes it refuse, ``replay_store_unavailable``; the next
    store that is opened makes it anew, and is born then. ``DELETE FROM rp_nonce`` by hand is forgetting: truncate it.

    Args:
        pool: of psycopg 3, open, without ``check=``; see `connect`. Whoever made it closes it. A pooler that keeps no
            prepared statements asks for ``prepare_threshold=None`` in the pool's `kwargs`, as psycopg itself does.
        born: Unix seconds for tables that have to be made: every timestamp up to ``born + future`` is refused, because
            tables that were lost could have taken it. None: now. 0 states that nothing was accepted earlier.
        timeout: seconds within which a claim is answered, or refused.

    Raises:
        StoreError: the database cannot be reached, or the tables cannot be made.
        TypeError: this is no such pool; a URL is opened by `connect`.
        ModuleNotFoundError: psycopg is not installed (when this module is imported).
    """

    def __init__(self, pool: Pool, *, born: float | None = None, timeout: float = TIMEOUT) -> None:
        if fault := fault_of_pool(pool, asynchronous=False):
            del pool
            raise fault
        self._pool = pool
        self._timeout = timeout
        self._process = os.getpid()
        self._claims = Claims()
        made = making(floor(time.time() if born is None else born))
        self._told(made, "no nonce store can be made in PostgreSQL")

    def claim(self, claim: Claim, clock: Clock) -> int:
        """Use the nonce up (`rp_signing.replay.NonceStore.claim`, which says what is raised)."""
        if os.getpid() != self._process:
            raise refused(_FORKED)
        try:
            return converse(self._pool, self._timeout, claiming(self._claims, claim, clock))
        except Failure as error:
            raise refused(error) from error

    def release(self, claim: Claim, token: int) -> None:
        """Give a nonce back (`rp_signing.replay.NonceStore.release`)."""
        self._told(releasing(claim, token), _RELEASING)

    async def aclaim(self, claim: Claim, clock: Clock) -> int:
        """Do what `claim` does, in a thread."""
        return await asyncio.to_thread(self.claim, claim, clock)

    async def arelease(self, claim: Claim, token: int) -> None:
        """Do what `release` does, in a thread."""
        await asyncio.to_thread(self.release, claim, token)

    def doctor(self, now: float | None = None) -> list[str]:
        """Say what is wrong with the store and its server, a sentence each; an empty list when nothing is.

        Args:
            now: Unix seconds; the time when None.

        Raises:
            StoreError: the database cannot be read.
        """
        return self._told(looking(now), _READING)

    def clear_future(self, now: float | None = None, future: int = FUTURE) -> int:
        """Lower each ``forgotten_through`` that a clock which ran ahead has left to `now` + `future`.

        Until then everything is still refused. Later, a request that was dated ahead and taken by that clock could
        come again.

        Returns:
            How many rows were lowered.

        Raises:
            StoreError: the database cannot be written.
        """
        through = floor(time.time() if now is None else now) + future
        return self._told(clearing(through), "the store could not be put right")

    def __len__(self) -> int:
        return self._told(counting, _READING)

    def _told(self, flow: Flow[_T], failed: str) -> _T:
        if os.getpid() != self._process:
            raise StoreError(_FORKED)
        try:
            return converse(self._pool, self._timeout, flow)
        except Failure as error:
            raise StoreError(f"{failed}: {words(error)}") from error


class AsyncPostgresNonceStore:
    """What `PostgresNonceStore` is, for `Verifier.averify` in an event loop, over psycopg's ``AsyncConnectionPool``.

    The tables are made, and are born, with the first claim, where there are none.

    Args:
        pool: as there, of the event loop that claims.
        born: as there.
        timeout: as there.

    Raises:
        TypeError: this is no such pool.
    """

    def __init__(self, pool: AsyncPool, *, born: float | None = None, timeout: float = TIMEOUT) -> None:
        if fault := fault_of_pool(pool, asynchronous=True):
            del pool
            raise fault
        self._pool = pool
        self._timeout = timeout
        self._process = os.getpid()
        self._claims = Claims()
        self._born = born
        self._made = False

    async def aclaim(self, claim: Claim, clock: Clock) -> int:
        """Use the nonce up (`rp_signing.replay.NonceStore.claim`, which says what is raised)."""
        if os.getpid() != self._process:
            raise refused(_FORKED)
        try:
            if not self._made:
                born = floor(time.time() if self._born is None else self._born)
                await aconverse(self._pool, self._timeout, making(born))
                self._made = True
            return await aconverse(self._pool, self._timeout, claiming(self._claims, claim, clock))
        except Failure as error:
            raise refused(error) from error

    async def arelease(self, claim: Claim, token: int) -> None:
        """Give a nonce back (`rp_signing.replay.NonceStore.release`)."""
        await self._told(releasing(claim, token), _RELEASING)

    def claim(self, claim: Claim, clock: Clock) -> int:
        """Refuse: a store of an event loop is asked by `aclaim` alone."""
        raise refused("this store is for averify; in a thread use PostgresNonceStore")

    def release(self, claim: Claim, token: int) -> None:
        """Refuse, as `claim` does."""
        raise StoreError("this store is for arelease; in a thread use PostgresNonceStore")

    async def adoctor(self, now: float | None = None) -> list[str]:
        """Do what `PostgresNonceStore.doctor` does."""
        return await self._told(looking(now), _READING)

    async def _told(self, flow: Flow[_T], failed: str) -> _T:
        if os.getpid() != self._process:
            raise StoreError(_FORKED)
        try:
            return await aconverse(self._pool, self._timeout, flow)
        except Failure as error:
            raise StoreError(f"{failed}: {words(error)}") from error
