"""Every kind of store under the state machine of store_machine.py, and the machine over stores that are known to fail.

At full length: `make soak PART=machine` and `PART=mutants`.
"""

import pytest
from naive_rows import NAIVE, Naive
from store_kinds import Started
from store_machine import drive


@pytest.mark.parametrize(("name", "examples"), [("memory", 200), ("sqlite", 50), ("redis", 15), ("postgres", 15)])
def test_whatever_happens_a_request_is_taken_once(kinds: Started, name: str, examples: int) -> None:
    """No request is taken twice and no forged one at all, and no honest one is refused without a reason."""
    drive(kinds[name], examples)


@pytest.mark.parametrize("naive", [one for one in NAIVE if not one.unseen], ids=lambda naive: naive.name)
def test_the_machine_finds_what_is_broken(naive: Naive) -> None:
    """Whichever rule is broken, two thousand runs at the most show it; two hundred do nearly always."""
    with pytest.raises(AssertionError):
        drive(naive.kind(), 2_000, shrink=False)
