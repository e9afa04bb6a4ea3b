"""What the command line shows to people: help and tables, on terminals of any width."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
import spec_page
from rich.cells import cell_len
from serving_process import COMMAND, serving_process, write_keys

COMMANDS = (
    "",
    "canonicalize",
    "sign",
    "verify",
    "explain",
    "serve",
    "events",
    "events list",
    "events audit",
    "keys",
    "keys add",
    "keys retire",
    "keys status",
    "keygen",
    "conform",
    "doctor",
    "demo",
)


def on_terminal(folder: Path, columns: int, *arguments: str) -> str:
    """What a command writes to a terminal of so many columns, without its colours."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen([*COMMAND, *arguments], cwd=folder, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says so at the end of a terminal
                break
            if not part:
                break
            shown += part
        assert process.wait(60) == 0
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r\n", "\n")


def widest(text: str) -> int:
    """The columns that the longest line takes."""
    return max(cell_len(line) for line in text.splitlines())


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder with a keys file, and a store with one event in it."""
    write_keys(tmp_path)
    with serving_process(tmp_path, "--data", "data") as served:
        assert served.send("message-1").status == 202
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_narrow_terminal(tmp_path: Path, command: str) -> None:
    """At 40 columns no line of the help is longer, and at 80 no summary is cut off."""
    narrow = on_terminal(tmp_path, 40, *command.split(), "--help")
    assert widest(narrow.replace("http://127.0.0.1:8000", "")) <= 40, narrow
    wide = on_terminal(tmp_path, 80, *command.split(), "--help")
    assert widest(wide) <= 80
    assert "..." not in wide.partition("Commands:")[2]


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_a_listed_event_keeps_what_matters(stored: Path, columns: int) -> None:
    """However narrow the terminal is, row, trust and messageId of an event are whole."""
    shown = on_terminal(stored, columns, "events", "list", "--data", "data")
    assert widest(shown) <= columns
    assert re.search(r"│ 1 +│.*│ high +│(?:.*│)? message-1 +│", shown), shown


@pytest.mark.parametrize("columns", [120, 140])
def test_a_listed_event_shows_its_key_id(stored: Path, columns: int) -> None:
    """Where the terminal has room for it, the key id of an event is whole, as `keys retire` takes it."""
    shown = on_terminal(stored, columns, "events", "list", "--data", "data")
    assert widest(shown) <= columns
    assert f"│ {spec_page.KEY_ID} │" in shown, shown


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_key_ids_can_be_copied(stored: Path, columns: int) -> None:
    """A key id is shown whole, since `keys retire` takes it; where a line has no room for it, on several."""
    shown = on_terminal(stored, columns, "keys", "status", "--keys", "keys.json")
    assert widest(shown) <= columns
    cells = [line.split("│")[3].strip() for line in shown.splitlines() if line.startswith("│")]
    assert "".join(cells) == spec_page.KEY_ID
    assert "--data DIR or --events URL" in shown.replace("\n", " ")
