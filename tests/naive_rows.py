"""Which row of the list of failures (R1 to R20) each naive store or gate stands for, and what has to refuse it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NamedTuple

from naive_gates import ClaimsBeforeTheMac, Endless, LooksBackOnly, OpensWhenDown
from naive_stores import (
    BornLongAgo,
    ChecksThenSets,
    CommitsLater,
    CorrectsTheClock,
    DropsInSilence,
    EvictsWhenFull,
    ForgetsAtExpiry,
    ForgetsByItsOwnClock,
    ForgetsInFractions,
    ForgetsWhenKilled,
    FramesNothing,
    IgnoresForks,
    LagsBehind,
    NeverForgets,
    ReleasesAgain,
    ReleasesForAnyone,
    RetriesWithoutAToken,
    ScopesByKeyId,
    ScopesNothing,
    SharesWithoutLimit,
    TrustsTheGate,
    WorkersApart,
)
from store_kinds import Kind, Memory

from rp_signing import MemoryNonceStore, Verifier
from rp_signing.replay import Window


class Killed(Memory):
    """A store that outlives its servers, as far as its own `start_again` lets it; they share it."""

    keeps = True
    bounded = False

    def place(self) -> Any:
        """Where the store will be."""
        return []

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """The store that is there, or a new one."""
        if not place:
            place.append(self.store(born=born, **bounds))
        return place[0]

    def close(self, store: Any) -> None:
        """End it, and start it again."""
        store.start_again()


class Naive(NamedTuple):
    """One of them.

    Attributes:
        row: of the list of failures.
        broken: the store or the gate.
        test: the test of test_stores.py or test_stores_bounds.py that refuses it.
        unseen: why the state machine cannot find it; empty: it has to.
        window: what claims carry.
    """

    row: str
    broken: type[MemoryNonceStore] | type[Verifier]
    test: str
    unseen: str = ""
    window: type[Window] = Window

    @property
    def name(self) -> str:
        """The row and what the broken one does."""
        return f"{self.row} {self.broken.__name__}"

    def kind(self) -> Kind:
        """It, as a kind of store."""
        kind = (Killed if hasattr(self.broken, "start_again") else Memory)(ExitStack())
        kind.window = self.window
        if issubclass(self.broken, Verifier):
            kind.gate = self.broken
        else:
            kind.store = self.broken
        return kind


NAIVE = [
    Naive("R1", ForgetsAtExpiry, "TestContract::test_the_last_second_is_still_remembered"),
    Naive("R1", ForgetsInFractions, "TestContract::test_the_last_second_is_still_remembered"),
    Naive("R1", DropsInSilence, "TestContract::test_a_window_that_is_raised_later_opens_nothing"),
    Naive("R2", EvictsWhenFull, "TestBounded::test_a_store_that_is_full_refuses"),
    Naive("R3", SharesWithoutLimit, "TestBounded::test_one_sender_cannot_fill_the_store"),
    Naive("R4", ForgetsWhenKilled, "TestContract::test_a_store_that_is_opened_again_takes_no_copy"),
    Naive("R5", LagsBehind, "TestContract::test_a_store_that_is_opened_again_takes_no_copy"),
    Naive("R6", CommitsLater, "TestContract::test_a_store_that_is_opened_again_takes_no_copy"),
    Naive("R7", CommitsLater, "TestContract::test_a_store_that_is_opened_again_takes_no_copy"),
    Naive("R8", IgnoresForks, "TestContract::test_a_forked_process_is_refused", "it runs in one process"),
    Naive("R8", WorkersApart, "TestContract::test_a_nonce_is_taken_once"),
    Naive("R9", BornLongAgo, "TestContract::test_a_store_that_is_opened_again_takes_no_copy"),
    Naive("R10", ChecksThenSets, "TestContract::test_a_copy_that_comes_during_the_claim_is_refused"),
    Naive("R11", ClaimsBeforeTheMac, "TestContract::test_forged_requests_leave_nothing"),
    Naive("R12", ReleasesAgain, "TestContract::test_a_release_acts_once"),
    Naive("R12", ReleasesForAnyone, "TestContract::test_a_token_releases_its_own_claim"),
    Naive("R13", RetriesWithoutAToken, "TestContract::test_a_nonce_is_taken_once"),
    Naive("R14", OpensWhenDown, "TestContract::test_a_store_that_is_down_lets_nothing_through"),
    Naive("R15", DropsInSilence, "TestContract::test_a_clock_that_steps_back_opens_nothing"),
    Naive("R15", CorrectsTheClock, "TestContract::test_a_clock_that_steps_back_shuts_nobody_out"),
    Naive("R16", ForgetsByItsOwnClock, "TestContract::test_the_last_second_is_still_remembered"),
    Naive("R17", TrustsTheGate, "TestContract::test_a_claim_that_stalled_is_refused"),
    Naive("R18", ScopesByKeyId, "TestContract::test_the_same_request_under_a_second_secret_is_a_replay"),
    Naive("R18", ScopesNothing, "TestContract::test_other_api_keys_do_not_meet"),
    Naive("R18", FramesNothing, "TestContract::test_each_part_of_the_triple_counts", "every api key id has 16 digits"),
    Naive("R19", LooksBackOnly, "TestContract::test_a_request_dated_ahead_is_refused", window=Endless),
    Naive("R20", NeverForgets, "TestDropping::test_what_left_the_window_is_dropped"),
]
