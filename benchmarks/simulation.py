"""What single use is worth under load, skew and failovers: ``python -m benchmarks.simulation``.

Arrivals, skews, copies and failovers are drawn from a seed; windows, claims and the memory store are the real ones,
with the time of the simulation as their clock. A replica has what its primary took a moment ago, and is the primary
after the next failover. Every request is copied, soon and late; a copy that is taken though the request was is a
replay.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import floor
from random import Random
from typing import NamedTuple

from claimants import claim
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from rp_signing import Claim, MemoryNonceStore, VerificationError

START = 1_800_000_000
"""Unix seconds at which each run begins."""


@dataclass(frozen=True)
class Setting:
    """One way to run it.

    Attributes:
        name: what is told of it.
        lag: seconds that the replica is behind.
        waits: whether a claim counts only when the replica has it (WAIT 1, a synchronous standby).
        failovers: how many there are.
        sender_skew: seconds that a sender's clock may be wrong, either way.
        server_skew: seconds that a server's clock may be wrong, either way.
        shared: whether all servers share one store.
        restarts: how often the store is lost whole, without a replica.
        born: whether a store that was lost knows that it is new (SPEC WIN-6).
    """

    name: str
    lag: float = 0.05
    waits: bool = False
    failovers: int = 0
    sender_skew: float = 2.0
    server_skew: float = 1.0
    shared: bool = True
    restarts: int = 0
    born: bool = True


SETTINGS = (
    Setting("one store, nothing happens"),
    Setting("20 failovers, replica 50 ms behind", failovers=20),
    Setting("20 failovers, replica 1 s behind", failovers=20, lag=1.0),
    Setting("20 failovers, claims wait for the replica", failovers=20, waits=True),
    Setting("store lost 3 times, born anew", restarts=3),
    Setting("store lost 3 times, and told that nothing was lost", restarts=3, born=False),
    Setting("senders' clocks wrong by up to 30 s", sender_skew=30),
    Setting("senders' clocks wrong by up to 90 s", sender_skew=90),
    Setting("servers' clocks wrong by up to 20 s", server_skew=20),
    Setting("four servers, a store each", shared=False),
)


class Outcome(NamedTuple):
    """What came out of one run.

    Attributes:
        setting: how it ran.
        requests: honest ones that were sent.
        refused: honest ones that were refused, by reason; `unavailable` where the claim could not be confirmed.
        copies: that were sent.
        replays: copies that were taken though their request, or another copy, was.
    """

    setting: Setting
    requests: int
    refused: Counter[str]
    copies: int
    replays: int


class _Arrival(NamedTuple):
    """A request, or a copy of one, on its way."""

    at: float
    number: int
    copy: bool
    server: int
    claim: Claim


class _Store:
    """The primary, and a replica that follows it."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._primary, self._replica = _new(0), _new(0)
        self._behind: list[tuple[float, Claim]] = []
        self._followed = 0

    def claim(self, one: Claim, at: float, skew: float) -> None:
        """Claim at the primary; the replica hears of it later."""
        self._primary.claim(one, lambda: at + skew)
        self._behind.append((at, one))

    def fail_over(self, at: float) -> set[str]:
        """Go on with the replica; gives the nonces of claims that nobody confirmed, where claims wait."""
        self._follow(at if self._setting.waits else at - self._setting.lag)
        unconfirmed: set[str] = set()
        if self._setting.waits:
            unconfirmed = {one.nonce for taken, one in self._behind if at - self._setting.lag < taken <= at}
        del self._behind[self._followed :]
        self._primary, self._replica = self._replica, _new(0)
        behind, self._behind, self._followed = self._behind, [], 0
        for taken, one in behind:
            if taken > at - 700:
                self._behind.append((taken, one))
        return unconfirmed

    def lose(self, at: float) -> None:
        """Lose everything; the next claim finds a store that was made just now."""
        self._primary, self._behind, self._followed = _new(floor(at) if self._setting.born else 0), [], 0

    def _follow(self, until: float) -> None:
        while self._followed < len(self._behind) and self._behind[self._followed][0] <= until:
            taken, one = self._behind[self._followed]
            self._followed += 1
            try:
                self._replica.claim(one, lambda taken=taken: taken)  # type: ignore[misc]
            except VerificationError:
                # By this clock it is outside the window, as it was not by its server's: it will be again.
                continue


def _new(born: int) -> MemoryNonceStore:
    return MemoryNonceStore(born=born, capacity=10**8, share=10**8)


def _arrivals(setting: Setting, draw: Random, seconds: int, rate: float) -> list[_Arrival]:
    """Draw the requests of so many seconds, and two copies of each: one soon after, one any time after."""
    arrivals = []
    at, number = float(START), 0
    while (at := at + draw.expovariate(rate)) < START + seconds:
        one = claim(floor(at + draw.uniform(-1, 1) * setting.sender_skew), f"{number:022d}")
        arrivals.append(_Arrival(at, number, False, draw.randrange(4), one))
        for later in (draw.expovariate(2), draw.uniform(0, 400)):
            arrivals.append(_Arrival(at + 0.001 + later, number, True, draw.randrange(4), one))
        number += 1
    return sorted(arrivals)


def simulate(setting: Setting, seconds: int, rate: float, seed: int = 8785) -> Outcome:
    """Run one setting.

    Args:
        setting: how.
        seconds: of honest requests.
        rate: honest requests a second.
        seed: what everything is drawn from.
    """
    draw = Random(seed)
    skews = [draw.uniform(-1, 1) * setting.server_skew for _ in range(4)]
    stores = [_Store(setting) for _ in range(1 if setting.shared else 4)]
    events = sorted(START + draw.uniform(0, seconds) for _ in range(setting.failovers + setting.restarts))
    refused: Counter[str] = Counter()
    taken: set[int] = set()
    requests = copies = replays = 0
    for arrival in _arrivals(setting, draw, seconds, rate):
        while events and events[0] <= arrival.at:
            at = events.pop(0)
            for store in stores:
                if setting.restarts:
                    store.lose(at)
                    continue
                unconfirmed = {int(nonce) for nonce in store.fail_over(at)}
                # Whoever sent one of these was told 503, and its request does not count as taken.
                refused["unavailable"] += len(unconfirmed & taken)
                taken -= unconfirmed
        requests, copies = requests + (not arrival.copy), copies + arrival.copy
        try:
            stores[arrival.server % len(stores)].claim(arrival.claim, arrival.at, skews[arrival.server])
        except VerificationError as error:
            if not arrival.copy:
                refused[error.reason.value] += 1
            continue
        replays += arrival.number in taken
        taken.add(arrival.number)
    return Outcome(setting, requests, refused, copies, replays)


def outcomes(seconds: int, rate: float) -> Iterator[Outcome]:
    """Run every setting."""
    return (simulate(setting, seconds, rate) for setting in SETTINGS)


def table_of(found: list[Outcome]) -> Table:
    """Give the table for people."""
    table = Table(title=f"{found[0].requests:,} requests and two copies of each", title_justify="left")
    for heading in ("setting", "replays taken", "honest ones refused"):
        table.add_column(heading, justify="left" if heading == "setting" else "right")
    for one in found:
        refused = ", ".join(f"{times:,} {reason}" for reason, times in one.refused.most_common() if times) or "0"
        colour = "red" if one.replays else "green"
        table.add_row(one.setting.name, f"[{colour}]{one.replays:,}[/]", refused)
    return table


def main() -> None:
    """Run every setting for a quarter of an hour of its own time, and print the table."""
    seconds, rate = (int(sys.argv[1]) if len(sys.argv) > 1 else 900), 100.0
    found = []
    with Progress(console=Console(stderr=True)) as progress:
        for one in progress.track(outcomes(seconds, rate), total=len(SETTINGS), description="simulation"):
            found.append(one)
    Console().print(table_of(found))


if __name__ == "__main__":
    main()
