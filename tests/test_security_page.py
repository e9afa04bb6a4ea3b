"""docs/security.md claims nothing that no test holds."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from threats import BREAKS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| **")]
NAMED = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
# From the issue of this page: what has to be in the table.
THREATS = (
    "tampering", "replay", "stripping", "downgrade", "confusion of purpose", "key id confusion", "timing",
    "denial of service", "parser differences", "secrets at rest", "logs", "leaked secret", "hostile clock",
    "insider at the database",
)  # fmt: skip


def test_every_test_that_is_named_is_seen_to_fail() -> None:
    """`make soak PART=threats` breaks a rule for each test of the page, and for no other."""
    assert {broken.test for broken in BREAKS} == {f"{file}::{name}" for file, name in NAMED}


def test_every_line_that_is_to_be_broken_is_there() -> None:
    """A line that was moved or written anew would be broken nowhere, and its test be seen to fail by nobody."""
    gone = [broken.right for broken in BREAKS if broken.right not in (ROOT / broken.file).read_text(encoding="utf-8")]
    assert gone == []


@cache
def named_in(file: str) -> set[str]:
    """The tests of a file."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_is_named_exists() -> None:
    """A test that was renamed or taken away is missed here."""
    assert len(NAMED) >= len(ROWS)
    assert [f"{file}::{name}" for file, name in NAMED if name not in named_in(file)] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip(" *"))
def test_no_row_is_without_a_rule_and_a_test(row: list[str]) -> None:
    """Four cells: a threat, what meets it, at least one test, and what is not met."""
    assert len(row) == 4
    assert row[1].strip()
    assert "::test_" in row[2]


@pytest.mark.parametrize("threat", THREATS)
def test_every_threat_has_its_row(threat: str) -> None:
    """None of those that a reader expects is left out."""
    assert any(threat in row[0].lower() for row in ROWS)


def test_every_rule_that_is_named_is_in_the_spec() -> None:
    """Tags stand in SPEC.md."""
    spec = (ROOT / "SPEC.md").read_text(encoding="utf-8")
    assert [tag for tag in re.findall(r"\[[A-Z]{3}-\d+\]", PAGE) if tag not in spec] == []
