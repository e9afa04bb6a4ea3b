"""Timing in turn: what is compared is run alternately, so that a busy machine slows all of it alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from timeit import Timer
from typing import Any

SAMPLE = 0.002
"""Seconds that one sample should take: long against the clock's grain, short against a neighbour's time slice."""

Call = Callable[[], object]


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Work:
    """Something to time.

    Attributes:
        call: the work.
        prepare: runs before each sample, untimed.
        most: calls a sample at the most; None: as many as fill it.
    """

    call: Call
    prepare: Call = nothing
    most: int | None = None


@dataclass(frozen=True)
class Samples:
    """Seconds a call, by name, a list of rounds each; the rounds of all names belong together."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Give the median, seconds a call."""
        return median(self.seconds[name])

    def ratio(self, name: str, other: str) -> float:
        """Give the median of the ratios within each round."""
        return median(a / b for a, b in zip(self.seconds[name], self.seconds[other], strict=True))


def at_most(limit: float, floor: str) -> Callable[[Samples], list[Goal]]:
    """Give the goal that ours takes at the most so many times the floor."""
    return lambda samples: [Goal(f"≤ {limit:g} × {floor}", samples.ratio("ours", "floor"), limit)]


def in_turn(works: Mapping[str, Call | Work], seconds: float = 2.0) -> Samples:
    """Time some works in turn, for about that long, 9 rounds at the least."""
    timers = {}
    for name, work in works.items():
        work = work if isinstance(work, Work) else Work(work)
        timers[name] = (Timer(work.call, work.prepare), _loops(work))
    taken: dict[str, list[float]] = {name: [] for name in works}
    end = perf_counter() + seconds
    rounds = 0
    while rounds < 9 or perf_counter() < end:
        for name, (timer, loops) in timers.items():
            taken[name].append(timer.timeit(loops) / loops)
        rounds += 1
    return Samples(taken)


def _loops(work: Work) -> int:
    timer = Timer(work.call, work.prepare)
    loops = 1
    while True:
        taken = timer.timeit(loops)
        if work.most is not None and loops >= work.most:
            return work.most
        if taken >= SAMPLE / 2:
            return max(1, min(round(loops * SAMPLE / taken), work.most or 10**9))
        loops = min(loops * 4, work.most or 10**9)


@dataclass(frozen=True)
class Goal:
    """One goal of a row: a value that has to be at the most, or at the least, a limit.

    Attributes:
        text: as the issue says it.
        value: what was measured.
        limit: in the unit of the value.
        least: True where more is better.
    """

    text: str
    value: float
    limit: float
    least: bool = False

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.value >= self.limit if self.least else self.value <= self.limit


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        work: what is done; names the row from run to run.
        ours: the figure of this library.
        floor: the figure that no one can go below.
        ratio: ours to the floor; the median of the ratios of each round.
        floor_name: what the floor is.
        peers: the figures of others, by name.
        goals: what has to hold.
        unit: ``s``, ``/s`` or ``B``.
        note: what a reader has to know beside it.
    """

    work: str
    ours: float
    floor: float
    ratio: float
    floor_name: str
    peers: dict[str, float] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    unit: str = "s"
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give the row as JSON has it."""
        goals = [{"text": goal.text, "value": goal.value, "reached": goal.reached} for goal in self.goals]
        return {**vars(self), "goals": goals}


@dataclass(frozen=True)
class Comparison:
    """Works that are timed in turn, and what has to hold between them.

    Attributes:
        work: what is done; names the row from run to run.
        works: ``ours``, ``floor``, and every other name a peer.
        floor: what the floor is.
        goals: gives the goals of what was timed.
        note: what a reader has to know beside it.
        seconds: that timing takes, about.
    """

    work: str
    works: Mapping[str, Call | Work]
    floor: str
    goals: Callable[[Samples], list[Goal]]
    note: str = ""
    seconds: float = 3.0

    def row(self) -> Row:
        """Time them."""
        samples = in_turn(self.works, self.seconds)
        return row_of(self.work, samples, self.floor, self.goals(samples), self.note)


def row_of(work: str, samples: Samples, floor_name: str, goals: list[Goal], note: str = "") -> Row:
    """Make a row of what was timed in turn: ``ours``, ``floor``, and every other name a peer."""
    peers = {name: samples.median(name) for name in samples.seconds if name not in ("ours", "floor")}
    ratio = samples.ratio("ours", "floor")
    return Row(work, samples.median("ours"), samples.median("floor"), ratio, floor_name, peers, goals, note=note)
