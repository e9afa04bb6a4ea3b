"""SPEC.md as tests read it, so that no number of it is typed twice."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parent.parent / "SPEC.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """The text under a heading, such as ``## 1 A whole signed request``, up to the next of its level."""
    level = heading.partition(" ")[0]
    after = PAGE.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str) -> list[str]:
    """The blocks that are indented by four spaces, without the indent."""
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, flags=re.MULTILINE)
    return ["\n".join(line[4:] for line in block.strip("\n").split("\n")) for block in found]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# What SPEC §1 shows, in its order.
_FIRST = section("## 1 A whole signed request")
API_KEY = re.findall(r"An? api key, `(\S+)`|The sender holds an api key, `(\S+)`", _FIRST)[0][1]
API_KEY_ID, KEY_ID = re.findall(r"`([0-9a-f]{16})`", _FIRST)[:2]
(SECRET, _event, _event_input, SIGNATURE, _body, _request_input, _request) = blocks(_FIRST)
EVENT, EVENT_INPUT, BODY, REQUEST_INPUT = (text.encode() for text in (_event, _event_input, _body, _request_input))
HEADERS = dict(line.split(": ", 1) for line in _request.split("\n\n")[0].split("\n")[1:])
LENGTHS = [int(number) for number in re.findall(r"(\d+) bytes", _FIRST)]
"""Bytes of the event, of its signing input, and of the body, twice."""
