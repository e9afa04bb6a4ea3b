"""Adapters with one bug each, for the vectors to find: python tests/broken_adapters.py NAME.

A name is the flag that hunts the bug and, where a flag has several, a word after a point.
"""

from __future__ import annotations

import sys

import broken_canonical
import broken_events
import broken_headers
import broken_input
import broken_known
import broken_parse
import broken_replay
import broken_verify
from broken_bug import Bug
from second_adapter import exchanged, serve

BROKEN: dict[str, Bug] = {}
for _part in (
    broken_canonical, broken_parse, broken_input, broken_headers, broken_known, broken_verify, broken_events,
    broken_replay,
):  # fmt: skip
    assert not BROKEN.keys() & _part.BUGS.by_name.keys()
    BROKEN |= _part.BUGS.by_name


def flag_of(name: str) -> str:
    """The flag that hunts the bug."""
    return name.partition(".")[0]


if __name__ == "__main__":
    with exchanged(BROKEN[sys.argv[1]].pieces):
        serve(sys.stdin, sys.stdout)
