"""The long proofs: every part runs alone, a finished part is kept, and the table comes at the end.

`make soak` runs what has no result of this code yet, `make soak PART=name` one part anew. `--list` says what there is.
Each part at full length is written to ``docs/proof.json`` as soon as it is done, with the commit that it was run on.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from multiprocessing import active_children
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from soak_part import Part, Row

ROOT = Path(__file__).resolve().parent.parent
PROOF = ROOT / "docs" / "proof.json"
SHORT = ROOT / "build" / "soak.json"
"""Where parts are kept that were run with ``--tries``: they prove nothing at full length."""
CODE = ("rp_signing", "tests", "benchmarks")
PARTS: list[Part] = [
    part
    for file in sorted(Path(__file__).parent.glob("soak_*.py"))
    for part in getattr(import_module(file.stem), "PARTS", [])
]
VERDICTS = {True: "[green]held[/]", False: "[bold red]BROKEN[/]", None: "[yellow]not tried[/]"}

Kept = dict[str, Any]
"""What is kept of one part; in the files, by its name."""


def run(part: Part, tries: int, progress: Progress) -> Kept:
    """Run one part under a progress bar; gives what is kept of it. One that raises is broken, and ends no other."""
    task = progress.add_task(part.name, total=tries)
    here, started = where(), time.monotonic()
    try:
        rows = part.run(tries, lambda more: progress.advance(task, more))
    except Exception as error:
        progress.console.print_exception()
        rows = [Row(part.promise, "no exception", f"{type(error).__name__}: {error}", held=False)]
    progress.update(task, completed=tries)
    return {
        "promise": part.promise,
        "tries": tries,
        "unit": part.unit,
        "seconds": round(time.monotonic() - started, 1),
        **here,
        "rows": [row._asdict() for row in rows],
    }


def where() -> Kept:
    """What was tried, where and when: results of other code are no results of this one."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return {
        "version": version("rp-signing"),
        "commit": commit(),
        "code": state_of_the_code(),
        "machine": f"CPython {platform.python_version()}, {machine}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def commit() -> str | None:
    """The commit that is checked out, with a plus when its code was changed since; None where git knows of none."""
    told = [
        subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
        for command in (
            ("rev-parse", "--short=10", "HEAD"),
            ("status", "--porcelain", "--", *CODE, "requirements.lock"),
        )
    ]
    if any(one.returncode for one in told):
        return None
    head, changed = (one.stdout.strip() for one in told)
    return f"{head}+" if changed else head


def state_of_the_code() -> str:
    """A digest of the package, of these tests and of what they install."""
    files = [file for folder in CODE for kind in ("py", "mjs") for file in (ROOT / folder).rglob(f"*.{kind}")]
    texts = [file.read_bytes() for file in sorted([*files, ROOT / "requirements.lock"])]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]


def read(file: Path) -> dict[str, Kept]:
    """What is kept in a file, of whatever code."""
    return dict(json.loads(file.read_text(encoding="utf-8"))["parts"]) if file.exists() else {}


def keep(file: Path, parts: dict[str, Kept]) -> None:
    """Write what is finished, at once or not at all."""
    file.parent.mkdir(exist_ok=True)
    beside = file.with_suffix(".tmp")
    document = {"parts": dict(sorted(parts.items()))}
    beside.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(file)


def finished(kept: Kept | None, tries: int, code: str) -> bool:
    """Whether a part needs no other run: of this code, at this length, and nothing in it broken."""
    return (
        kept is not None
        and (kept.get("code"), kept["tries"]) == (code, tries)
        and all(row["held"] is not False for row in kept["rows"])
    )


def show(kept: dict[str, Kept], console: Console) -> bool:
    """Print the table; tells whether everything held."""
    table = Table(title="What was tried, and what came out", title_justify="left")
    for heading in ("part", "what was tried", "wanted", "seen", ""):
        table.add_column(heading, overflow="fold", no_wrap=heading == "")
    for name, part in kept.items():
        for number, row in enumerate(Row(**row) for row in part["rows"]):
            verdict = VERDICTS[row.held]
            title = f"{name}\n[dim]{part['seconds']:,.0f} s[/]" if not number else ""
            cells = map(escape, (row.work, row.wanted, row.seen))
            table.add_row(title, *cells, verdict, end_section=number == len(part["rows"]) - 1)
    console.print(table)
    console.print(f"{sum(part['seconds'] for part in kept.values()) / 60:.0f} minutes in all")
    return all(row["held"] is not False for part in kept.values() for row in part["rows"])


def interrupt(*_: object) -> NoReturn:
    """Do at SIGTERM what Ctrl-C does in a terminal, where the processes of a pool are told, too."""
    for process in active_children():
        process.terminate()
    raise KeyboardInterrupt


@click.command()
@click.argument("names", nargs=-1, metavar="[PART]...")
@click.option(
    "--tries",
    type=click.IntRange(1),
    help="How many tries each part makes, its short length at the least; its full length when left out.",
)
@click.option("--list", "listed", is_flag=True, help="Say what parts there are.")
def main(names: tuple[str, ...], tries: int | None, listed: bool) -> None:
    """Run the long proofs and print what came out."""
    console = Console()
    if listed:
        for part in PARTS:
            console.print(f"[bold]{part.name:22}[/] {part.promise} [dim]({part.full:,} {part.unit})[/]")
        return
    unknown = set(names) - {part.name for part in PARTS}
    if unknown:
        raise click.UsageError(f"no such part: {', '.join(sorted(unknown))}; --list says what there is")
    file, code = (SHORT if tries else PROOF), state_of_the_code()
    wanted = {
        part.name: max(tries, part.short) if tries else part.full for part in PARTS if part.name in names or not names
    }
    kept = read(file)
    chosen = [
        part for part in PARTS
        if part.name in names or (not names and not finished(kept.get(part.name), wanted[part.name], code))
    ]  # fmt: skip
    columns = (TextColumn("{task.description:22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
            for part in chosen:
                kept[part.name] = run(part, wanted[part.name], progress)
                keep(file, {name: kept[name] for name in kept if name in {part.name for part in PARTS}})
    except KeyboardInterrupt:
        console.print("interrupted; the finished parts are kept, and the same command goes on with the next")
        sys.exit(130)
    sys.exit(0 if show({name: kept[name] for name in wanted}, console) else 1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    main()
