"""The simulation of failovers and skews says what the stores promise, and shows a broken setting."""

from __future__ import annotations

import pytest

from benchmarks.simulation import SETTINGS, Outcome, Setting, simulate

SECONDS, RATE = 120, 40.0


@pytest.fixture(scope="module")
def found() -> dict[str, Outcome]:
    """Every setting, short."""
    return {setting.name: simulate(setting, SECONDS, RATE) for setting in SETTINGS}


def of(found: dict[str, Outcome], words: str) -> Outcome:
    """The one whose name holds these words."""
    (outcome,) = [outcome for name, outcome in found.items() if words in name]
    return outcome


@pytest.mark.parametrize("words", ["nothing happens", "up to 30 s", "servers' clocks"])
def test_within_the_window_nothing_is_refused_and_nothing_taken_twice(found: dict[str, Outcome], words: str) -> None:
    """A shared store, clocks that are wrong by less than the window allows: no replay, no honest request refused."""
    outcome = of(found, words)
    assert outcome.copies == 2 * outcome.requests > 8_000
    assert (outcome.replays, outcome.refused.total()) == (0, 0)


def test_a_failover_lets_back_in_what_the_replica_had_not_heard(found: dict[str, Outcome]) -> None:
    """The longer the lag, the more; none where a claim waits for the replica, at the price of some refusals."""
    few, many, none = of(found, "50 ms"), of(found, "1 s behind"), of(found, "wait for the replica")
    assert 0 < few.replays < many.replays
    assert none.replays == 0
    assert 0 < none.refused["unavailable"] < 1_000


def test_a_lost_store_refuses_and_one_that_lies_lets_back_in(found: dict[str, Outcome]) -> None:
    """Born anew, it refuses for a minute; told that nothing was lost, it takes copies."""
    assert of(found, "born anew").replays == 0
    assert set(of(found, "born anew").refused) == {"signed_before_start"}
    assert of(found, "told that nothing was lost").replays > 100


def test_stores_that_are_not_shared_take_copies(found: dict[str, Outcome]) -> None:
    """SPEC WIN-9, broken on purpose."""
    assert of(found, "a store each").replays > 1_000


def test_a_sender_beyond_the_window_is_refused(found: dict[str, Outcome]) -> None:
    """A clock that is over a minute ahead is refused, by name."""
    assert set(of(found, "up to 90 s").refused) == {"timestamp_future"}


def test_a_run_is_made_by_its_seed() -> None:
    """The same seed gives the same outcome, another one another."""
    setting = Setting("x", failovers=5)
    assert simulate(setting, 60, RATE, seed=1) == simulate(setting, 60, RATE, seed=1)
    assert simulate(setting, 60, RATE, seed=1) != simulate(setting, 60, RATE, seed=2)
