"""A sample of broken gates: each is found by the tests of its file (docs/mutants.md has the whole run)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent


class Mutant(NamedTuple):
    """One place that is broken.

    Attributes:
        module: of the package.
        right: what stands there.
        wrong: what stands there instead.
        tests: what has to fail.
    """

    module: str
    right: str
    wrong: str
    tests: str


MUTANTS = {
    "a MAC is compared by its beginning": Mutant(
        "signing",
        "compare_digest(SIGNATURE_BEGIN + context.finalize().hex(), signature)",
        "(SIGNATURE_BEGIN + context.finalize().hex())[:15] == signature[:15]",
        "vectors_library",
    ),
    "a second of the window too many": Mutant(
        "replay", "timestamp < now - self.past", "timestamp < now - self.past - 1", "replay"
    ),
    "a second too many at the gate": Mutant("verifier", "-future, past + 1", "-future, past + 2", "verifier"),
    "no future bound": Mutant("replay", "timestamp > now + self.future", "False", "replay"),
    "purpose outside the MAC": Mutant("wire", r"RP1-HMAC-SHA256\n{purpose}\n", r"RP1-HMAC-SHA256\n", "signing"),
    "a retired secret passes": Mutant(
        "verifier",
        'named = entry.secrets.get(sent or "")',
        "named = entry.secrets.get(sent or '') or getattr(entry.retired.get(sent), 'secret', None)",
        "verifier",
    ),
    "parsed before the MAC": Mutant(
        "verifier",
        "claim = self.check(headers, body)\n",
        "parse(body); claim = self.check(headers, body)\n",
        "verifier",
    ),
    "an unsigned request passes": Mutant(
        "verifier",
        "if entry.require_signature or not wanted:",
        "if entry.require_signature:",
        "verifier",
    ),
    "a store that breaks lets pass": Mutant(
        "replay", "elif isinstance(error, Exception):", "elif False:", "verifier_claims"
    ),
    "the last of two names counts": Mutant("exact", "if name in seen:", "if False:", "parse"),
    "a surrogate is replaced": Mutant(
        "exact", 'name.encode("utf-16-be")', 'name.encode("utf-16-be", "replace")', "canonical"
    ),
    "a header may stand twice": Mutant("wire", "doubled = known", "pass", "wire"),
}


def tried(folder: Path, mutant: Mutant | None, tests: set[str]) -> subprocess.CompletedProcess[str]:
    """Run these tests over a copy of the package with the one place broken."""
    shutil.copytree(ROOT / "rp_signing", folder / "rp_signing", ignore=shutil.ignore_patterns("__pycache__"))
    for linked in ("tests", "SPEC.md", "pyproject.toml"):
        (folder / linked).symlink_to(ROOT / linked)
    if mutant is not None:
        module = folder / f"rp_signing/{mutant.module}.py"
        text = module.read_text(encoding="utf-8")
        assert mutant.right in text, "the line is not there any more"
        module.write_text(text.replace(mutant.right, mutant.wrong), encoding="utf-8")
    files = [f"tests/test_{name}.py" for name in sorted(tests)]
    options = ["-q", "-x", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_copy_itself_passes(tmp_path: Path) -> None:
    """With nothing broken, the same tests pass over a copy: what they find below is the broken line."""
    run = tried(tmp_path, None, {mutant.tests for mutant in MUTANTS.values()})
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_gate_is_found(name: str, tmp_path: Path) -> None:
    """With one line broken, the tests of the line's own subject fail."""
    mutant = MUTANTS[name]
    run = tried(tmp_path, mutant, {mutant.tests})
    # 1: tests ran, and some failed. Anything else is no proof.
    assert run.returncode == 1, run.stdout[-2000:] + run.stderr
    assert "failed" in run.stdout


# mutmut names the tests that a mutant is tried with. One that pytest does not find is a usage error, and that counts as
# a mutant found.
COLLECT = """
import pytest, sys

class Seen:
    def pytest_collection_finish(self, session):
        ids.append([item.nodeid for item in session.items])

ids = []
for _ in range(2):
    assert pytest.main(sys.argv[1:], plugins=[Seen()]) == 0
missed = set(ids[0]) ^ set(ids[1])
assert ids[0] and not missed, sorted(missed)[:10]
"""


def test_the_whole_run_asks_for_tests_that_there_are() -> None:
    """Collected again in one process, as mutmut does, each test has its id still; pytest escapes `ids=` each time."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    chosen = settings["pytest_add_cli_args_test_selection"]
    run = subprocess.run(
        [sys.executable, "-c", COLLECT, "--collect-only", "-qqq", "-p", "no:cacheprovider", *chosen],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
