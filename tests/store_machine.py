"""Gates and their store under everything that may happen to them, step by step in any order (Hypothesis).

Four clients send, three servers with clocks of their own receive, crash and start again, and secrets are rotated.

What must hold, whatever was done before:

- No request is taken twice, unless it was released in between, by the token of its own claim.
- No forged request is taken, none that lies outside the window at the claim, and none while the store is down.
- An honest request inside the window is taken, while the store is up and has room, unless its second could have been
  taken by a memory that was lost, or lies where a clock that ran ahead has made the store forget.
- A bounded store holds no more than it may, and what left the window is dropped.

One thing no store can promise: when its memory is lost while the clock lies behind the one that requests were taken by,
those dated after `born + future` can come again. The model then forgets them too.
"""

from __future__ import annotations

from math import floor
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from store_judge import API_KEYS, CAPACITY, RECORDED, SECRETS, SERVERS, SHARE, WINDOWS, StoreJudge
from store_kinds import Kind
from store_model import Life, Request, Taken, Triple
from store_trial import Down

from rp_signing import wire
from rp_signing.replay import Window

STEPS = 50

PICK = st.integers(0, 30)
SECONDS = st.sampled_from([0.5, 1, 5, 20, 21, 30, 31, 51])
STALLS = st.sampled_from([0, 0, 0, 0, 0, 0.5, 5, 31, -5, -31])
PAUSES = st.sampled_from([21, 0, 31, 51])
AGES = st.sampled_from([0, 0, 0, 0, 0, 0, 1, 30, 31, -20, -21, -3600])
KEYS = st.sampled_from(API_KEYS)
NONCES = st.sampled_from(["a" * 22, "b" * 22])


class StoreMachine(StoreJudge):
    """The rules."""

    @initialize(first_start=st.sampled_from([True, True, False]), bounded=st.booleans())
    def begin(self, first_start: bool, bounded: bool) -> None:
        """Make the first store: with nothing before it or born now, and small if it can be."""
        self.true: float = self.kind.now()
        self.clocks: list[float] = [self.true] * SERVERS
        self.at = 0
        self.windows = RECORDED if self.kind.recorded else WINDOWS
        self.window = self.windows[0]
        self.active = SECRETS[:2]
        self.requests: list[Request] = []
        self.taken: set[Triple] = set()
        self.claims: list[Taken] = []
        self.spent: list[Taken] = []
        self.bounds = {"capacity": CAPACITY, "share": SHARE} if bounded and self.kind.bounded else {}
        self.life = Life(0 if first_start else floor(self.now))
        self.place = self.kind.place()
        self.stores: list[Any] = [None] * SERVERS
        self.left: list[Any] = []
        self._store_of(self.at)

    def teardown(self) -> None:
        """Close what is open."""
        if hasattr(self, "stores"):
            self._close_all()
            self.kind.leave(self.place)

    # What the sender does.

    @rule(age=AGES, api_key=KEYS, nonce=NONCES, stall=STALLS)
    def claim_fresh(self, age: int, api_key: str, nonce: str, stall: float) -> None:
        """A request arrives that is as old as told; the clock may move between gate and claim."""
        self.requests.append(Request(api_key, floor(self.now) - age, nonce))
        self._deliver(self.requests[-1], self.active[0], stall)

    @precondition(lambda self: self.requests)
    @rule(which=PICK, stall=STALLS)
    def replay(self, which: int, stall: float) -> None:
        """A copy of an earlier request arrives."""
        self._deliver(self._any(which), self.active[0], stall)

    @precondition(lambda self: self.requests)
    @rule(which=PICK, nonce=NONCES, last=st.booleans())
    def claim_beside(self, which: int, nonce: str, last: bool) -> None:
        """A request of the same second as an earlier one arrives, in the last second in which it is taken or now."""
        earlier = self._any(which)
        if last:
            self.come_to_the_edge(which, 0)
        self.requests.append(earlier._replace(nonce=nonce))
        self._deliver(self.requests[-1], self.active[0])

    @precondition(lambda self: self.requests)
    @rule(which=PICK, retired=st.booleans())
    def replay_under_another_secret(self, which: int, retired: bool) -> None:
        """An earlier request arrives with the signature of the second active secret, or of one that is out."""
        out = next(one for one in SECRETS if one not in self.active)
        self._deliver(self._any(which), out if retired else self.active[1])

    @rule(which=PICK, api_key=KEYS, fresh=st.booleans())
    def race(self, which: int, api_key: str, fresh: bool) -> None:
        """Two copies of a request arrive, the second while the first is being claimed."""
        if fresh or not self.requests:
            self.requests.append(Request(api_key, floor(self.now), "c" * 22))
            which = 0
        self._race(self._any(which))

    @rule(api_key=KEYS, nonce=NONCES, spoiled=st.sampled_from([wire.SIGNATURE, wire.NONCE, wire.TIMESTAMP]))
    def forge(self, api_key: str, nonce: str, spoiled: str) -> None:
        """A stranger sends a request before its sender does, with one header of his own; then the sender sends it."""
        request = Request(api_key, floor(self.now), nonce)
        theirs = {wire.SIGNATURE: "sha256=" + "0" * 64, wire.NONCE: "z" * 22, wire.TIMESTAMP: str(floor(self.now) - 1)}
        headers = {**request.headers(self.active[0]), spoiled: theirs[spoiled]}
        told = self._verify(headers, lambda: self.now)
        assert not isinstance(told, Taken), f"a forged {spoiled} was taken"
        self.requests.append(request)
        self._deliver(request, self.active[0])

    @rule(api_key=KEYS, base=st.sampled_from([0, 10]))
    def fill(self, api_key: str, base: int) -> None:
        """Seven requests arrive within a second."""
        for number in range(base, base + 7):
            self.requests.append(Request(api_key, floor(self.now), f"{number:022d}"))
            self._deliver(self.requests[-1], self.active[0])

    # What the clock does.

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        """Time passes; a clock that is out of a store's reach is set right meanwhile."""
        if not self._in_reach((floor(self.now + seconds),), 0):
            self.set_right()
            return
        self._pass(seconds)

    @rule(seconds=SECONDS)
    def step_back(self, seconds: float) -> None:
        """The clock is set back."""
        self.now -= seconds

    @rule(seconds=st.sampled_from([31, 100, 3600, 86_400]))
    def jump_ahead(self, seconds: int) -> None:
        """The clock jumps ahead."""
        self.now += seconds

    @precondition(lambda self: self.requests)
    @rule(which=PICK, beyond=st.sampled_from([0, 0.5, 1, 1.5]))
    def come_to_the_edge(self, which: int, beyond: float) -> None:
        """The clock comes to the last second in which a request is taken, or past it."""
        edge = self._any(which).timestamp + self.window.past + beyond
        self._pass(max(0, edge - self.now))
        self.now = edge

    @rule()
    def set_right(self) -> None:
        """The clock is set right."""
        self.now = self.true = self.kind.right(self.true)

    # What the receiver does.

    @rule(server=st.integers(0, SERVERS - 1))
    def reach_another(self, server: int) -> None:
        """What comes next reaches this server, by whose clock it is judged."""
        self.at = server

    @rule(pause=PAUSES, crashed=st.booleans())
    def restart(self, pause: int, crashed: bool) -> None:
        """The server ends, closing its store or not, and starts again; what the store keeps is there."""
        self._end(crashed)
        if not self.kind.keeps:
            self._lose(floor(self.now))
        self._store_of(self.at)
        self.advance(pause)

    @rule(pause=PAUSES, running=st.booleans())
    def lose_the_memory(self, pause: int, running: bool) -> None:
        """What the store remembers is lost, under a running receiver where it can go on."""
        born = self.kind.empty(self.store) if running else None
        self._lose(floor(self.now) if born is None else born)
        if born is None:
            self._close_all()
            self.kind.leave(self.place)
            self.place = self.kind.place()
            self._store_of(self.at)
        self.advance(pause)

    @rule(which=st.integers(0, len(WINDOWS) - 1))
    def change_the_window(self, which: int) -> None:
        """The window is raised, or its past lowered."""
        wanted = self.windows[which % len(self.windows)]
        self.window = Window(wanted.past, max(self.window.future, wanted.future))

    @rule()
    def rotate(self) -> None:
        """A new secret comes, and the oldest one goes."""
        self.active = [next(one for one in SECRETS if one not in self.active), self.active[0]]

    @precondition(lambda self: self.requests)
    @rule(which=PICK)
    def outage(self, which: int) -> None:
        """A request arrives while the store is down."""
        told = self._verify(self._any(which).headers(self.active[0]), lambda: self.now, Down())
        assert not isinstance(told, Taken), "a request was taken while the store was down"

    # What is drawn for these hangs on no answer of a store: one with a clock of its own may answer otherwise next time.

    @rule(which=PICK, times=st.integers(0, 2))
    def release(self, which: int, times: int) -> None:
        """A claim is given back, and the same bytes may come again; then once more, with the token that was used up."""
        if self.claims:
            one = self.claims.pop(-1 - which % len(self.claims))
            self.spent.append(one)
            self.store.release(one.claim, one.token)
            self.taken.discard(one.triple)
            self.life.held.get(one.claim.timestamp, set()).discard(one.triple)
            if times > 0:
                self._resend(one)
            if times > 1:
                self.store.release(one.claim, one.token)
                self._resend(one)

    @rule(which=PICK, resend=st.booleans())
    def release_again(self, which: int, resend: bool) -> None:
        """A claim that was given back is given back once more, whoever holds its nonce by now."""
        if self.spent:
            one = self.spent[-1 - which % len(self.spent)]
            self.store.release(one.claim, one.token)
            if resend:
                self._resend(one)

    @rule(which=PICK, whose=PICK)
    def release_with_another_token(self, which: int, whose: int) -> None:
        """A claim is given back with the token of another."""
        if self.claims:
            one, other = self.claims[which % len(self.claims)], self.claims[whose % len(self.claims)]
            if one.triple != other.triple:
                self.store.release(one.claim, other.token)


def drive(kind: Kind, examples: int, steps: int = STEPS, first: int = 0, shrink: bool = True) -> None:
    """Run the machine over one kind of store, the same way each time.

    Args:
        kind: of store.
        examples: how many times from the beginning.
        steps: of each, at the most.
        first: another number, other examples.
        shrink: whether to look for the fewest steps, when something does not hold.

    Raises:
        AssertionError: something did not hold; the steps that lead there are printed.
    """
    machine = type(f"{type(kind).__name__}Machine", (StoreMachine,), {"kind": kind})
    run_state_machine_as_test(
        seed(first)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
