"""The contract of every nonce store: one claim, one winner, nothing forgotten too early.

A new store is a line of STORES.
"""

import asyncio
import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from parties import BODY, NOW, OLD, Clock, nonces, reason, refusal, signer, verifier
from spec_page import API_KEY

from rp_signing import Claim, MemoryNonceStore, Reason, Signer, StoreError, VerificationError, wire
from rp_signing.replay import Window
from rp_signing.stores.sqlite import SQLiteNonceStore

# How each is opened in a folder of its own; `born` is when it was made, 0: nothing was accepted earlier.
STORES: dict[str, Callable[[Path, float | None], Any]] = {
    "memory": lambda folder, born: MemoryNonceStore(born=born),
    "sqlite": lambda folder, born: SQLiteNonceStore(folder / "nonces.db", born=born),
}


def claim(timestamp: int = NOW, nonce: str = "n" * 22, api_key_id: str = "a" * 16, window: Window = Window()) -> Claim:  # noqa: B008  # immutable
    """A claim as the gate makes it."""
    return Claim(api_key_id, None, timestamp, nonce, 2, "d" * 64, "k" * 16, "sha256=" + "0" * 64, False, False, window)


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Opens stores of one kind in one folder, and closes them."""
    opened = []

    def opener(born: float | None = 0) -> Any:
        opened.append(STORES[request.param](tmp_path, born))
        return opened[-1]

    yield opener
    for store in opened:
        getattr(store, "close", lambda: None)()


@pytest.fixture
def store(make: Any) -> Any:
    """A store that nothing was accepted before."""
    return make()


class TestContract:
    """What every store promises."""

    def test_a_nonce_is_taken_once(self, store: Any) -> None:
        """R10: the second claim of (api key id, timestamp, nonce) is replayed, whatever else differs."""
        store.claim(claim(), Clock())
        assert reason(store.claim, claim(), Clock()) == Reason.REPLAYED
        assert reason(store.claim, claim()._replace(key_id="o" * 16, digest="e" * 64), Clock()) == Reason.REPLAYED
        assert len(store) == 1

    def test_each_part_of_the_triple_counts(self, store: Any) -> None:
        """R18: another api key id, timestamp or nonce is another request, wherever the parts meet."""
        for one in (claim(), claim(NOW + 1), claim(nonce="m" * 22), claim(nonce="N" * 22), claim(api_key_id="b" * 16)):
            store.claim(one, Clock())
        store.claim(claim(nonce="b" + "n" * 22, api_key_id="a" * 15), Clock())
        store.claim(claim(nonce="n" * 22, api_key_id="a" * 15 + "b"), Clock())
        assert len(store) == 7

    def test_the_same_request_under_a_second_secret_is_a_replay(self, store: Any) -> None:
        """R18: the key id is no part of what is unique."""
        gate = verifier(Clock(), store)
        for secret, told in ((None, None), (OLD, Reason.REPLAYED)):
            headers = (signer(Clock(), secret) if secret else signer(Clock())).sign(BODY)
            if told is None:
                gate.verify(headers, BODY)
            else:
                assert reason(gate.verify, headers, BODY) == told

    def test_the_last_second_is_still_remembered(self, store: Any) -> None:
        """R1: through `timestamp + past` a replay is replayed, never taken; after it, it is too old."""
        clock = Clock()
        gate, headers = verifier(clock, store), signer(Clock()).sign(BODY)
        gate.verify(headers, BODY)
        for clock.now in (NOW - 60, NOW, NOW + 299.9, NOW + 300, NOW + 300.999):
            # Another request makes the store forget what it may.
            gate.verify(Signer(api_key=API_KEY, secret=OLD, clock=clock).sign(BODY), BODY)
            assert reason(gate.verify, headers, BODY) == Reason.REPLAYED
        clock.now = NOW + 301
        assert reason(gate.verify, headers, BODY) == Reason.TIMESTAMP_EXPIRED

    def test_what_left_the_window_is_dropped(self, store: Any) -> None:
        """R20: a store that goes on being used does not grow for ever."""
        for second in range(0, 4000, 100):
            store.claim(claim(NOW + second), Clock(NOW + second))
        assert len(store) <= 5

    def test_a_window_that_is_raised_later_opens_nothing(self, store: Any) -> None:
        """R1: what was dropped under a smaller window is refused under a larger one."""
        store.claim(claim(), Clock())
        store.claim(claim(NOW + 301), Clock(NOW + 301))
        wide = claim(window=Window(1000, 60))
        error = refusal(store.claim, wide, Clock(NOW + 301))
        assert (error.reason, error.retry_after) == (Reason.TIMESTAMP_FORGOTTEN, 1)

    def test_a_clock_that_steps_back_opens_nothing(self, store: Any) -> None:
        """R15: what a clock that ran ahead made the store drop is refused until time has passed it again."""
        store.claim(claim(), Clock())
        store.claim(claim(NOW + 5000), Clock(NOW + 5000))
        error = refusal(store.claim, claim(), Clock(NOW - 10))
        assert (error.reason, error.retry_after) == (Reason.TIMESTAMP_FORGOTTEN, 11)
        assert store.claim(claim(NOW + 1), Clock(NOW))

    def test_the_future_is_bounded(self, store: Any) -> None:
        """R19: the window is judged in the claim, at both edges, by the clock as it then is."""
        for offset, told in ((61, "timestamp_future"), (-301, "timestamp_expired")):
            assert reason(store.claim, claim(NOW + offset), Clock()) == told
        for offset in (60, -300):
            store.claim(claim(NOW + offset), Clock(NOW + 0.999))
        assert len(store) == 2

    def test_a_new_store_refuses_what_an_old_one_could_have_taken(self, make: Any) -> None:
        """R9: timestamps up to `floor(born) + future` are refused, with the seconds to wait; the next one is taken."""
        store = make(NOW + 0.9)
        for timestamp, now, wait in ((NOW + 60, NOW, 61), (NOW + 60, NOW + 50, 11), (NOW - 300, NOW, 61)):
            error = refusal(store.claim, claim(timestamp), Clock(now))
            assert (error.reason, error.retry_after) == (Reason.SIGNED_BEFORE_START, wait)
        assert len(store) == 0
        store.claim(claim(NOW + 61), Clock(NOW + 1))

    def test_a_store_is_born_now(self, make: Any) -> None:
        """R9: a store that is told nothing was born when it was made."""
        gate = verifier(None, make(None))  # type: ignore[arg-type]
        assert reason(gate.verify, signer(None).sign(BODY), BODY) == Reason.SIGNED_BEFORE_START  # type: ignore[arg-type]

    def test_forged_requests_leave_nothing(self, store: Any) -> None:
        """R11: the MAC comes first: 500 forged requests leave the store empty."""
        gate, good = verifier(Clock(), store), signer(Clock())
        for number in range(500):
            headers = {**good.sign(BODY), wire.SIGNATURE: f"sha256={number:064x}"}
            assert reason(gate.verify, headers, BODY) == Reason.SIGNATURE_MISMATCH
        assert len(store) == 0

    def test_a_release_acts_once(self, store: Any) -> None:
        """R12: a released nonce can be claimed again; a second release of the first claim frees no one else's."""
        first = store.claim(claim(), Clock())
        store.release(claim(), first)
        assert len(store) == 0
        store.claim(claim(), Clock())
        store.release(claim(), first)
        assert reason(store.claim, claim(), Clock()) == Reason.REPLAYED

    def test_a_token_releases_its_own_claim(self, store: Any) -> None:
        """R12: the token of one claim does not release another."""
        token = store.claim(claim(), Clock())
        store.claim(claim(nonce="m" * 22), Clock())
        store.release(claim(nonce="m" * 22), token)
        assert reason(store.claim, claim(nonce="m" * 22), Clock()) == Reason.REPLAYED

    def test_a_verified_request_is_released_once(self, store: Any) -> None:
        """R12: `release` of a Verified frees its nonce once, whichever of its two forms is called."""
        gate, sender = verifier(Clock(), store), signer(Clock())
        for again in (lambda one: one.release(), lambda one: asyncio.run(one.arelease())):
            headers = sender.sign(BODY)
            verified = gate.verify(headers, BODY)
            again(verified)
            assert gate.verify(headers, BODY).nonce == verified.nonce
            again(verified)
            assert reason(gate.verify, headers, BODY) == Reason.REPLAYED

    def test_a_release_after_the_window_is_nothing(self, store: Any) -> None:
        """R12: a claim that no longer stands is not released, and opens nothing."""
        token = store.claim(claim(), Clock())
        store.claim(claim(NOW + 301), Clock(NOW + 301))
        store.release(claim(), token)
        assert reason(store.claim, claim(window=Window(999, 60)), Clock(NOW + 301)) == Reason.TIMESTAMP_FORGOTTEN

    def test_released_nonces_are_forgotten_in_peace(self, store: Any) -> None:
        """Seconds of which every nonce was released are dropped like any other."""
        for second in range(3):
            store.release(claim(NOW + second), store.claim(claim(NOW + second), Clock(NOW)))
        for second in range(3):
            store.claim(claim(NOW + 400 + second), Clock(NOW + 400))
        assert len(store) == 3

    def test_threads_take_each_nonce_once(self, store: Any) -> None:
        """R10: 8 threads that claim the same 200 nonces take each exactly once."""
        taken: list[str] = []
        others: list[Reason] = []
        start = threading.Barrier(8)

        def worker() -> None:
            draw = nonces()
            start.wait()
            for nonce in (draw() for _ in range(200)):
                try:
                    store.claim(claim(nonce=nonce), Clock())
                    taken.append(nonce)
                except VerificationError as error:
                    others.append(error.reason)

        threads = [threading.Thread(target=worker) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(taken), len(set(taken)), set(others), len(others)) == (200, 200, {Reason.REPLAYED}, 1400)

    def test_coroutines_take_a_request_once(self, store: Any) -> None:
        """R10: of 20 copies that arrive at once in an event loop, one is taken."""
        gate, headers = verifier(Clock(), store), signer(Clock()).sign(BODY)

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(gate.averify(headers, BODY) for _ in range(20)), return_exceptions=True)

        told = Counter(getattr(one, "reason", "taken") for one in asyncio.run(all_at_once()))
        assert told == {"taken": 1, Reason.REPLAYED: 19}

    def test_a_forked_process_is_refused(self, store: Any) -> None:
        """R8: after a fork the store refuses in the child, goes on in the parent, and releases nothing for it."""
        token = store.claim(claim(), Clock())
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that threads and fork do not mix is what this shows
            child = os.fork()
        if not child:
            told = b"?"
            try:
                told = refusal(store.claim, claim(nonce="m" * 22), Clock()).reason.encode()
                store.release(claim(), token)
                told += b", released"
            except StoreError:
                told += b", StoreError"
            finally:
                os.write(writing, told)
                os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        with os.fdopen(reading) as told_by_child:
            assert told_by_child.read().startswith("replay_store_unavailable")
        assert reason(store.claim, claim(), Clock()) == Reason.REPLAYED
        assert store.claim(claim(nonce="m" * 22), Clock())
