"""What the state machine does with a request, and what must hold of what became of it; store_machine.py says what."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from math import floor
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine
from parties import BODY, OLD, OTHER_API_KEY
from spec_page import API_KEY, SECRET
from store_kinds import Kind
from store_model import Life, Reading, Request, Taken

from rp_signing import Keyring, Reason, VerificationError
from rp_signing.replay import Window

SECRETS = [SECRET, OLD, "the-third-secret-that-is-still-to-come-03"]
API_KEYS = [API_KEY, OTHER_API_KEY, "rpx_test_third", "rpx_test_fourth"]
SERVERS = 3
"""Receivers that share one memory, each with a store that it opened itself and a clock of its own."""
WINDOWS = [Window(30, 20), Window(10, 20), Window(60, 20), Window(60, 40), Window(300, 60)]
RECORDED = WINDOWS[:3]  # Of a store that records one: the widest of them. A minute of the clock is all it bears.
CAPACITY, SHARE = 10, 6


class StoreJudge(RuleBasedStateMachine):
    """One kind of store under several servers, one of which is reached at a time; `kind` is set by `drive`."""

    kind: Kind

    @property
    def now(self) -> float:
        """What the clock shows of the server that is reached."""
        return self.clocks[self.at]

    @now.setter
    def now(self, reading: float) -> None:
        self.clocks[self.at] = reading

    @property
    def store(self) -> Any:
        """The store of the server that is reached."""
        return self._store_of(self.at)

    def _any(self, which: int) -> Request:
        return self.requests[-1 - which % len(self.requests)]

    def _resend(self, one: Taken) -> None:
        self._deliver(next(other for other in self.requests if other.triple == one.triple), self.active[0])

    def _store_of(self, server: int) -> Any:
        """Give a server's store, opened now if it is not; what is lost with its process is one store of all threads."""
        if self.stores[server] is None:
            store = self.kind.open(self.place, self.life.born, self.windows[-1], **self.bounds)
            self.stores = [store if at == server or not self.kind.keeps else old for at, old in enumerate(self.stores)]
        return self.stores[server]

    def _end(self, crashed: bool) -> None:
        """End the server that is reached; after a crash its connections and locks are still there."""
        if not self.kind.keeps:
            self._close_all()
        elif crashed:
            self.left.append(self.stores[self.at])
        elif self.stores[self.at] is not None:
            self.kind.close(self.stores[self.at])
        self.stores[self.at] = None

    def _close_all(self) -> None:
        """Close every store, those of crashed servers too."""
        for store in {id(store): store for store in [*self.stores, *self.left] if store is not None}.values():
            self.kind.close(store)
        self.stores, self.left = [None] * SERVERS, []

    def _pass(self, seconds: float) -> None:
        """Time passes at every server."""
        self.true += seconds
        self.clocks = [reading + seconds for reading in self.clocks]

    def _lose(self, born: int) -> None:
        self.life = Life(born)
        self.claims, self.spent = [], []
        self.taken = {one for one in self.taken if one[1] <= self.life.born + self.window.future}

    def _verify(self, headers: dict[str, str], clock: Callable[[], float], store: Any = None) -> Taken | Reason:
        gate = self.kind.gate(
            Keyring.of(dict.fromkeys(API_KEYS, self.active)),
            nonces=self.store if store is None else store,
            past=self.window.past,
            future=self.window.future,
            clock=clock,
        )
        try:
            one = gate.verify(headers, BODY)
        except VerificationError as error:
            return error.reason
        return Taken((one.api_key_id, one.timestamp, one.nonce), one.claim, one._token)

    def _deliver(self, request: Request, secret: str, stall: float = 0) -> None:
        """Send a request, and judge what becomes of it; the clock moves between the gate and the claim."""
        clock = Reading(self.now, stall)
        told = self._verify(request.headers(secret), clock)
        self._judge(request, secret, [told], (floor(self.now), floor(clock.now)))
        self.now, self.true = clock.now, self.true + max(0, clock.now - self.now)

    def _race(self, request: Request) -> None:
        """Send a request twice: the copy reaches another server when the first looks at the clock for its claim."""
        headers, told = request.headers(self.active[0]), []
        now, first, second = self.now, self.store, self._store_of((self.at + 1) % SERVERS)
        other = threading.Thread(target=lambda: told.append(self._verify(headers, lambda: now, second)))

        def meanwhile() -> None:
            other.start()
            other.join(0.002)  # A store that holds a lock lets the other wait, until this claim is done.

        told.append(self._verify(headers, Reading(now, 0, meanwhile), first))
        if other.ident is not None:
            other.join()
        self._judge(request, self.active[0], told, (floor(self.now),))

    def _judge(self, request: Request, secret: str, told: list[Taken | Reason], looks: tuple[int, ...]) -> None:
        """Hold what became of a request (and of its copies) against what must hold; `looks`: what the clock showed."""
        triple, window, life = request.triple, self.window, self.life
        inside = all(now - window.past <= request.timestamp <= now + window.future for now in looks)
        good = secret in self.active and inside
        room = self._has_room(triple[0])
        won = [one for one in told if isinstance(one, Taken)]
        may_be = triple not in self.taken and request.timestamp > life.forgotten_through(looks, window)
        must_be = good and may_be and room and self._knows(request.timestamp) and self._in_reach(looks, -5)
        assert len(won) <= 1, "two copies were taken"
        assert won or not must_be, f"an honest request was refused: {told[0]}"
        if secret in self.active:
            life.look(looks, window)
        for one in won:
            assert triple not in self.taken, "a replay was taken"
            assert good, "a request outside the window or of a retired secret was taken"
            assert self._in_reach(looks[-1:], 5), "a request was taken by a clock that is out of reach"
            assert not self._is_full(triple[0]), "a store took more than it may hold"
            life.take(triple, min(looks), window, alone=len(told) == 1)
            self.taken.add(triple)
            self.claims.append(one)
        if self.kind.drops:
            assert self.kind.size(self.store) <= life.size(), "the store holds what left the window"

    def _has_room(self, api_key_id: str) -> bool:
        return not self.bounds or (self.life.size() < CAPACITY and self.life.size(api_key_id) < SHARE)

    def _is_full(self, api_key_id: str) -> bool:
        live = Counter(one[0] for one in self.life.live())
        return bool(self.bounds) and (live.total() >= CAPACITY or live[api_key_id] >= SHARE)

    def _knows(self, timestamp: int) -> bool:
        """Tell whether the store can know everything that was taken with that timestamp."""
        if not self.kind.recorded:
            return self.life.knows(timestamp, self.window)
        # A caller whose clock is far behind makes it doubt its own: what it could have dropped by that is refused.
        widest = self.windows[-1]
        return self.life.knows(timestamp, widest) and timestamp > self.kind.now() - widest.past + 5

    def _in_reach(self, looks: tuple[int, ...], slack: float) -> bool:
        reach, true = self.kind.reach, self.kind.now()
        return reach is None or all(abs(now - true) <= reach + slack for now in looks)
