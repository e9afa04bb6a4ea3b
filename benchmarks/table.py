"""The table: what was measured, beside floor, peers, goal, and the last committed run."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from rich.table import Table

from . import ROOT

RESULT = "benchmarks/result.json"


def last_committed() -> dict[str, Any]:
    """Give the rows of the result in git's HEAD by name; none where there is none."""
    shown = subprocess.run(["git", "show", f"HEAD:{RESULT}"], cwd=ROOT, capture_output=True, check=False)
    if shown.returncode:
        return {}
    return {row["work"]: row for row in json.loads(shown.stdout)["rows"]}


def figure(value: float, unit: str) -> str:
    """Write a figure with its unit."""
    if unit == "B":
        return f"{value:.0f} B"
    if unit == "/s":
        return f"{value:,.0f}/s"
    for scale, name in ((1e-3, "ms"), (1e-6, "µs")):
        if value >= scale:
            return f"{value / scale:.3g} {name}"
    return f"{value * 1e9:.3g} ns"


def cells(row: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """Give the cells of a row: work, ours, floor, ratio, before, peers, goals, reached."""
    unit = row["unit"]
    peers = [
        f"{name} {figure(value, unit)} ({value / row['ours']:.2g} ×)"
        for name, value in sorted(row["peers"].items(), key=lambda pair: pair[1])
    ]
    old = before.get(row["work"])
    return [
        row["work"],
        figure(row["ours"], unit),
        f"{figure(row['floor'], unit)}\n{row['floor_name']}",
        f"{row['ratio']:.2f}",
        f"{old['ratio']:.2f}" if old else "–",
        "\n".join(peers) or "–",
        "\n".join(goal["text"] for goal in row["goals"]),
        "\n".join(("yes" if goal["reached"] else "NO") + f" ({short(goal['value'])})" for goal in row["goals"]),
    ]


def short(value: float) -> str:
    """Write the value of a goal."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


HEADINGS = ("work", "ours", "floor", "ratio", "before", "peers (× ours)", "goal", "reached")


def table_of(result: dict[str, Any], before: dict[str, Any]) -> Table:
    """Give the table for a terminal."""
    table = Table(title="rp-signing against floor and peers, one run, medians", show_lines=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in ("ours", "ratio", "before") else "left")
    for row in result["rows"]:
        style = None if all(goal["reached"] for goal in row["goals"]) else "yellow"
        table.add_row(*cells(row, before), style=style)
    return table
