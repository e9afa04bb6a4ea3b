"""The proof about timing is itself tried: it finds a leak that is there, and none where there is none."""

from __future__ import annotations

import operator
from unittest.mock import patch

import pytest

from benchmarks import timing
from benchmarks.timing import Finding, welch
from rp_signing import signing


def by_bytes(one: str, other: str) -> bool:
    """Compare as nobody should: character by character, to the first that differs."""
    return all(map(operator.eq, one, other))


def test_a_comparison_that_ends_early_is_found() -> None:
    """Some thousand samples show a comparison byte by byte, in verify and in verify_event."""
    with patch.object(timing, "patch") as planted, patch.object(signing, "compare_digest", by_bytes):
        found = list(timing.findings(4_000, lambda _: None))
    assert planted.object.called
    leaks = [one for one in found if one.kind == "target" and one.wanted == "equal"]
    assert len(leaks) == 2
    assert all(not one.holds and one.t > 4 * timing.LIMIT for one in leaks), leaks


def test_every_sample_is_told() -> None:
    """The progress comes to two classes of so many samples for each finding."""
    told: list[int] = []
    assert len(list(timing.findings(300, told.append))) == timing.FINDINGS
    assert sum(told) == 2 * 300 * timing.FINDINGS


@pytest.mark.parametrize(
    ("t", "wanted", "holds"),
    [
        (4.4, "equal", True),
        (-4.6, "equal", False),
        (4.6, "different", True),
        (-4.4, "different", False),
        (99.0, "by design", True),
    ],
)
def test_a_difference_is_judged_by_what_is_wanted(t: float, wanted: str, holds: bool) -> None:
    """|t| from 4.5 on is a difference, on either side; what leaks by design is no fault."""
    assert Finding("", "target", t, (1, 1), wanted).holds is holds


def test_welch_is_as_in_the_books() -> None:
    """Known answers: means 22.4 and 28, variances 11.3 and 6.5, five each; its sign; and equal lists."""
    first, second = [27, 21, 22, 18, 24], [30, 25, 28, 26, 31]
    assert welch(first, second) == pytest.approx(5.6 / (11.3 / 5 + 6.5 / 5) ** 0.5)
    assert welch(second, first) == -welch(first, second)
    assert welch(first, first) == 0
    assert welch([5, 5], [5, 5]) == 0
