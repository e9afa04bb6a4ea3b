"""``make conform``: `serve` is started over an empty folder and judged by every probe of the black box."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from serving_process import API_KEY, COMMAND, SECRET, serving_process, write_keys


def main() -> int:
    """Give the exit code of ``rp-signing conform --url``."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_keys(folder)
        (folder / "secret").write_text(SECRET)
        with serving_process(folder, "--data", "data") as served:
            arguments = ["--url", served.url, "--api-key", API_KEY, "--secret-file", str(folder / "secret")]
            return subprocess.run([*COMMAND, "conform", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
