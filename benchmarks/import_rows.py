"""What `import rp_signing` costs over what it imports, in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import orjson

from . import ROOT
from .measure import Goal, Row, Samples, row_of

_FORBIDDEN = ("aiohttp", "http.client", "httpcore2", "httpx", "httpx2", "pydantic", "pydantic_core", "requests", "ssl")
# As after an installation: compiled once, by the first run, whatever the environment says of bytecode.
INSTALLED = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode")}
"""The environment of a process whose import is measured."""

_PROGRAM = f"""
import sys
from time import perf_counter
begun = perf_counter()
import orjson
engine = perf_counter()
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
there = perf_counter()
import rp_signing
ready = perf_counter()
loaded = [name for name in {_FORBIDDEN} if name in sys.modules]
print(orjson.dumps([ready - begun, there - begun, engine - begun, loaded]).decode())
"""


def rows() -> Iterator[Row]:
    """Measure the row of this file."""
    runs = [_run() for _ in range(21)][1:]
    samples = Samples(
        {
            "ours": [run[0] for run in runs],
            "floor": [run[1] for run in runs],
            "orjson alone": [run[2] for run in runs],
        }
    )
    over = Samples({"over": [run[0] - run[1] for run in runs]}).median("over")
    goals = [
        Goal("≤ 15 ms over orjson and HMAC", over, 0.015),
        Goal("no pydantic, no HTTP client", len(runs[0][3]), 0),
    ]
    note = f"over it: {over * 1000:.1f} ms; loaded of those forbidden: {', '.join(runs[0][3]) or 'none'}"
    yield row_of("import rp_signing", samples, "orjson + cryptography HMAC", goals, note)


def _run() -> list[object]:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, check=True, env=INSTALLED)
    answer: list[object] = orjson.loads(done.stdout)
    return answer
