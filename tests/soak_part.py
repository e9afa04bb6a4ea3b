"""What a part of the soak is: one promise, kept over a number of tries that a person chooses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

Advance = Callable[[int], None]
"""Is told how many tries more are done."""


class Row(NamedTuple):
    """One figure of the table at the end.

    Attributes:
        work: what was tried, with its number.
        wanted: what has to come out, for people.
        seen: what came out, for people.
        held: whether it did; None where it could not be tried here.
    """

    work: str
    wanted: str
    seen: str
    held: bool | None


@dataclass(frozen=True)
class Part:
    """A part that runs alone: in `make soak` at full length, in `make test` short.

    Attributes:
        name: for `make soak PART=name`.
        promise: one line.
        full: tries at full length.
        short: tries in `make test`; 0: too few would say nothing, and tests of its own run it.
        run: takes the number of tries and `Advance`; gives the rows.
        unit: what is counted.
    """

    name: str
    promise: str
    full: int
    short: int
    run: Callable[[int, Advance], list[Row]]
    unit: str
