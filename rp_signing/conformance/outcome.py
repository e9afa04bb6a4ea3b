"""What became of one vector or one probe: the word that runner, reports and exit code share."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["Outcome", "Status"]


class Status(StrEnum):
    """How an adapter or a server did."""

    PASSED = "passed"
    """The answer is the one wanted."""
    FAILED = "failed"
    """There was an answer, and it is another one."""
    SKIPPED = "skipped"
    """The adapter says that it cannot say or do this."""
    CRASHED = "crashed"
    """No answer: it died, ran out of time, or wrote something that is no answer."""


class Outcome(NamedTuple):
    """The judgement of one vector or probe.

    Attributes:
        id: of the vector or the probe.
        suite: the suite of the vector; ``http`` of a probe.
        status: the `Status`.
        tags: the rules of SPEC.md concerned.
        comment: what the vector or the probe is, one line.
        wanted: the right answer, as JSON; of a script, the right answer of the first step that differs.
        got: the answer that came, as JSON, cut where it is long; None where none came.
        differs: the first intermediate value or member that differs (``signing_input``, ``refused``, ``step 3``); None
            when nothing does.
        bugs: the sentences of the flags, each saying which bug it may be.
        detail: one sentence for people: why it counts as failed, skipped or crashed.
    """

    id: str
    suite: str
    status: Status
    tags: tuple[str, ...]
    comment: str
    wanted: Any = None
    got: Any = None
    differs: str | None = None
    bugs: tuple[str, ...] = ()
    detail: str = ""
