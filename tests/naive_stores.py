"""What people write first: for each way to fail that a test can see, the store or the gate that fails so.

Each is the memory store or the gate with one rule broken, named for what it does. NAIVE says which row of the list of
failures (R1 to R20) it stands for, and which test of the contract has to refuse it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from math import floor
from types import SimpleNamespace
from typing import Any, NamedTuple

from store_kinds import Kind, Memory

from rp_signing import Claim, MemoryNonceStore, Reason, VerificationError, Verified, Verifier, wire
from rp_signing.replay import Clock, Window
from rp_signing.stores.memory import _HASH_BITS


class DropsInSilence(MemoryNonceStore):
    """Drops what left the window, and does not remember that it has."""

    def _forget(self, claim: Claim, now: int) -> None:
        super()._forget(claim, now)
        self._forgotten_through = 0


class ForgetsAtExpiry(DropsInSilence):
    """Forgets in the last second, `expiry <= now`, in which the request is still taken."""

    def _forget(self, claim: Claim, now: int) -> None:
        super()._forget(claim, now + 1)


class ForgetsInFractions(DropsInSilence):
    """Forgets by a clock with fractions, while the window counts whole seconds."""

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim, and round up."""
        self._ahead = clock() > floor(clock())
        return super().claim(claim, clock)

    def _forget(self, claim: Claim, now: int) -> None:
        super()._forget(claim, now + self._ahead)


class EvictsWhenFull(MemoryNonceStore):
    """Makes room by dropping the oldest nonces, live or not."""

    def _refuse_if_full(self, claim: Claim, now: int) -> None:
        while self._size >= self._capacity or self._held.get(claim.api_key_id, 0) >= self._share:
            oldest = min(self._buckets)
            self._seconds.remove(oldest)
            for api_key_id, nonces in self._buckets.pop(oldest).items():
                self._count_off(api_key_id, len(nonces))


class SharesWithoutLimit(MemoryNonceStore):
    """Lets one api key use the whole store up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._share = self._capacity


class IgnoresForks(MemoryNonceStore):
    """Goes on in a forked child, whose nonces nobody else sees."""

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim in whatever process."""
        self._process = os.getpid()
        return super().claim(claim, clock)


class WorkersApart(MemoryNonceStore):
    """Is four workers, each with a memory of its own, and a request reaches the next in turn."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._workers = [MemoryNonceStore(**options) for _ in range(3)]
        self._turn = 0

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim at one of the four."""
        self._turn = (self._turn + 1) % 4
        if self._turn:
            return self._workers[self._turn - 1].claim(claim, clock)
        return super().claim(claim, clock)


class BornLongAgo(MemoryNonceStore):
    """Takes every request after a restart, as if nothing had been taken before."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "born": 0})


class ChecksThenSets(MemoryNonceStore):
    """Looks first and enters afterwards: the `seen()` of many libraries."""

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Look, then enter."""
        nonce = hash(claim.nonce) & _HASH_BITS
        if nonce in self._buckets.get(claim.timestamp, {}).get(claim.api_key_id, ()):
            raise VerificationError(Reason.REPLAYED, "seen")
        now = claim.judge_again(clock)
        self._forget(claim, now)
        claim.window.judge_memory(claim.timestamp, self._forgotten_through, now)
        claim.window.judge_birth(claim.timestamp, self._born, now)
        self._refuse_if_full(claim, now)
        self._remember(claim, nonce)
        return SimpleNamespace(claim=claim)


class ClaimsBeforeTheMac(Verifier):
    """Burns the nonce before it has looked at the signature."""

    def verify(self, headers: wire.Headers, body: bytes) -> Verified:
        """Claim, then verify."""
        fields = wire.read_headers(headers)
        entry = self._keyring.find(fields.api_key)
        assert isinstance(fields, wire.SignedFields)
        assert entry
        rest = (len(body), "", "", fields.signature, False, False, self._window)
        claim = Claim(entry.api_key_id, fields.key_id, int(fields.timestamp), fields.nonce, *rest)
        try:
            token = self._store.claim(claim, self._now)
        except OSError as error:
            raise VerificationError(Reason.REPLAY_STORE_UNAVAILABLE, "down") from error
        found, payload = self._judge(headers, body)
        return Verified(payload, found, self._store, token)


class ReleasesAgain(MemoryNonceStore):
    """Frees on each release of a claim, also when the nonce is another's by now."""

    def release(self, claim: Claim, token: Any) -> None:
        """Free, and leave the token as good as new."""
        mine = token.claim
        super().release(claim, token)
        token.claim = mine


class ReleasesForAnyone(MemoryNonceStore):
    """Frees whatever it is told to, whoever claimed it."""

    def release(self, claim: Claim, token: Any) -> None:
        """Free, without a look at the token."""
        token.claim = claim
        super().release(claim, token)


class OpensWhenDown(Verifier):
    """Lets requests through while the store is down."""

    def verify(self, headers: wire.Headers, body: bytes) -> Verified:
        """Verify, or shrug."""
        try:
            return super().verify(headers, body)
        except VerificationError as error:
            if error.reason != Reason.REPLAY_STORE_UNAVAILABLE:
                raise
            claim, payload = self._judge(headers, body)
            return Verified(payload, claim, self._store, None)


class CorrectsTheClock(MemoryNonceStore):
    """Never lets its clock step back, so that one jump ahead shuts everyone out."""

    _latest = 0.0

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim by the latest clock ever seen."""
        self._latest = max(self._latest, clock())
        return super().claim(claim, lambda: max(self._latest, clock()))


class _Patient(Claim):
    """A claim whose window is not looked at again."""

    def judge_again(self, clock: Clock) -> int:
        """Read the clock alone."""
        return floor(clock())


class TrustsTheGate(MemoryNonceStore):
    """Claims without a second look at the window, however long the claim was on its way."""

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim at whatever time."""
        return super().claim(_Patient(*claim), clock)


class _Otherwise(MemoryNonceStore):
    """Keeps claims under other names than their own."""

    def named(self, claim: Claim) -> Claim:
        """What it keeps of a claim."""
        raise NotImplementedError

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim, under that name."""
        return super().claim(self.named(claim), clock)

    def release(self, claim: Claim, token: Any) -> None:
        """Release, under that name."""
        super().release(self.named(claim), token)


class ScopesByKeyId(_Otherwise):
    """Counts the same request under a second secret as another one."""

    def named(self, claim: Claim) -> Claim:
        """With the key id."""
        return claim._replace(nonce=claim.nonce + claim.key_id)


class ScopesNothing(_Otherwise):
    """Keeps the nonces of all api keys in one set."""

    def named(self, claim: Claim) -> Claim:
        """Without the api key."""
        return claim._replace(api_key_id="")


class FramesNothing(_Otherwise):
    """Runs the api key id and the nonce together."""

    def named(self, claim: Claim) -> Claim:
        """Their concatenation."""
        return claim._replace(api_key_id="", nonce=claim.api_key_id + claim.nonce)


class _Endless(Window):
    """A window with a past alone."""

    def judge(self, timestamp: int, now: int) -> None:
        """Refuse what is too old."""
        super().judge(min(timestamp, now), now)


class LooksBackOnly(Verifier):
    """Takes stamps from any future."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._window = _Endless(*self._window)


class ForgetsWhenKilled(MemoryNonceStore):
    """Comes back from a kill without its nonces, and takes itself for as old as it was: no persistence."""

    def start_again(self) -> None:
        """Begin without a nonce."""
        self._buckets.clear()


class CommitsLater(MemoryNonceStore):
    """Says that a nonce is taken before it is on the disk, and comes back from a kill without the last."""

    _last: Claim | None = None

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim, and note which was the last."""
        token = super().claim(claim, clock)
        self._last = claim
        return token

    def start_again(self) -> None:
        """Begin without the last nonce."""
        if self._last is not None:
            self._buckets.get(self._last.timestamp, {}).clear()


class LagsBehind(CommitsLater):
    """Is a replica that had not heard of the last nonces when it became the primary."""


class RetriesWithoutAToken(MemoryNonceStore):
    """Claims again when an answer seems lost, and does not know its own first claim."""

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim, and once more."""
        super().claim(claim, clock)
        return super().claim(claim, clock)


class ForgetsByItsOwnClock(DropsInSilence):
    """Drops nonces by a clock of its own, which runs ahead of the receivers'."""

    def _forget(self, claim: Claim, now: int) -> None:
        super()._forget(claim, now + 601)


class NeverForgets(MemoryNonceStore):
    """Keeps every nonce for ever."""

    def _forget(self, claim: Claim, now: int) -> None:
        pass


class Killed(Memory):
    """A store that outlives its receiver, as far as its own `start_again` lets it."""

    keeps = True

    def place(self) -> Any:
        """Where the store will be."""
        return []

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """The store that is there, started again; or a new one."""
        if place:
            place[0].start_again()
        else:
            place.append(self.store(born=born, **bounds))
        return place[0]


class Naive(NamedTuple):
    """One of them.

    Attributes:
        row: of the list of failures.
        broken: the store or the gate.
        test: the test of test_stores.py that refuses it.
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
    Naive("R19", LooksBackOnly, "TestContract::test_a_request_dated_ahead_is_refused", window=_Endless),
    Naive("R20", NeverForgets, "TestDropping::test_what_left_the_window_is_dropped"),
]
