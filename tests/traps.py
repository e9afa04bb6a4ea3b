"""Documents full of what the fast path could take for something else, and their comparison with the definition."""

from __future__ import annotations

import random
from typing import Any

from corpus import Draw

from rp_signing.canonical import canonicalize
from rp_signing.exact import write_exactly

TEXTS = ("", "a", "null", ".0,", "1e-6", "1.0]", "-0.0}", "0e-0", "é", "\ue000", "\ufb33", "\uffff", "\U00010000",
          "\U0001f600", "\U0010ffff", '"', "\\", "\n", "1e+16,", "\U000fffff", "\U0001f6d2\ufb33")  # fmt: skip
NUMBERS = (0, 1, -1, 2**53 - 1, 0.0, -0.0, 1.0, 100.0, 0.1, 1e-5, 1e-6, 9.9e-6, 1e-7, 1e15, 1e16, 9.5e17, 1e20, 1e21,
            -1e16, -1e-6, -2.5, 1.5e300, 5e-324)  # fmt: skip


def _value(draw: random.Random, depth: int) -> Any:
    kind = draw.random()
    if kind < 0.28:
        return draw.choice(NUMBERS)
    if kind < 0.33:
        return Draw(draw.getrandbits(32)).double()
    if kind < 0.6 or not depth:
        return draw.choice(TEXTS)
    if kind < 0.66:
        return draw.choice((None, True, False))
    if kind < 0.8:
        return [_value(draw, depth - 1) for _ in range(draw.randrange(4))]
    return {draw.choice(TEXTS): _value(draw, depth - 1) for _ in range(draw.randrange(5))}


def disagreements(seed: int, how_many: int) -> list[str]:
    """The documents of a seed, so many of them, that the two paths write differently."""
    draw = random.Random(seed)
    found = []
    for _ in range(how_many):
        document = {draw.choice(TEXTS): _value(draw, 2), "n": _value(draw, 1)}
        if canonicalize(document) != write_exactly(document):
            found.append(repr(document))
    return found
