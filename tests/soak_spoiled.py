"""Spoiled calls of every kind: none is accepted, and none ends in a foreign exception."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

from soak_part import Advance, Part, Row
from spoiled import KINDS, accepted_spellings, tally, unspoiled_passes

SHARE = 1_000


def run(count: int, advance: Advance) -> list[Row]:
    """So many calls of each kind, in two processes, and every other spelling of each header once."""
    good = unspoiled_passes()
    rows = [Row("what the spoiled ones are made from", "taken", "taken" if good else "refused", good)]
    tried, taken = accepted_spellings()
    seen = f"{len(taken):,} accepted" + (f", the first {taken[0]}" if taken else "")
    rows.append(Row(f"{tried:,} other spellings of the five headers", "0 accepted", seen, not taken))
    shares, done = [SHARE] * (count // SHARE) + [count % SHARE] * (count % SHARE > 0), 0
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for number, kind in enumerate(KINDS):
            total: Counter[str] = Counter()
            for found in pool.map(tally, repeat(kind), range(len(shares)), shares, chunksize=4):
                total += found
            other = [f"{what}: {times:,}" for what, times in total.items() if what != "refused"]
            seen = ", ".join([f"{total['refused']:,} refused", *other[:3]])
            rows.append(Row(f"{count:,} spoiled calls of {kind}", "all refused", seen, not other))
            before, done = done, count * (number + 1) // len(KINDS)
            advance(done - before)
    return rows


PARTS = [
    Part(
        "spoiled", "nothing spoiled is accepted, or ends in a foreign exception", 1_000_000, 2_000, run, "of each kind"
    ),
]
