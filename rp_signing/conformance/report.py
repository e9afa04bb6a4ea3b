"""What a whole run says: counts, failures, expected failures, the verdict, and all of it as one JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .judge import NOT_ASKED
from .levels import LEVELS, reached
from .outcome import Outcome, Status

__all__ = ["Problem", "Report", "SuiteCounts", "explain", "read_expected"]

_BAD = (Status.FAILED, Status.CRASHED)


def read_expected(text: str) -> dict[str, str]:
    """Read a list of expected failures: an id a line, and after ``#`` why.

    Returns:
        id → why. Whether there is such an id is for the report to say.

    Raises:
        ValueError: a line has no reason, or stands twice; the message names its number.
    """
    expected: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, hash_sign, why = (part.strip() for part in line.partition("#"))
        if not name:
            continue
        if not hash_sign or not why:
            raise ValueError(f"line {number}: say why after a #, as in `{name[:60]}  # why`")
        if name in expected:
            raise ValueError(f"line {number}: {name[:60]} stands there twice")
        expected[name] = why
    return expected


def explain(outcome: Outcome) -> str:
    """Say in one line what differs first, and where."""
    differs = outcome.differs
    return outcome.detail if differs is None or differs in outcome.detail else f"{differs}: {outcome.detail}"


@dataclass(frozen=True)
class SuiteCounts:
    """How many vectors of a suite ended in each way."""

    suite: str
    passed: int
    failed: int
    skipped: int
    crashed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.skipped + self.crashed


@dataclass(frozen=True)
class Problem:
    """Why a run fails beside its vectors: an entry of the expected failures that is stale, or that nothing passed."""

    name: str
    detail: str


@dataclass(frozen=True)
class Report:
    """One run.

    Attributes:
        target: what was judged: the adapter's name and version, or the server's URL.
        outcomes: of every vector or probe, in the order of the run.
        seconds: how long it took.
        expected: id → why it is known to fail.
        known: every id that there is; an expected failure has to be one of them.
        levels: whether a level can be reached: neither by a server, nor by suites picked out.
    """

    target: str
    outcomes: tuple[Outcome, ...]
    seconds: float
    expected: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    levels: bool = True

    @property
    def ok(self) -> bool:
        """Whether all passed, but for what is skipped, and for failures that are expected."""
        return not self.bad and not self.problems

    @property
    def level(self) -> str | None:
        """The highest level of which every suite passed."""
        return reached(self.outcomes) if self.levels else None

    @property
    def ladder(self) -> list[tuple[str, bool]]:
        """Each level, lowest first, and whether it is reached."""
        names = list(LEVELS)
        top = names.index(self.level) if self.level else -1
        return [(name, rank <= top) for rank, name in enumerate(names)]

    @property
    def bad(self) -> list[Outcome]:
        """What failed or crashed, and is not expected to."""
        return [one for one in self.outcomes if one.status in _BAD and one.id not in self.expected]

    @property
    def to_look_at(self) -> list[Outcome]:
        """What is bad, but for vectors that a program was not asked: they say nothing of it."""
        return [one for one in self.bad if one.detail != NOT_ASKED]

    @property
    def unasked(self) -> int:
        """How many vectors were not asked, since the program crashed too often in a row."""
        return len(self.bad) - len(self.to_look_at)

    @property
    def expected_failures(self) -> list[tuple[Outcome, str]]:
        """What failed or crashed as expected, and why."""
        return [(one, self.expected[one.id]) for one in self.of(*_BAD) if one.id in self.expected]

    @property
    def problems(self) -> list[Problem]:
        """Why the run fails, beside what failed."""
        found = [
            Problem(name, "is no vector; it stands in the list of expected failures")
            for name in self.expected
            if name not in self.known
        ]
        found += [
            Problem(one.id, f"{one.status}; take it out of the list of expected failures")
            for one in self.of(Status.PASSED, Status.SKIPPED)
            if one.id in self.expected
        ]
        if not self.of(Status.PASSED):
            found.append(Problem("the run", "nothing passed"))
        return found

    @property
    def suites(self) -> list[SuiteCounts]:
        """The counts by suite, in the order of the run."""
        names = dict.fromkeys(one.suite for one in self.outcomes)
        counts = Counter((one.suite, one.status) for one in self.outcomes)
        return [SuiteCounts(name, **{status.value: counts[name, status] for status in Status}) for name in names]

    @property
    def total(self) -> SuiteCounts:
        """The counts over all suites."""
        counts = Counter(one.status for one in self.outcomes)
        return SuiteCounts("all", **{status.value: counts[status] for status in Status})

    @property
    def suspects(self) -> list[tuple[str, int]]:
        """The five bugs that explain most of what is bad, and how many vectors each; those that explain several."""
        counts = Counter(bug for one in self.bad for bug in one.bugs).most_common(5)
        return [(bug, count) for bug, count in counts if count > 1]

    def of(self, *statuses: Status) -> list[Outcome]:
        """Give the outcomes of these kinds."""
        return [one for one in self.outcomes if one.status in statuses]

    def verdict(self) -> str:
        """Say in one sentence how the run ended."""
        total, expected = self.total, len(self.expected_failures)
        words = [f"{total.passed:,} of {total.total:,} passed"]
        words += [f"{count:,} {word}" for word, count in self._others(total, expected) if count]
        if self.levels:
            words.append(f"level reached: {self.level or 'none'}")
        return "; ".join(words)

    def _others(self, total: SuiteCounts, expected: int) -> list[tuple[str, int]]:
        bad = Counter(one.status for one in self.bad)
        return [
            ("failed", bad[Status.FAILED]),
            ("crashed", bad[Status.CRASHED]),
            ("failed as expected", expected),
            ("skipped", total.skipped),
        ]

    def document(self) -> dict[str, Any]:
        """Give all of it as one JSON document; of what passed only which it was."""
        return {
            "ok": self.ok,
            "target": self.target,
            "level": self.level,
            "seconds": round(self.seconds, 3),
            "counts": _counts(self.total),
            "suites": {row.suite: _counts(row) for row in self.suites},
            "problems": [{"name": one.name, "detail": one.detail} for one in self.problems],
            "expected": [{"id": one.id, "why": why} for one, why in self.expected_failures],
            "outcomes": [
                {"id": one.id, "suite": one.suite, "status": one.status}
                if one.status is Status.PASSED
                else one._asdict()
                for one in self.outcomes
            ],
        }


def _counts(row: SuiteCounts) -> dict[str, int]:
    return {status.value: getattr(row, status.value) for status in Status}
