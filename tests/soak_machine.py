"""The state machine at full length, over the stores as they are and over each that has one rule broken."""

from __future__ import annotations

import time

from naive_rows import NAIVE, Naive
from soak_part import Advance, Part, Row
from store_kinds import Kind, Started
from store_machine import STEPS, drive

STORES = ["memory", "sqlite", "redis", "postgres"]
BROKEN = [one for one in NAIVE if not one.unseen]
AT_ONCE = 50
PATIENCE = 1_000


def fault_of(kind: Kind, runs: int, advance: Advance) -> str:
    """Run the machine so often; gives what did not hold, or nothing."""
    done = 0
    while done < runs:
        more = min(AT_ONCE, runs - done)
        try:
            drive(kind, more, first=done)
        except AssertionError as error:
            advance(runs - done)
            return str(error).splitlines()[0]
        advance(more)
        done += more
    return ""


def run_machine(tries: int, advance: Advance) -> list[Row]:
    """Share the runs out among the stores."""
    rows = []
    with Started() as kinds:
        for number, name in enumerate(STORES):
            runs = tries // len(STORES) + (number < tries % len(STORES))
            fault = fault_of(kinds[name], runs, advance)
            work = f"{name}: {runs:,} × {STEPS} steps"
            rows.append(Row(work, "nothing taken twice, none refused in vain", fault or "so it was", not fault))
    return rows


def find(naive: Naive) -> str:
    """Run the machine until it finds what is broken; gives what it saw and how soon, or nothing."""
    started = time.monotonic()
    for first in range(0, PATIENCE, AT_ONCE):
        try:
            drive(naive.kind(), AT_ONCE, first=first, shrink=False)
        except AssertionError as error:
            return f"{str(error).splitlines()[0]}, after {time.monotonic() - started:.2f} s"
    return ""


def run_broken(tries: int, advance: Advance) -> list[Row]:
    """Try so many of the stores and gates that have one rule broken."""
    rows = []
    for naive in BROKEN[:tries]:
        found = find(naive)
        does = str(naive.broken.__doc__).splitlines()[0]
        rows.append(Row(f"{naive.row}: {does}", "found", found or f"not in {PATIENCE:,} runs", bool(found)))
        advance(1)
    return rows


PARTS = [
    Part("machine", "whatever happens, a request is taken once", 2_000 * len(STORES), 8, run_machine, "runs"),
    Part("mutants", "the machine finds every rule that is broken", len(BROKEN), 3, run_broken, "broken stores"),
]
