"""What is found out about a refusal."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Reason
from .causes import Cause

__all__ = ["Explanation"]


class Explanation(NamedTuple):
    """What was found out. It holds neither an api key nor a secret nor a MAC, and is no `Verified`.

    Attributes:
        verified: True when there is nothing to explain.
        reason: the `Reason` of the refusal, or None.
        detail: the refusal in one sentence, or ``""``.
        causes: the mistakes, the one to look at first; none when it verifies or nothing matched.
        received: the lines of the signing input as the receiver has them (text), or None where there are none.
        signed: the lines as they were signed, where that was found out, or None.
        tried: how many MACs were compared.
        hashed: how often a whole body was hashed for it.
        stopped: True when near-misses were left untried, because there would have been too many.
    """

    verified: bool
    reason: Reason | None
    detail: str
    causes: tuple[Cause, ...] = ()
    received: tuple[str, ...] | None = None
    signed: tuple[str, ...] | None = None
    tried: int = 0
    hashed: int = 0
    stopped: bool = False
