"""Each comparison for pytest-benchmark, ``pytest benchmarks``: a group a row, ours beside its floor and its peers.

For looking closer at one of them, as in ``pytest benchmarks -k sign --benchmark-histogram``. The ratios of the table
are made by ``python -m benchmarks``, which times all in turn, so that a busy machine slows them alike.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from . import canonical_rows, explain_rows, gate_rows
from .measure import Call, Work

_COSTS = [
    pytest.param(compared.work, work, id=f"{compared.work}: {compared.floor if name == 'floor' else name}")
    for compared in chain(canonical_rows.comparisons(), gate_rows.comparisons(), explain_rows.comparisons())
    for name, work in compared.works.items()
]


@pytest.mark.parametrize(("group", "work"), _COSTS)
def test_cost(benchmark: Any, group: str, work: Call | Work) -> None:
    """Time one of them."""
    benchmark.group = group
    if isinstance(work, Work) and work.most is not None:
        # Each of its calls needs something that was prepared: one iteration is as many as that is enough for.
        benchmark.extra_info["calls"] = work.most
        benchmark.pedantic(lambda: [work.call() for _ in range(work.most)], setup=work.prepare, rounds=20)
    else:
        benchmark(work.call if isinstance(work, Work) else work)
