"""Nonces in PostgreSQL for an event loop: the same statements, awaited."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import Counter
from typing import Any

import psycopg_pool
import pytest
from parties import BODY, KEYS, Clock, reason, signer
from postgres_server import shared_server
from test_stores_postgres import claim

from rp_signing import Keyring, Reason, StoreError, VerificationError, Verifier
from rp_signing.stores.postgres import AsyncPostgresNonceStore, PostgresNonceStore


@pytest.fixture
def url() -> str:
    """What stands for an empty database."""
    return shared_server().schema()


def test_the_async_store_keeps_the_contract(url: str) -> None:
    """R10, R12: over the same statements, in an event loop: one of many copies is taken; a release acts once."""

    async def run() -> Counter[Any]:
        async with psycopg_pool.AsyncConnectionPool(url, min_size=2, max_size=4) as pool:
            store = AsyncPostgresNonceStore(pool, born=0)
            gate = Verifier(Keyring.of(KEYS), nonces=store, clock=Clock())
            headers = signer(Clock()).sign(BODY)
            told = await asyncio.gather(*(gate.averify(headers, BODY) for _ in range(20)), return_exceptions=True)
            (taken,) = (one for one in told if not isinstance(one, VerificationError))
            await taken.arelease()  # type: ignore[union-attr]
            again = await gate.averify(headers, BODY)
            await store.arelease(taken.claim, 1)  # type: ignore[union-attr]
            assert await store.adoctor(time.time()) == []
            assert reason(gate.verify, headers, BODY) == Reason.REPLAY_STORE_UNAVAILABLE
            with pytest.raises(StoreError):
                again.release()
            assert (await _reason(gate.averify(headers, BODY))) == Reason.REPLAYED
            return Counter(getattr(one, "reason", "taken") for one in told)

    assert asyncio.run(run()) == {"taken": 1, Reason.REPLAYED: 19}


async def _reason(verifying: Any) -> Reason:
    with pytest.raises(VerificationError) as caught:
        await verifying
    return caught.value.reason


def test_the_async_store_is_born_with_its_tables(url: str) -> None:
    """R9: told nothing, it refuses what tables that were lost could have taken."""

    async def run() -> VerificationError:
        async with psycopg_pool.AsyncConnectionPool(url, min_size=1) as pool:
            now = int(time.time())
            with pytest.raises(VerificationError) as caught:
                await AsyncPostgresNonceStore(pool).aclaim(claim(now), Clock(now))
            return caught.value

    assert asyncio.run(run()).reason == Reason.SIGNED_BEFORE_START


URL = "postgresql://user:hush@db.invalid/db"


@pytest.mark.parametrize("kind", [PostgresNonceStore, AsyncPostgresNonceStore])
def test_what_is_no_pool_of_its_kind_is_named_at_construction(kind: Any) -> None:
    """A URL, or the pool of the other kind, is a TypeError that says what is wanted, and shows no password."""
    asynchronous = kind is AsyncPostgresNonceStore
    other = (psycopg_pool.ConnectionPool if asynchronous else psycopg_pool.AsyncConnectionPool)(URL, open=False)
    for pool in (URL, other):
        with pytest.raises(TypeError, match=r"pool must be a psycopg_pool\.(Async)?ConnectionPool") as caught:
            kind(pool)
        said = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [str(frame.locals) for frame in said.stack if "rp_signing/stores" in frame.filename]
        assert ours
        assert "hush" not in "".join([str(caught.value), *ours])
