"""The long proofs: every part runs alone, a finished part is kept, and the table comes at the end.

`make soak` runs what has no result yet, `make soak PART=name` one part anew. `--list` says what there is. When the
last part is done, all of them are written to ``docs/proof.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from soak_part import Part, Row

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "soak.json"
PROOF = ROOT / "docs" / "proof.json"
PARTS: list[Part] = [
    part
    for file in sorted(Path(__file__).parent.glob("soak_*.py"))
    for part in getattr(import_module(file.stem), "PARTS", [])
]
VERDICTS = {True: "[green]held[/]", False: "[bold red]BROKEN[/]", None: "[yellow]not tried[/]"}


def run(part: Part, tries: int, progress: Progress) -> dict[str, Any]:
    """Run one part under a progress bar; gives what is kept of it."""
    task = progress.add_task(part.name, total=tries)
    started = time.monotonic()
    rows = part.run(tries, lambda more: progress.advance(task, more))
    progress.update(task, completed=tries)
    return {
        "promise": part.promise,
        "tries": tries,
        "unit": part.unit,
        "seconds": round(time.monotonic() - started, 1),
        "rows": [row._asdict() for row in rows],
    }


def show(kept: dict[str, Any], console: Console) -> bool:
    """Print the table; tells whether everything held."""
    table = Table(title="What was tried, and what came out", title_justify="left")
    for heading in ("part", "what was tried", "wanted", "seen", ""):
        table.add_column(heading, overflow="fold", no_wrap=heading == "")
    for name, part in kept.items():
        for number, row in enumerate(Row(**row) for row in part["rows"]):
            verdict = VERDICTS[row.held]
            title = f"{name}\n[dim]{part['seconds']:,.0f} s[/]" if not number else ""
            table.add_row(title, row.work, row.wanted, row.seen, verdict, end_section=number == len(part["rows"]) - 1)
    console.print(table)
    return all(row["held"] is not False for part in kept.values() for row in part["rows"])


def state_of_the_code() -> str:
    """A digest of the package and of these tests: results of other code are no results."""
    files = sorted([*(ROOT / "rp_signing").rglob("*.py"), *(ROOT / "tests").glob("*.py")])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def read_kept() -> dict[str, Any]:
    """What earlier runs of the same code finished."""
    if not KEPT.exists():
        return {}
    found = json.loads(KEPT.read_text(encoding="utf-8"))
    return dict(found["parts"]) if found["code"] == state_of_the_code() else {}


def keep(parts: dict[str, Any]) -> None:
    """Write what is finished."""
    KEPT.parent.mkdir(exist_ok=True)
    document = {"code": state_of_the_code(), "parts": parts}
    KEPT.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def prove(parts: dict[str, Any]) -> None:
    """Write what all parts at full length gave, for the docs."""
    machine = f"CPython {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    document = {"machine": machine, "parts": dict(sorted(parts.items()))}
    PROOF.parent.mkdir(exist_ok=True)
    PROOF.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@click.command()
@click.argument("names", nargs=-1, metavar="[PART]...")
@click.option("--tries", type=click.IntRange(1), help="How many tries each part makes; its full length when left out.")
@click.option("--list", "listed", is_flag=True, help="Say what parts there are.")
def main(names: tuple[str, ...], tries: int | None, listed: bool) -> None:
    """Run the long proofs and print what came out."""
    console = Console()
    if listed:
        for part in PARTS:
            console.print(f"[bold]{part.name:16}[/] {part.promise} [dim]({part.full:,} {part.unit})[/]")
        return
    unknown = set(names) - {part.name for part in PARTS}
    if unknown:
        raise click.UsageError(f"no such part: {', '.join(sorted(unknown))}; --list says what there is")
    kept = read_kept()
    chosen = [part for part in PARTS if part.name in names or (not names and part.name not in kept)]
    columns = (TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
            for part in chosen:
                kept[part.name] = run(part, tries or part.full, progress)
                keep(kept)
    except KeyboardInterrupt:
        console.print("interrupted; the finished parts are kept")
        sys.exit(130)
    if chosen and all(part.name in kept for part in PARTS) and not tries:
        prove(kept)
    sys.exit(0 if show({name: kept[name] for name in (names or kept)}, console) else 1)


if __name__ == "__main__":
    main()
