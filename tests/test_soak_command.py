"""What `make soak` keeps, and what it runs again: with parts of these tests' own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soak
from click.testing import CliRunner, Result
from soak_part import Advance, Part, Row


class Parts:
    """Three parts that say when they ran; what one of them does can be told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.ran: list[tuple[str, int]] = []
        self.does: dict[str, Any] = {}
        self.proof, self.short = folder / "proof.json", folder / "soak.json"
        self.code = "0" * 16
        monkeypatch.setattr(
            soak, "PARTS", [Part(name, name, 100, 5, self._of(name), "tries") for name in ("a", "b", "c")]
        )
        monkeypatch.setattr(soak, "PROOF", self.proof)
        monkeypatch.setattr(soak, "SHORT", self.short)
        monkeypatch.setattr(soak, "state_of_the_code", lambda: self.code)

    def _of(self, name: str) -> Any:
        def work(tries: int, advance: Advance) -> list[Row]:
            self.ran.append((name, tries))
            advance(tries)
            what = self.does.get(name, True)
            if isinstance(what, BaseException):
                raise what
            return [Row("[b]work[/b]", "this", "that [/", what)]

        return work

    def soak(self, *arguments: str) -> Result:
        """Run the command; what ran is in `ran`."""
        self.ran.clear()
        return CliRunner(catch_exceptions=False).invoke(soak.main, arguments)

    def kept(self, file: Path | None = None) -> dict[str, Any]:
        """What a file has of each part."""
        return dict(json.loads((file or self.proof).read_text(encoding="utf-8"))["parts"])


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Parts]:
    """They, with nothing kept yet."""
    return Parts(monkeypatch, tmp_path)


def test_all_run_and_are_shown(parts: Parts) -> None:
    """Every part runs at full length and is in the table, with its verdict and all of its text."""
    result = parts.soak()
    assert (result.exit_code, parts.ran) == (0, [("a", 100), ("b", 100), ("c", 100)])
    assert "[b]work[/b]" in result.output
    assert result.output.count("held") == 3


def test_a_run_that_is_interrupted_goes_on(parts: Parts) -> None:
    """After an interruption the finished parts are in the file, and the next run begins with the one that was not."""
    parts.does["b"] = KeyboardInterrupt()
    assert parts.soak().exit_code == 130
    assert list(parts.kept()) == ["a"]
    parts.does.clear()
    assert parts.soak().exit_code == 0
    assert parts.ran == [("b", 100), ("c", 100)]
    assert parts.soak().exit_code == 0
    assert parts.ran == []


def test_one_part_runs_alone_and_anew(parts: Parts) -> None:
    """A part that is named runs, finished or not; the others stay as they are kept."""
    parts.soak()
    before = parts.kept()
    assert parts.soak("b").exit_code == 0
    assert parts.ran == [("b", 100)]
    assert parts.kept().keys() == before.keys()
    assert parts.soak("d").exit_code == 2


def test_results_of_other_code_are_none(parts: Parts) -> None:
    """When the code has changed every part runs again, and each one in the file says which code it is of."""
    parts.soak()
    parts.code = "1" * 16
    parts.does["b"] = KeyboardInterrupt()
    parts.soak()
    assert [part["code"][0] for part in parts.kept().values()] == ["1", "0", "0"]
    parts.does.clear()
    parts.soak()
    assert parts.ran == [("b", 100), ("c", 100)]


def test_what_is_broken_is_kept_as_broken_and_runs_again(parts: Parts) -> None:
    """A row that does not hold, or an exception, is in the file and the exit code; it ends no other part."""
    parts.does |= {"a": ZeroDivisionError("why"), "b": False}
    result = parts.soak()
    assert (result.exit_code, len(parts.ran)) == (1, 3)
    assert "ZeroDivisionError: why" in result.output
    assert [part["rows"][0]["held"] for part in parts.kept().values()] == [False, False, True]
    parts.does.clear()
    assert parts.soak().exit_code == 0
    assert parts.ran == [("a", 100), ("b", 100)]


def test_what_could_not_be_tried_is_told_as_that(parts: Parts) -> None:
    """A row that nobody could try is neither held nor broken."""
    parts.does["c"] = None
    result = parts.soak()
    assert (result.exit_code, result.output.count("not tried")) == (0, 1)


def test_a_short_run_proves_nothing(parts: Parts) -> None:
    """With --tries nothing is written to the proofs; a part makes its short length at the least."""
    assert parts.soak("--tries", "7").exit_code == 0
    assert parts.ran == [("a", 7), ("b", 7), ("c", 7)]
    assert not parts.proof.exists()
    assert len(parts.kept(parts.short)) == 3
    parts.soak("--tries", "7")
    assert parts.ran == []
    parts.soak("--tries", "1", "a")
    assert parts.ran == [("a", 5)]


def test_each_part_says_what_it_was_run_on(parts: Parts) -> None:
    """Version, commit, code, machine and day stand beside each part."""
    parts.soak("a")
    part = parts.kept()["a"]
    assert {name for name in ("version", "commit", "code", "machine", "date") if name not in part} == set()
    assert (part["code"], part["tries"], part["version"]) == (parts.code, 100, "0.1.0")


def test_a_commit_with_changes_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The commit that is checked out; with a plus where the code has changed since; none where there is no git."""
    monkeypatch.setattr(soak, "ROOT", tmp_path)
    assert soak.commit() is None
    for folder in soak.CODE:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("1")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        soak.subprocess.run([*git, *command], check=True)
    clean = soak.commit()
    assert clean
    assert clean.isalnum()
    (tmp_path / "notes.txt").write_text("no code")
    assert soak.commit() == clean
    (tmp_path / "tests/a.py").write_text("2")
    assert soak.commit() == f"{clean}+"


def test_the_state_of_the_code_changes_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Package, tests, benchmarks and lock count; a text beside them does not."""
    monkeypatch.setattr(soak, "ROOT", tmp_path)
    (tmp_path / "requirements.lock").write_text("a==1")
    seen = [soak.state_of_the_code()]
    for path in ("rp_signing/a/b.py", "tests/a.py", "benchmarks/a.py", "tests/a.mjs", "requirements.lock", "README.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("changed")
        seen.append(soak.state_of_the_code())
    assert len(set(seen)) == 6
    assert seen[-1] == seen[-2]
