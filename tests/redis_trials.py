"""One Valkey for the tests of a file, stores on it, and claims made for it."""

import time
from collections import Counter
from collections.abc import Iterator
from math import floor
from typing import Any

import pytest
from parties import Clock, nonces
from store_claims import claim
from valkey_server import Valkey, redis_store

from rp_signing import Claim, VerificationError
from rp_signing.replay import Window
from rp_signing.stores.redis import RedisNonceStore
from rp_signing.stores.redis_script import CLAIM, Keys

LIFE = 300 + 60 + 120
NARROW = Window(30, 20)
BEGUN = Clock()
"""When the test that runs began, whole seconds: the same request is made a second later just as it was."""


@pytest.fixture(autouse=True)
def _begin() -> None:
    """Look at the clock once a test."""
    BEGUN.now = floor(time.time())


@pytest.fixture(scope="module")
def alone() -> Iterator[Valkey]:
    """One server for all tests that leave it as it was."""
    with Valkey() as server:
        yield server


@pytest.fixture
def server(alone: Valkey) -> Valkey:
    """That server, with nothing in it."""
    alone.command("FLUSHALL")
    return alone


@pytest.fixture
def store(server: Valkey) -> Iterator[RedisNonceStore]:
    """A store that nothing was accepted before."""
    opened = redis_store(server)
    yield opened
    opened.close()


def request(number: int = 0, ahead: int = 0, **options: Any) -> Claim:
    """A claim of a request that was signed when the test began, or so many seconds later."""
    return claim(floor(BEGUN()) + ahead, f"{number:022d}", **options)


def in_tag(tag: int, count: int) -> list[Claim]:
    """Claims whose nonces fall into one of the 256 parts."""
    draw, keys = nonces(), Keys("rp")
    found: list[Claim] = []
    while len(found) < count:
        one = claim(floor(BEGUN()), draw())
        if keys.of(one)[0] == tag:
            found.append(one)
    return found


def call_of(one: Claim, deadline: int = 2**53) -> tuple[Any, ...]:
    """The call of the script for a claim, with a token that does not change."""
    number, name = Keys("rp").of(one)
    now = floor(BEGUN())
    return CLAIM.call((Keys("rp").tags[number], name), one.timestamp, b"12345678", now, 300, 60, deadline, 300, 60, 0)


def record(server: Valkey, one: Claim) -> dict[str, int]:
    """What stands beside a nonce."""
    told = server.command("HGETALL", Keys("rp").tags[Keys("rp").of(one)[0]])
    return {name.decode(): int(value) for name, value in told.items()}


def taken(store: RedisNonceStore, claims: list[Claim]) -> Counter[str]:
    """What becomes of claims that are made one after the other."""
    told = Counter[str]()
    for one in claims:
        try:
            store.claim(one, time.time)
            told["taken"] += 1
        except VerificationError as error:
            told[error.reason] += 1
    return told


# Clocks and lifetimes
