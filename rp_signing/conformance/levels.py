"""How much of RP1 an implementation does: four levels, each with all suites of those before it."""

from __future__ import annotations

from collections.abc import Iterable

from .outcome import Outcome, Status
from .vectors import SUITES

__all__ = ["LEVELS", "reached"]

LEVELS = {
    "canonicaliser": ("canonical", "parse"),
    "signer": ("canonical", "parse", "hmac", "keys", "signing-input", "sign"),
    "verifier": ("canonical", "parse", "hmac", "keys", "signing-input", "sign", "verify", "replay"),
    "full": SUITES,
}
"""The levels, lowest first, and the suites that each one needs."""


def reached(outcomes: Iterable[Outcome]) -> str | None:
    """Give the highest level of which every suite passed, or None.

    A suite passes when nothing in it failed or crashed, and something passed: a suite that is skipped whole does not.
    """
    by_suite: dict[str, set[Status]] = {}
    for outcome in outcomes:
        by_suite.setdefault(outcome.suite, set()).add(outcome.status)
    right = {
        suite
        for suite, statuses in by_suite.items()
        if Status.PASSED in statuses and not statuses & {Status.FAILED, Status.CRASHED}
    }
    return next((level for level, suites in reversed(LEVELS.items()) if right.issuperset(suites)), None)
