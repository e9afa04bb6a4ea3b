"""The contract of every nonce store: one claim, one winner, nothing forgotten too early.

A new store is a line of KINDS in store_kinds.py. That each of these tests can fail is shown in test_naive_stores.py.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from parties import BODY, OLD, OTHER, OTHER_API_KEY, nonces, reason, refusal, signer
from store_claims import outcome, together, told_by_a_fork
from store_kinds import KINDS, Started
from store_trial import Down, Trial

from rp_signing import Reason, StoreError, wire


@pytest.fixture(params=KINDS)
def trial(request: pytest.FixtureRequest, kinds: Started) -> Iterator[Trial]:
    """Each kind of store, in a place where nothing is."""
    trial = Trial(kinds[request.param])
    yield trial
    trial.close()


class TestContract:
    """What every store promises."""

    def test_a_nonce_is_taken_once(self, trial: Trial) -> None:
        """R10: the second claim of (api key id, timestamp, nonce) is replayed, whatever else differs."""
        store, first = trial.open(), trial.claim()
        store.claim(first, trial.clock())
        assert reason(store.claim, first, trial.clock()) == Reason.REPLAYED
        assert reason(store.claim, first._replace(key_id="o" * 16, digest="e" * 64), trial.clock()) == Reason.REPLAYED
        assert trial.kind.size(store) == 1

    def test_each_part_of_the_triple_counts(self, trial: Trial) -> None:
        """R18: another api key id, timestamp or nonce is another request, wherever the parts meet."""
        store, one = trial.open(), trial.claim
        for other in (one(), one(1), one(nonce="m" * 22), one(nonce="N" * 22), one(api_key_id="b" * 16)):
            store.claim(other, trial.clock())
        store.claim(one(nonce="b" + "n" * 22, api_key_id="a" * 15), trial.clock())
        store.claim(one(nonce="n" * 22, api_key_id="a" * 15 + "b"), trial.clock())
        assert trial.kind.size(store) == 7

    def test_other_api_keys_do_not_meet(self, trial: Trial) -> None:
        """R18: two api keys that share a secret may draw the same nonce in the same second."""
        store = trial.open()
        gate = trial.gate(trial.clock(), store)
        for api_key in (OTHER_API_KEY, "rpx_live_AbC-_0123456789"):
            gate.verify(trial.sign(0, OTHER, api_key), BODY)
        assert trial.kind.size(store) == 2

    def test_the_same_request_under_a_second_secret_is_a_replay(self, trial: Trial) -> None:
        """R18: the key id is no part of what is unique."""
        gate = trial.gate(trial.clock(), trial.open())
        gate.verify(trial.sign(), BODY)
        assert reason(gate.verify, trial.sign(secret=OLD), BODY) == Reason.REPLAYED

    def test_the_last_second_is_still_remembered(self, trial: Trial) -> None:
        """R1: through `timestamp + past` a replay is replayed, never taken; after it, it is too old."""
        store, clock = trial.open(), trial.clock()
        gate, headers = trial.gate(clock, store), trial.sign()
        gate.verify(headers, BODY)
        for number, offset in enumerate((-20, 0, 29.9, 30, 30.5, 30.999)):
            clock.now = trial.now + offset
            # Another request makes the store forget what it may.
            store.claim(trial.claim(int(offset), nonce=f"{number:022d}"), clock)
            assert reason(gate.verify, headers, BODY) == Reason.REPLAYED
        clock.now = trial.now + 31
        assert reason(gate.verify, headers, BODY) == Reason.TIMESTAMP_EXPIRED

    def test_a_window_that_is_raised_later_opens_nothing(self, trial: Trial) -> None:
        """R1: what was dropped under a smaller window is refused under a larger one."""
        store = trial.open()
        store.claim(trial.claim(), trial.clock())
        store.claim(trial.claim(31), trial.clock(31))
        assert reason(store.claim, trial.claim(past=100), trial.clock(31)) == trial.kind.raised

    def test_a_clock_that_steps_back_opens_nothing(self, trial: Trial) -> None:
        """R15: what a clock that ran ahead could have made the store drop is refused when the clock is right again."""
        store = trial.open()
        store.claim(trial.claim(), trial.clock())
        store.claim(trial.claim(50), trial.clock(50))
        assert reason(store.claim, trial.claim(), trial.clock(-10)) == trial.kind.dropped

    def test_a_clock_that_steps_back_shuts_nobody_out(self, trial: Trial) -> None:
        """R15: `now` is never corrected: when a clock that ran ahead is right again, requests are taken again."""
        store = trial.open()
        store.claim(trial.claim(), trial.clock())
        store.claim(trial.claim(50), trial.clock(50))
        assert store.claim(trial.claim(1), trial.clock(1)) is not None

    def test_a_clock_that_jumps_for_good_opens_nothing(self, trial: Trial) -> None:
        """R15, R16: a clock that jumped by a day takes no copy, neither then nor when it is right again."""
        store, day = trial.open(), 86_400
        store.claim(trial.claim(), trial.clock())
        assert reason(store.claim, trial.claim(), trial.clock(day)) == Reason.TIMESTAMP_EXPIRED
        ahead = partial(store.claim, trial.claim(day), trial.clock(day))
        if trial.kind.reach is None:
            ahead()
            assert reason(ahead) == Reason.REPLAYED
        else:
            assert reason(ahead) == Reason.REPLAY_STORE_UNAVAILABLE
        assert reason(store.claim, trial.claim(), trial.clock()) in (Reason.REPLAYED, trial.kind.dropped)

    def test_the_future_is_bounded(self, trial: Trial) -> None:
        """R19: the window is judged in the claim, at both edges, by the clock as it then is."""
        store = trial.open()
        for offset, told in ((21, "timestamp_future"), (-31, "timestamp_expired")):
            assert reason(store.claim, trial.claim(offset), trial.clock()) == told
        for offset in (20, -30):
            store.claim(trial.claim(offset), trial.clock(0.999))
        assert trial.kind.size(store) == 2

    def test_a_request_dated_ahead_is_refused(self, trial: Trial) -> None:
        """R19: the gate takes no stamp that lies further ahead than the future, however well it is signed."""
        gate = trial.gate(trial.clock(), trial.open())
        for offset in (21, 3600, 10 * 365 * 86_400):
            assert reason(gate.verify, trial.sign(offset), BODY) == Reason.TIMESTAMP_FUTURE
        gate.verify(trial.sign(20), BODY)

    def test_a_claim_that_stalled_is_refused(self, trial: Trial) -> None:
        """R17: when the window is over between the gate's look and the claim, the claim is refused."""
        store, clock = trial.open(), trial.clock()
        found = trial.gate(clock, store).check(trial.sign(), BODY)
        clock.now += 31
        assert reason(store.claim, found, clock) == Reason.TIMESTAMP_EXPIRED
        assert trial.kind.size(store) == 0

    def test_a_new_store_refuses_what_an_old_one_could_have_taken(self, trial: Trial) -> None:
        """R9: timestamps up to `floor(born) + future` are refused, with the seconds to wait; the next one is taken."""
        store = trial.open(trial.now + 0.9)
        for offset, at, wait in ((20, 0, 21), (20, 10, 11), (-30, 0, 21)):
            error = refusal(store.claim, trial.claim(offset), trial.clock(at))
            assert (error.reason, error.retry_after) == (Reason.SIGNED_BEFORE_START, wait)
        assert trial.kind.size(store) == 0
        store.claim(trial.claim(21), trial.clock(1))

    def test_a_store_is_born_now(self, trial: Trial) -> None:
        """R9: a store that is told nothing was born when it was made."""
        store = trial.open(None)
        gate, headers = trial.gate(time.time, store), signer(time.time).sign(BODY)
        assert reason(gate.verify, headers, BODY) == Reason.SIGNED_BEFORE_START

    def test_a_store_that_is_opened_again_takes_no_copy(self, trial: Trial) -> None:
        """R7, R9: after a restart a copy is refused: by what the store kept, or by when it was born."""
        first = trial.open()
        first.claim(trial.claim(20), trial.clock())
        trial.kind.close(first)
        again = trial.open(trial.now)
        told = Reason.REPLAYED if trial.kind.keeps else Reason.SIGNED_BEFORE_START
        assert reason(again.claim, trial.claim(20), trial.clock(10)) == told
        # `born` counts only where a place has to be made.
        other = partial(again.claim, trial.claim(19, nonce="m" * 22), trial.clock(10))
        if trial.kind.keeps:
            other()
        else:
            assert reason(other) == told

    def test_stores_that_start_at_once_are_one_store(self, trial: Trial) -> None:
        """R9, R10: of eight that make the place at once, each says `born` and none a later second; they share it."""
        opened, start = [], threading.Barrier(8)

        def worker() -> None:
            start.wait()
            opened.append(trial.open(0))
            told.append(outcome(opened[-1].claim, trial.claim(), trial.clock()))

        told: list[Any] = []
        together(worker, 8)
        copies = Reason.REPLAYED if trial.kind.keeps else "taken"
        assert Counter(told) == Counter(["taken", *[copies] * 7])

    def test_forged_requests_leave_nothing(self, trial: Trial) -> None:
        """R11: the MAC comes first: 500 forged requests leave the store empty."""
        store = trial.open()
        gate, good = trial.gate(trial.clock(), store), trial.sign()
        for number in range(500):
            headers = {**good, wire.NONCE: f"{number:022d}", wire.SIGNATURE: f"sha256={number:064x}"}
            assert reason(gate.verify, headers, BODY) == Reason.SIGNATURE_MISMATCH
        assert trial.kind.size(store) == 0

    def test_a_store_that_is_down_lets_nothing_through(self, trial: Trial) -> None:
        """R14: while the store is down every request is refused, and the same bytes are taken when it is up."""
        headers = trial.sign()
        error = refusal(trial.gate(trial.clock(), Down()).verify, headers, BODY)
        assert (error.reason, error.status, error.retry_after) == (Reason.REPLAY_STORE_UNAVAILABLE, 503, 1)
        trial.gate(trial.clock(), trial.open()).verify(headers, BODY)

    def test_a_release_acts_once(self, trial: Trial) -> None:
        """R12: a released nonce can be claimed again; a second release of the first claim frees no one else's."""
        store = trial.open()
        first = store.claim(trial.claim(), trial.clock())
        store.release(trial.claim(), first)
        assert trial.kind.size(store) == 0
        store.claim(trial.claim(), trial.clock())
        store.release(trial.claim(), first)
        assert reason(store.claim, trial.claim(), trial.clock()) == Reason.REPLAYED

    def test_a_token_releases_its_own_claim(self, trial: Trial) -> None:
        """R12: the token of one claim does not release another."""
        store, other = trial.open(), trial.claim(nonce="m" * 22)
        token = store.claim(trial.claim(), trial.clock())
        store.claim(other, trial.clock())
        store.release(other, token)
        assert reason(store.claim, other, trial.clock()) == Reason.REPLAYED

    def test_a_verified_request_is_released_once(self, trial: Trial) -> None:
        """R12: `release` of a Verified frees its nonce once, whichever of its two forms is called."""
        gate = trial.gate(trial.clock(), trial.open())
        for offset, again in enumerate((lambda one: one.release(), lambda one: asyncio.run(one.arelease()))):
            headers = trial.sign(offset)
            verified = gate.verify(headers, BODY)
            again(verified)
            assert gate.verify(headers, BODY).nonce == verified.nonce
            again(verified)
            assert reason(gate.verify, headers, BODY) == Reason.REPLAYED

    def test_a_release_after_the_window_is_nothing(self, trial: Trial) -> None:
        """R12: a claim that no longer stands is not released, and opens nothing."""
        store = trial.open()
        token = store.claim(trial.claim(), trial.clock())
        store.claim(trial.claim(31), trial.clock(31))
        store.release(trial.claim(), token)
        assert reason(store.claim, trial.claim(past=100), trial.clock(31)) == trial.kind.raised
        assert reason(store.claim, trial.claim(), trial.clock(31)) == Reason.TIMESTAMP_EXPIRED

    def test_released_nonces_are_forgotten_in_peace(self, trial: Trial) -> None:
        """Seconds of which every nonce was released are dropped like any other."""
        store = trial.open()
        for second in range(3):
            store.release(trial.claim(second), store.claim(trial.claim(second), trial.clock()))
        for second in range(3):
            store.claim(trial.claim(40 + second), trial.clock(40))
        assert trial.kind.size(store) == 3

    def test_a_copy_that_comes_during_the_claim_is_refused(self, trial: Trial) -> None:
        """R10: nothing comes between the look and the entry: of two copies one is taken, whoever waits for whom."""
        store, told = trial.open(), []

        def attempt(clock: Callable[[], float]) -> None:
            told.append(outcome(store.claim, trial.claim(), clock))

        other = threading.Thread(target=attempt, args=[trial.clock()])

        def clock() -> float:
            if other.ident is None:
                other.start()
                other.join(0.05)  # A store that holds a lock lets the other wait, until this claim is done.
            return trial.now

        attempt(clock)
        other.join()
        assert sorted(told) == [Reason.REPLAYED, "taken"]

    def test_threads_take_each_nonce_once(self, trial: Trial) -> None:
        """R10: 8 threads that claim the same 100 nonces take each exactly once."""
        store, start = trial.open(), threading.Barrier(8)
        told: list[Any] = []

        def worker() -> None:
            draw = nonces()
            start.wait()
            for nonce in (draw() for _ in range(100)):
                what = outcome(store.claim, trial.claim(nonce=nonce), trial.clock())
                told.append(nonce if what == "taken" else what)

        together(worker, 8)
        others = Counter(told)
        assert others.pop(Reason.REPLAYED) == 700
        assert list(others.values()) == [1] * 100

    def test_coroutines_take_a_request_once(self, trial: Trial) -> None:
        """R10: of 20 copies that arrive at once in an event loop, one is taken."""
        gate, headers = trial.gate(trial.clock(), trial.open()), trial.sign()

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*(gate.averify(headers, BODY) for _ in range(20)), return_exceptions=True)

        told = Counter(getattr(one, "reason", "taken") for one in asyncio.run(all_at_once()))
        assert told == {"taken": 1, Reason.REPLAYED: 19}

    def test_a_forked_process_is_refused(self, trial: Trial) -> None:
        """R8: after a fork the store refuses in the child, goes on in the parent, and releases nothing for it."""
        store, other = trial.open(), trial.claim(nonce="m" * 22)
        token = store.claim(trial.claim(), trial.clock())
        told = told_by_a_fork(lambda: store.claim(other, trial.clock()), lambda: store.release(trial.claim(), token))
        assert told == [Reason.REPLAY_STORE_UNAVAILABLE, StoreError.__name__]
        assert reason(store.claim, trial.claim(), trial.clock()) == Reason.REPLAYED
        assert store.claim(other, trial.clock()) is not None
