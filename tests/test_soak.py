"""Every part of the soak, short: what runs for an hour elsewhere has to work here first."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from soak import PARTS
from soak_part import Part

HERE = Path(__file__).resolve().parent
WAITING = """
import select
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from soak_part import Part
from valkey_server import Valkey

def wait(tries, advance):
    with Valkey() as server, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        at_work = pool.submit(select.select, [], [], [], 90)
        print(server.command("INFO", "server")["process_id"], flush=True)
        at_work.result()

PARTS = [Part("waiting", "waits", 1, 1, wait, "waits")]
"""


@pytest.mark.parametrize("part", [part for part in PARTS if part.short], ids=lambda part: part.name)
def test_a_part_of_the_soak_holds(part: Part) -> None:
    """Each row of each part holds at a short length, and the part tells of every try."""
    told: list[int] = []
    rows = part.run(part.short, told.append)
    assert [f"{row.work}: wanted {row.wanted}, seen {row.seen}" for row in rows if row.held is False] == []
    assert rows
    assert sum(told) == part.short


def test_parts_have_names_of_their_own() -> None:
    """`make soak PART=name` means one part."""
    assert len({part.name for part in PARTS}) == len(PARTS) > 0


def killed(process: int) -> bool:
    """Whether it was there to be killed."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
        return True
    return False


def test_servers_go_away_with_the_soak(tmp_path: Path) -> None:
    """Told to end by SIGTERM, `make soak` ends as it does by Ctrl-C, and no server that it started goes on."""
    (tmp_path / "tests").mkdir()
    for name in ("soak.py", "soak_part.py"):
        shutil.copy(HERE / name, tmp_path / "tests")
    (tmp_path / "tests/soak_waiting.py").write_text(WAITING, encoding="utf-8")
    (tmp_path / "requirements.lock").touch()
    command = [sys.executable, tmp_path / "tests/soak.py"]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        process.terminate()
        try:
            told, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            left = killed(server)
    assert (process.returncode, "interrupted" in told, left) == (130, True, False)
