"""What a door tells a hook about each request that it has judged: why, whose, and how far the clocks are apart."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from .errors import Reason, VerificationError
from .replay import Claim

__all__ = ["UNVERIFIED", "Observation", "Observe", "observation_of", "told"]

UNVERIFIED = "unverified"
"""Stands for both ids where no MAC has held: a stranger may not choose what a counter is labelled with."""


class Observation(NamedTuple):
    """One request, judged.

    Attributes:
        reason: the exact `Reason` it was refused for; None where it was taken.
        api_key_id: 16 hex digits once the MAC has held, else ``unverified``; so for an unsigned request, too.
        key_id: of the secret that verified, 16 hex digits; else ``unverified``.
        skew: seconds that this clock is ahead of the sender's, the way of the request in it; None where no MAC has
            held.
    """

    reason: Reason | None
    api_key_id: str
    key_id: str
    skew: float | None


Observe = Callable[[Observation], None]
"""Is called once for each request, from whatever thread judged it; it should not wait."""


def observation_of(claim: Claim | None, refusal: VerificationError | None, now: float) -> Observation:
    """Say what is to be told of a request.

    Args:
        claim: of a request that was taken; None where it is unsigned, or was refused.
        refusal: why it was refused; None where it was taken.
        now: Unix seconds.
    """
    reason = None if refusal is None else refusal.reason
    proved: Claim | None = claim if refusal is None else refusal.claim
    if proved is None:
        return Observation(reason, UNVERIFIED, UNVERIFIED, None)
    return Observation(reason, proved.api_key_id, proved.key_id, now - proved.timestamp)


def told(observe: Observe | None, observation: Observation, log: logging.Logger) -> None:
    """Call the hook; one that raises is logged, and changes nothing about the request."""
    if observe is None:
        return
    try:
        observe(observation)
    except Exception as error:
        log.error("the observe= hook raised %s", type(error).__name__)
