"""Every test that docs/security.md names fails when the rule of its row is broken, and passes when none is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from soak_part import Advance, Part, Row
from threats import BREAKS, Break

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("rp_signing", "tests", "benchmarks", "docs")
PATIENCE = 300
"""Seconds; a test that does not end has not failed."""


def copied(folder: Path) -> None:
    """Copy what the tests read."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    for file in (*ROOT.glob("*.md"), *ROOT.glob("*.lock"), ROOT / "pyproject.toml", ROOT / "Makefile"):
        shutil.copyfile(file, folder / file.name)


def tried(folder: Path, tests: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Run these tests, ``test_file.py::test_name``, over a copy."""
    named = [test.split("::") for test in tests]
    files = sorted({f"tests/{file}" for file, _ in named})
    only = " or ".join(sorted({name for _, name in named}))
    options = ["-q", "-x", "-p", "no:cacheprovider", "--rootdir", str(folder), "-k", only]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip


def seen_of(folder: Path, broken: Break) -> str:
    """Break one rule, run its test, and mend it again; says what became of the test."""
    file = folder / broken.file
    text = file.read_text(encoding="utf-8")
    if broken.right not in text:
        return "the line is not there any more"
    file.write_text(text.replace(broken.right, broken.wrong), encoding="utf-8")
    try:
        run = tried(folder, [broken.test])
    except subprocess.TimeoutExpired:
        return f"no end after {PATIENCE} s"
    finally:
        file.write_text(text, encoding="utf-8")
    # 1: tests ran, and some failed. Anything else is no proof.
    last = (run.stdout.strip().splitlines() or [run.stderr[-200:]])[-1]
    return "it fails" if run.returncode == 1 and " failed" in last else last


def run(count: int, advance: Advance) -> list[Row]:
    """Break so many of the rules, one after the other."""
    some, rows = BREAKS[:count], []
    with TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        whole = tried(folder, [broken.test for broken in some])
        last = (whole.stdout.strip().splitlines() or ["nothing ran"])[-1]
        rows.append(Row("nothing broken: all tests of the rows", "they pass", last, whole.returncode == 0))
        for broken in some:
            seen = seen_of(folder, broken)
            work = f"{broken.file} without `{broken.right.strip().splitlines()[0][:60]}`: {broken.test}"
            rows.append(Row(work, "it fails", seen, seen == "it fails"))
            advance(1)
    return rows


PARTS = [
    Part("threats", "every test of the table of threats fails without its rule", len(BREAKS), 2, run, "broken rules"),
]
