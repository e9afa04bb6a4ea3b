"""What a type checker says to a user's program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("typed_use.py")


def test_mypy_passes_right_uses_and_sees_wrong_ones(tmp_path: Path) -> None:
    """Strict, and without this package's own settings or pydantic's plugin: no error but the mistakes, and each."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", tmp_path, PROGRAM]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROGRAM.parent)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout


def test_pyright_passes_right_uses_and_sees_wrong_ones(tmp_path: Path) -> None:
    """The same by pyright's rules."""
    settings = '{"typeCheckingMode": "standard", "reportUnnecessaryTypeIgnoreComment": "error"}'
    (tmp_path / "pyrightconfig.json").write_text(settings, encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--project", tmp_path]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
