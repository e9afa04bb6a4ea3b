"""The levels of conformance, and which of them a run has reached."""

from __future__ import annotations

from itertools import pairwise

from rp_signing.conformance.levels import LEVELS, reached
from rp_signing.conformance.outcome import Outcome, Status
from rp_signing.conformance.vectors import SUITES


def test_levels_hold_one_another() -> None:
    """Each level has the suites of the one before and more; the highest has all."""
    suites = [set(names) for names in LEVELS.values()]
    assert all(lower < higher for lower, higher in pairwise(suites))
    assert suites[-1] == set(SUITES)


def outcomes_of(*suites: str, status: Status = Status.PASSED) -> list[Outcome]:
    """One outcome in each of these suites."""
    return [Outcome(f"{suite}-{status}", suite, status, (), "") for suite in suites]


def test_the_level_that_is_reached() -> None:
    """It is the highest of which every suite passed something and failed nothing; skips do not count."""
    signer = LEVELS["signer"]
    assert reached([]) is None
    assert reached(outcomes_of(*signer)) == "signer"
    assert reached(outcomes_of(*SUITES)) == "full"
    assert reached(outcomes_of(*SUITES) + outcomes_of("events", status=Status.FAILED)) == "verifier"
    assert reached(outcomes_of(*SUITES) + outcomes_of("canonical", status=Status.CRASHED)) is None
    assert reached(outcomes_of(*signer) + outcomes_of("sign", status=Status.SKIPPED)) == "signer"
    skipped = outcomes_of("sign", status=Status.SKIPPED)
    assert reached(outcomes_of(*set(signer) - {"sign"}) + skipped) == "canonicaliser"
