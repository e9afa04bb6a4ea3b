"""Why a signature failed: near-misses are tried one by one, offline; nothing is ever accepted by it.

`explain` is for a request, `explain_event` for an event's own signature. Each mistake that is known has an id and a
sentence in `rp_signing.explain.causes`.
"""

from __future__ import annotations

from .causes import Cause
from .events import explain_event
from .explanation import Explanation
from .lines import LINES
from .requests import explain

__all__ = ["LINES", "Cause", "Explanation", "explain", "explain_event"]
