"""What is shown to people: where tables are printed, and how far a run is."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn

__all__ = ["progress", "wide_console"]


def wide_console() -> Console:
    """Give a terminal to print tables to; where there is none, one that is wide enough for them."""
    return Console(width=None if sys.stdout.isatty() else 140)


def progress(*more: ProgressColumn) -> Progress:
    """Give a progress bar on standard error; where that is no terminal, nothing at all is written."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *more)
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
