"""What stores promise of their size: what left the window is dropped, and what is full refuses.

That each of these tests can fail is shown in test_naive_stores.py.
"""

from collections.abc import Iterator

import pytest
from parties import reason, refusal
from store_kinds import KINDS, Started
from store_trial import Trial

from rp_signing import Reason


class TestDropping:
    """What stores promise that drop inside a claim, by the caller's clock."""

    @pytest.fixture(params=[name for name, kind in KINDS.items() if kind.drops])
    def trial(self, request: pytest.FixtureRequest, kinds: Started) -> Iterator[Trial]:
        """Each of them, in a place where nothing is."""
        trial = Trial(kinds[request.param])
        yield trial
        trial.close()

    def test_what_left_the_window_is_dropped(self, trial: Trial) -> None:
        """R20: a store that goes on being used does not grow for ever."""
        store = trial.open()
        for second in range(0, 400, 10):
            store.claim(trial.claim(second), trial.clock(second))
        assert trial.kind.size(store) <= 5

    def test_who_was_forgotten_is_told_how_long_to_wait(self, trial: Trial) -> None:
        """R15: `timestamp_forgotten` comes with the seconds until a new request is taken."""
        store = trial.open()
        store.claim(trial.claim(), trial.clock())
        store.claim(trial.claim(500), trial.clock(500))
        for at, wait in ((-10, 11), (0, 1)):
            error = refusal(store.claim, trial.claim(nonce="m" * 22), trial.clock(at))
            assert (error.reason, error.retry_after) == (Reason.TIMESTAMP_FORGOTTEN, wait)


class TestBounded:
    """What stores promise that hold a number of nonces."""

    @pytest.fixture(params=[name for name, kind in KINDS.items() if kind.bounded])
    def trial(self, request: pytest.FixtureRequest, kinds: Started) -> Iterator[Trial]:
        """Each of them, in a place where nothing is."""
        trial = Trial(kinds[request.param])
        yield trial
        trial.close()

    def test_a_store_that_is_full_refuses(self, trial: Trial) -> None:
        """R2: a full store refuses with the seconds until it has room, and evicts nothing that lives."""
        store = trial.open(capacity=3, share=3)
        for second in range(3):
            store.claim(trial.claim(second), trial.clock())
        error = refusal(store.claim, trial.claim(3), trial.clock(3))
        assert (error.reason, error.status, error.retry_after) == (Reason.REPLAY_STORE_FULL, 503, 28)
        for second in range(3):
            assert reason(store.claim, trial.claim(second), trial.clock(3)) == Reason.REPLAYED
        store.claim(trial.claim(31), trial.clock(31))
        assert trial.kind.size(store) == 3

    def test_one_sender_cannot_fill_the_store(self, trial: Trial) -> None:
        """R3: an api key that has used up its quarter is refused with 429, and the others go on."""
        store = trial.open(capacity=8)
        for nonce in ("a" * 22, "b" * 22):
            store.claim(trial.claim(nonce=nonce), trial.clock())
        error = refusal(store.claim, trial.claim(nonce="c" * 22), trial.clock(10))
        assert (error.reason, error.status, error.retry_after) == (Reason.REPLAY_KEY_FULL, 429, 21)
        store.claim(trial.claim(api_key_id="b" * 16), trial.clock())
