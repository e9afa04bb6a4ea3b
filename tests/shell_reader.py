"""A reader who types the shell blocks of a page, one line after another, in a folder of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from code_blocks import ROOT
from serving_process import Served

BIN = Path(sys.executable).parent
REFUSED = 1
COMMENT = re.compile(r"\s+#\s.*$")


class Reader:
    """Types what is shown.

    Attributes:
        folder: where.
        placeholders: what a reader writes in the place of words in capitals.
        servers: those that were started, and still run.
    """

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder = folder
        self.placeholders: dict[str, str] = {}
        self.servers: list[Served] = []
        self._environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            # What pip would get from the index is the wheel of this checkout, into a folder of its own.
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_DEPS": "1",
            "PIP_UPGRADE": "1",
            "PIP_TARGET": str(folder / "installed"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def type(self, line: str, exit_code: int = 0) -> str:
        """Type one line; what it prints on both outputs."""
        line = COMMENT.sub("", line)
        for word, meant in self.placeholders.items():
            line = re.sub(rf"(?<![\w-]){re.escape(word)}(?!\w)", lambda _, meant=meant: meant, line)
        if line.startswith("rp-signing serve"):
            return self._serve(line)
        # A target that make does not know ends it with 2; to make them all is the work of other tests.
        command = line.replace("make ", "make --dry-run ", 1) if line.startswith("make ") else line
        folder = ROOT if command.startswith("make") or "rp_signing/" in command else self.folder
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == exit_code, f"{line}\n{done.stdout}"
        return done.stdout

    def _serve(self, line: str) -> str:
        """Type it in a terminal that stays open; on whatever port is free."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line} --port 0"],
            cwd=self.folder,
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        served = Served(process)
        self.servers.append(served)
        self.placeholders |= {"SERVER": str(process.pid), "https://HOST": served.url}
        return "".join(served.log)

    def keys(self) -> dict[str, Any]:
        """The first entry of the keys file that the commands made."""
        entry: dict[str, Any] = json.loads((self.folder / "keys.json").read_text())["api_keys"][0]
        return entry


@contextmanager
def reading(folder: Path, wheels: Path) -> Iterator[Reader]:
    """Sit down before a terminal; in the end every server that was started is stopped with Ctrl-C's signal."""
    reader = Reader(folder, wheels)
    try:
        yield reader
        for served in reader.servers:
            served.tell(signal.SIGINT)
            assert served.process.wait(60) in (0, 128 + signal.SIGINT)
    finally:
        for served in reader.servers:
            served.process.kill()
            served.process.wait(60)
            assert served.process.stderr
            served.process.stderr.close()
