"""The page of the long proofs says no more than docs/proof.json has."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
KEPT = json.loads((DOCS / "proof.json").read_text(encoding="utf-8"))["parts"]


@pytest.fixture(scope="module")
def page() -> Any:
    """What makes the page's lines."""
    return runpy.run_path(str(DOCS / "conf.py"))["_proof_page"]


def part(held: bool | None = True, **run_on: Any) -> dict[str, Any]:
    """A part with one row."""
    row = {"work": "a | b", "wanted": "0" * 64, "seen": "none", "held": held}
    return {"seconds": 90.0, "rows": [row], **run_on}


OF_A = {"code": "a", "version": "1.0", "commit": "aaaa", "machine": "M", "date": "2026-11-28"}


def test_every_row_is_on_the_page(page: Any) -> None:
    """Each part and each figure of the file has its row."""
    rows = [line for line in page(KEPT) if line.startswith("| `")]
    assert len(rows) == sum(len(part["rows"]) for part in KEPT.values())
    assert {row.split("`")[1] for row in rows} == set(KEPT)


def test_parts_of_one_commit_are_said_to_be_of_it(page: Any) -> None:
    """Version, commit, machine and day are named once, and nothing is said of other code."""
    text = "\n".join(page({"x": part(**OF_A), "y": part(**OF_A)}))
    assert "- Version 1.0, commit `aaaa`, M, 2026-11-28: `x`, `y`" in text
    assert "same code" not in text
    assert "in 3 minutes" in text


def test_parts_of_other_commits_are_told_apart(page: Any) -> None:
    """Which part is of which commit, of changed code or of none that is known, stands above the table."""
    text = "\n".join(page({"x": part(**OF_A), "y": part(**{**OF_A, "commit": "aaaa+"}), "z": part(),
                           "w": part(**{**OF_A, "commit": None})}))  # fmt: skip
    assert "**Not all of it was run on the same code.**" in text
    for line in ("commit `aaaa`, M, 2026-11-28: `x`", "commit `aaaa+`, M, 2026-11-28: `y`",
                 "were not written down: `z`", "no commit that git knows, M, 2026-11-28: `w`"):  # fmt: skip
        assert line in text


def test_a_verdict_is_what_was_seen(page: Any) -> None:
    """Held, broken and not tried are three words; a bar in a text does not end its cell, a digest is cut."""
    verdicts = [page({"x": part(held)})[-1] for held in (True, False, None)]
    assert [line.split(" | ")[-1] for line in verdicts] == ["held |", "**broken** |", "not tried |"]
    assert "| a \\| b | 000000000000… |" in verdicts[0]
