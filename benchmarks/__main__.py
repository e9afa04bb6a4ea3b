"""``python -m benchmarks``: measure everything, print the table, write result.json and report.html."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from . import (
    ROOT,
    canonical_rows,
    endpoint_rows,
    explain_rows,
    facts,
    gate_rows,
    growth,
    import_rows,
    memory_rows,
    postgres_rows,
    redis_rows,
    sdk_rows,
)
from .page import page_of
from .table import RESULT, last_committed, table_of

# What each part gives, for the progress bar.
_PARTS: tuple[tuple[str, Callable[[], Iterable[Any]], int, str], ...] = (
    ("canonicalize", canonical_rows.rows, 3, "rows"),
    ("gate and signer", gate_rows.rows, 5, "rows"),
    ("memory store", memory_rows.rows, 4, "rows"),
    ("stores on a disk", postgres_rows.rows, 7, "rows"),
    ("store in Valkey", redis_rows.rows, 5, "rows"),
    ("endpoint", endpoint_rows.rows, 2, "rows"),
    ("SDK", sdk_rows.rows, 4, "rows"),
    ("explain", explain_rows.rows, 4, "rows"),
    ("import", import_rows.rows, 1, "rows"),
    ("growth", growth.curves, 4, "growth"),
    ("facts", facts.facts, 7, "facts"),
)


def measure(console: Console) -> dict[str, Any]:
    """Run all parts; gives the result as it is written."""
    machine = f"CPython {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    result: dict[str, Any] = {"machine": machine, "rows": [], "growth": [], "facts": []}
    columns = (TextColumn("{task.description:<16}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, refresh_per_second=1) as progress:
        task = progress.add_task("", total=sum(how_many for _, _, how_many, _ in _PARTS))
        for name, part, _, where in _PARTS:
            progress.update(task, description=name)
            for found in part():
                result[where].append(found.as_json() if where == "rows" else found)
                progress.advance(task)
    return result


def main() -> None:
    """Measure, and say what was found; a slow machine is no failure."""
    console = Console()
    before = last_committed()
    result = measure(console)
    wide = Console(width=max(console.width, 150))
    wide.print(table_of(result, before))
    for fact in result["facts"]:
        wide.print("holds    " if fact["holds"] else "NO LONGER", fact["text"], f"({fact['detail']})", markup=False)
    (ROOT / RESULT).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = ROOT / "benchmarks" / "report.html"
    page.write_text(page_of(result, before), encoding="utf-8")
    console.print(f"written: {RESULT}, {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
