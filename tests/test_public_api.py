"""The public API changes when somebody means it to."""

from __future__ import annotations

import difflib
from pathlib import Path

from public_api import lines

WRITTEN = Path(__file__).with_name("public_api.txt")


def test_the_public_api_is_the_one_that_was_written_down() -> None:
    """No name, parameter or type of the public API comes, goes or changes unseen."""
    before = WRITTEN.read_text(encoding="utf-8").splitlines()
    changed = [line for line in difflib.unified_diff(before, lines(), lineterm="", n=0) if not line.startswith("@@")]
    assert changed == [], (
        "if that is meant: python tests/public_api.py > tests/public_api.txt, and a line in CHANGELOG.md"
    )
