"""What the state machine knows of requests, and of the memory that a store has of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from parties import BODY

from rp_signing import Claim, Signer
from rp_signing.keys import api_key_id
from rp_signing.replay import Window

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


@dataclass
class Life:
    """What the model knows of one memory, from its birth to its loss.

    Attributes:
        born: whole Unix seconds; 0: nothing was accepted earlier.
        held: timestamp → requests that it holds at the most.
        seen: every timestamp that was ever held.
        dropping: the highest timestamp that could have been dropped by now.
    """

    born: int
    held: dict[int, set[Triple]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    dropping: int = 0

    def look(self, looks: tuple[int, ...], window: Window) -> None:
        """A claim drops what has left its window, by the clock as it is."""
        self.dropping = max(self.dropping, max(looks) - window.past - 1)

    def take(self, triple: Triple, now: int, window: Window, alone: bool) -> None:
        """A claim that takes a request drops two timestamps or more that have left their window.

        One beside another may leave all of them to that one, which then takes nothing, and so drops nothing.
        """
        for timestamp in sorted(one for one in self.held if window.may_forget(one, now))[: 2 * alone]:
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
