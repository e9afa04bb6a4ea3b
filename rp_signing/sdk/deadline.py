"""A timeout that knows when all must be done."""

from __future__ import annotations

import time
from typing import Self

__all__ = ["Deadline"]


class Deadline(float):
    """A timeout in seconds that also knows when all must be done; to other code it is the number.

    Args:
        seconds: for one wait at the most.
        end: `time.monotonic` at the end.
    """

    __slots__ = ("end",)

    end: float

    def __new__(cls, seconds: float, end: float) -> Self:
        """Make the number and note the end."""
        deadline = super().__new__(cls, seconds)
        deadline.end = end
        return deadline

    def left(self) -> float:
        """Give the seconds that the next wait may take; 0 or less when it is too late."""
        return min(float(self), self.end - time.monotonic())
