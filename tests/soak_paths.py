"""The fast paths write and read what the definition writes and reads."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from readings import compare_headers, compare_texts
from soak_part import Advance, Part, Row
from traps import compare

SHARE = 2_000


def shares(compared: Callable[[int, int], Any], count: int, advance: Advance) -> list[Any]:
    """What comes out of comparing so many, in two processes; each share has a seed of its own."""
    told, sizes = [], [SHARE] * (count // SHARE) + [count % SHARE] * (count % SHARE > 0)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for one, size in zip(pool.map(compared, range(len(sizes)), sizes, chunksize=4), sizes, strict=True):
            told.append(one)
            advance(size)
    return told


def row(work: str, differ: list[str]) -> Row:
    """How many differ, and the first that does."""
    return Row(work, "0 differ", f"{len(differ):,} differ" + (f", the first {differ[0]}" if differ else ""), not differ)


def most(work: str, fast: int, count: int) -> Row:
    """How many went by the fast path: what the definition wrote twice proves nothing."""
    return Row(work, "a third or more", f"{fast:,}", 3 * fast >= count)


def write(count: int, advance: Advance) -> list[Row]:
    """Write so many documents by both paths."""
    told = shares(compare, count, advance)
    return [
        row(f"{count:,} documents, fast path and exact path", [one for found, _ in told for one in found]),
        most("of them written without the exact path", sum(fast for _, fast in told), count),
    ]


def read(count: int, advance: Advance) -> list[Row]:
    """Read so many texts by both paths, and as many requests' headers, in eight shapes each."""
    half = count // 2
    texts, headers = shares(compare_texts, half, advance), shares(compare_headers, count - half, advance)
    return [
        row(
            f"{half:,} texts, read by the fast path and by the exact path", [one for found, _ in texts for one in found]
        ),
        most("of them read without the exact path", sum(fast for _, fast in texts), half),
        row(f"{count - half:,} requests, their headers in eight shapes", [one for found in headers for one in found]),
    ]


PARTS = [
    Part("paths", "the fast path writes what the definition writes", 10_000_000, 10_000, write, "documents"),
    Part("readings", "the fast readers take what the careful ones take", 2_000_000, 8_000, read, "texts and requests"),
]
