"""A gate and its store under everything that may happen to them, step by step in any order (Hypothesis).

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

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from parties import BODY, OLD, OTHER_API_KEY
from spec_page import API_KEY, SECRET
from store_kinds import Down, Kind

from rp_signing import Claim, Keyring, Reason, Signer, VerificationError, wire
from rp_signing.keys import api_key_id
from rp_signing.replay import Window

SECRETS = [SECRET, OLD, "the-third-secret-that-is-still-to-come-03"]
API_KEYS = [API_KEY, OTHER_API_KEY]
WINDOWS = [Window(30, 20), Window(10, 20), Window(60, 20), Window(60, 40), Window(300, 60)]
RECORDED = WINDOWS[:3]  # Of a store that records one: the widest of them. A minute of the clock is all it bears.
CAPACITY, SHARE = 10, 6
STEPS = 50

PICK = st.integers(0, 30)
SECONDS = st.sampled_from([0.5, 1, 5, 20, 21, 30, 31, 51])
STALLS = st.sampled_from([0, 0, 0, 0, 0, 0.5, 5, 31, -5, -31])
PAUSES = st.sampled_from([21, 0, 31, 51])
AGES = st.sampled_from([0, 0, 0, 0, 0, 0, 1, 30, 31, -20, -21, -3600])
KEYS = st.sampled_from(API_KEYS)
NONCES = st.sampled_from(["a" * 22, "b" * 22])

Triple = tuple[str, int, str]


class Request(NamedTuple):
    """What a sender signs."""

    api_key: str
    timestamp: int
    nonce: str

    @property
    def triple(self) -> Triple:
        """What is unique."""
        return (api_key_id(self.api_key), self.timestamp, self.nonce)

    def headers(self, secret: str) -> dict[str, str]:
        """Sign it."""
        signer = Signer(api_key=self.api_key, secret=secret, clock=lambda: self.timestamp, nonce=lambda: self.nonce)
        return signer.sign(BODY)


class Taken(NamedTuple):
    """A request that was taken, and what gives it back."""

    triple: Triple
    claim: Claim
    token: Any
    life: int


@dataclass
class Life:
    """What the model knows of one memory, from its birth to its loss.

    Attributes:
        number: counts the memories.
        born: whole Unix seconds; 0: nothing was accepted earlier.
        held: timestamp → requests that it holds at the most.
        seen: every timestamp that was ever held.
        dropping: the highest timestamp that could have been dropped by now.
    """

    number: int
    born: int
    held: dict[int, set[Triple]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    dropping: int = 0

    def look(self, looks: tuple[int, ...], window: Window) -> None:
        """A claim drops what has left its window, by the clock as it is."""
        self.dropping = max(self.dropping, max(looks) - window.past - 1)

    def take(self, triple: Triple, now: int, window: Window) -> None:
        """A claim that takes a request drops two timestamps or more that have left its window."""
        for timestamp in sorted(one for one in self.held if window.may_forget(one, now))[:2]:
            del self.held[timestamp]
        self.held.setdefault(triple[1], set()).add(triple)
        self.seen.add(triple[1])

    def forgotten_through(self, looks: tuple[int, ...], window: Window) -> int:
        """The highest timestamp that may rightly be refused as forgotten, after a claim at these times."""
        dropping = max(self.dropping, max(looks) - window.past - 1)
        return max((one for one in self.seen if one <= dropping), default=0)

    def knows(self, timestamp: int, window: Window) -> bool:
        """Tell whether no memory before this one could have taken it."""
        return not self.born or timestamp > self.born + window.future

    def live(self) -> list[Triple]:
        """What it cannot have dropped."""
        return [one for timestamp, held in self.held.items() if timestamp > self.dropping for one in held]

    def size(self, api_key_id: str | None = None) -> int:
        """How many requests it holds at the most, of one api key id or of all."""
        return sum(api_key_id in (None, one[0]) for held in self.held.values() for one in held)


class Reading:
    """The clock of one delivery: at the gate it shows one time, at the claim another."""

    def __init__(self, now: float, stall: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.now, self.stall, self.meanwhile, self.looks = now, stall, meanwhile, 0

    def __call__(self) -> float:
        """The reading; the first is the gate's, the second the claim's."""
        self.looks += 1
        if self.looks == 2:
            self.now += self.stall
            self.meanwhile()
        return self.now


class StoreMachine(RuleBasedStateMachine):
    """The rules; `kind` is set by `drive`."""

    kind: Kind

    @initialize(first_start=st.sampled_from([True, True, False]), bounded=st.booleans())
    def begin(self, first_start: bool, bounded: bool) -> None:
        """Make the first store: with nothing before it or born now, and small if it can be."""
        self.true: float = self.kind.now()
        self.now: float = self.true
        self.windows = RECORDED if self.kind.recorded else WINDOWS
        self.window = self.windows[0]
        self.active = SECRETS[:2]
        self.requests: list[Request] = []
        self.taken: set[Triple] = set()
        self.claims: list[Taken] = []
        self.spent: list[Taken] = []
        self.bounds = {"capacity": CAPACITY, "share": SHARE} if bounded and self.kind.bounded else {}
        self.life = Life(0, 0 if first_start else floor(self.now))
        self.place = self.kind.place()
        self.store: Any = None
        self._open()

    def teardown(self) -> None:
        """Close what is open."""
        if hasattr(self, "store"):
            self.kind.close(self.store)
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
        self.true += seconds
        self.now += seconds

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
        self.true += max(0, edge - self.now)
        self.now = edge

    @rule()
    def set_right(self) -> None:
        """The clock is set right."""
        self.now = self.true = self.kind.right(self.true)

    # What the receiver does.

    @rule(pause=PAUSES)
    def restart(self, pause: int) -> None:
        """The receiver starts again; what its store keeps is there."""
        if not self.kind.keeps:
            self._lose(floor(self.now))
        self._open()
        self.advance(pause)

    @rule(pause=PAUSES, running=st.booleans())
    def lose_the_memory(self, pause: int, running: bool) -> None:
        """What the store remembers is lost, under a running receiver where it can go on."""
        born = self.kind.empty(self.store) if running else None
        self._lose(floor(self.now) if born is None else born)
        if born is None:
            self.kind.close(self.store)
            self.kind.leave(self.place)
            self.place, self.store = self.kind.place(), None
            self._open()
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

    @rule(which=PICK, resend=st.booleans())
    def release(self, which: int, resend: bool) -> None:
        """A claim is given back, and the same bytes may come again."""
        one = self.claims.pop(which % len(self.claims)) if self.claims else None
        if one and one.life == self.life.number:
            self.store.release(one.claim, one.token)
            self.spent.append(one)
            self.taken.discard(one.triple)
            self.life.held.get(one.claim.timestamp, set()).discard(one.triple)
            if resend:
                self._resend(one)

    @rule(which=PICK, resend=st.booleans())
    def release_again(self, which: int, resend: bool) -> None:
        """A claim that was given back is given back once more, whoever holds its nonce by now."""
        one = self.spent[which % len(self.spent)] if self.spent else None
        if one and one.life == self.life.number:
            self.store.release(one.claim, one.token)
            if resend:
                self._resend(one)

    @rule(which=PICK, whose=PICK)
    def release_with_another_token(self, which: int, whose: int) -> None:
        """A claim is given back with the token of another."""
        if self.claims:
            one, other = self.claims[which % len(self.claims)], self.claims[whose % len(self.claims)]
            if one.triple != other.triple and one.life == other.life == self.life.number:
                self.store.release(one.claim, other.token)

    # How it is judged.

    def _any(self, which: int) -> Request:
        return self.requests[-1 - which % len(self.requests)]

    def _resend(self, one: Taken) -> None:
        self._deliver(next(other for other in self.requests if other.triple == one.triple), self.active[0])

    def _open(self) -> None:
        if self.store is not None:
            self.kind.close(self.store)
        self.store = self.kind.open(self.place, self.life.born, self.windows[-1], **self.bounds)

    def _lose(self, born: int) -> None:
        self.life = Life(self.life.number + 1, born)
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
        return Taken((one.api_key_id, one.timestamp, one.nonce), one.claim, one._token, self.life.number)

    def _deliver(self, request: Request, secret: str, stall: float = 0) -> None:
        """Send a request, and judge what becomes of it; the clock moves between the gate and the claim."""
        clock = Reading(self.now, stall)
        told = self._verify(request.headers(secret), clock)
        self._judge(request, secret, [told], (floor(self.now), floor(clock.now)))
        self.now, self.true = clock.now, self.true + max(0, clock.now - self.now)

    def _race(self, request: Request) -> None:
        """Send a request twice: the copy arrives when the first looks at the clock for its claim."""
        headers, told = request.headers(self.active[0]), []
        other = threading.Thread(target=lambda: told.append(self._verify(headers, lambda: self.now)))

        def meanwhile() -> None:
            other.start()
            other.join(0.002)  # A store that holds a lock lets the other wait, until this claim is done.

        told.append(self._verify(headers, Reading(self.now, 0, meanwhile)))
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
            life.take(triple, min(looks), window)
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
