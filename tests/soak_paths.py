"""The fast path of `canonicalize` writes what the definition writes."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from soak_part import Advance, Part, Row
from traps import disagreements

SHARE = 2_000


def run(count: int, advance: Advance) -> list[Row]:
    """Write so many documents by both paths, in two processes."""
    wrong: list[str] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for found in pool.map(disagreements, range(count // SHARE), [SHARE] * (count // SHARE), chunksize=8):
            wrong += found
            advance(SHARE)
    seen = f"{len(wrong):,} differ" + (f", the first {wrong[0]}" if wrong else "")
    return [Row(f"{count:,} documents, fast path and exact path", "0 differ", seen, not wrong)]


PARTS = [
    Part("paths", "the fast path writes what the definition writes", 10_000_000, 10_000, run, "documents"),
]
