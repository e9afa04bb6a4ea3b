"""A clock that a test sets, and nonces that it knows beforehand."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable
from math import floor

__all__ = ["Clock", "nonces"]

_CHARACTERS = string.ascii_letters + string.digits + "_-"


class Clock:
    """Stands still until it is moved; hand it in wherever ``clock=`` is taken.

    Args:
        now: Unix seconds; the second in which it was made when None.

    Attributes:
        now: Unix seconds; may be set.
    """

    def __init__(self, now: float | None = None) -> None:
        self.now: float = floor(time.time()) if now is None else now

    def __call__(self) -> float:
        """Give Unix seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move it, back too."""
        self.now += seconds

    def __repr__(self) -> str:
        return f"<Clock {self.now}>"


def nonces(seed: int = 0) -> Callable[[], str]:
    """Give what ``nonce=`` takes: 22 characters a call, the same ones in each run of the test.

    Args:
        seed: another gives others.
    """
    draw = random.Random(seed)  # noqa: S311 - known beforehand is what they are for
    return lambda: "".join(draw.choices(_CHARACTERS, k=22))
