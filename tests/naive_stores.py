"""What people write first: for each way to fail that a test can see, the store that fails so.

Each is the memory store with one rule broken, named for what it does. naive_rows.py says which row of the list of
failures it stands for.
"""

from __future__ import annotations

import os
from math import floor
from types import SimpleNamespace
from typing import Any

from rp_signing import Claim, MemoryNonceStore, Reason, VerificationError
from rp_signing.replay import Clock
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


class ForgetsWhenKilled(MemoryNonceStore):
    """Comes back from a kill without its nonces, and takes itself for as old as it was: no persistence."""

    def start_again(self) -> None:
        """Begin without a nonce."""
        self._buckets.clear()
        self._seconds.clear()
        self._held.clear()
        self._size = 0


class CommitsLater(MemoryNonceStore):
    """Says that a nonce is taken before it is on the disk, and comes back from a kill without the last."""

    _last: tuple[Claim, Any] | None = None

    def claim(self, claim: Claim, clock: Clock) -> Any:
        """Claim, and note which was the last."""
        token = super().claim(claim, clock)
        self._last = (claim, token)
        return token

    def start_again(self) -> None:
        """Begin without the last nonce."""
        if self._last is not None:
            self.release(*self._last)


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
