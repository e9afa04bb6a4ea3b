"""How a conformance report looks on a terminal: what failed, then the table by suite, then the verdict."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..conformance.escape import readable, visible
from ..conformance.outcome import Outcome, Status
from ..conformance.report import Report, SuiteCounts, explain

_COLOUR = {Status.PASSED: "green", Status.FAILED: "red", Status.SKIPPED: "yellow", Status.CRASHED: "magenta"}
_SHOWN_FAILURES, _SHOWN_LINES, _SHOWN_CHARACTERS = 20, 30, 240


def print_report(console: Console, report: Report) -> None:
    """Print a report; of a long list only its beginning, which --json and --html give whole."""
    for outcome in report.to_look_at[:_SHOWN_FAILURES]:
        console.print(_heading(outcome))
        console.print(_failure(outcome))
    _rest(console, len(report.to_look_at) - _SHOWN_FAILURES)
    if report.unasked:
        console.print(Text(f"{report.unasked:,} more were not asked: the program crashed too often in a row.\n"))
    suspects = ((f"{count:>4} times", bug) for bug, count in report.suspects)
    _print_list(console, "Which bugs explain most of it", suspects)
    _print_list(console, "Skipped", ((one.id, one.detail) for one in report.of(Status.SKIPPED)))
    _print_list(console, "Failed as expected", ((one.id, why) for one, why in report.expected_failures))
    _print_list(console, "The run itself", ((one.name, one.detail) for one in report.problems))
    console.print(_by_suite(report))
    console.print(Text.assemble(("✓ ", "bold green") if report.ok else ("✗ ", "bold red"), report.verdict()))


def _heading(outcome: Outcome) -> Text:
    line = Text.assemble((f"{outcome.status} ", f"bold {_COLOUR[outcome.status]}"), (outcome.id, "bold"))
    return line.append(f"  {' '.join(outcome.tags)}", "dim")


def _failure(outcome: Outcome) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=8, justify="right", style="dim")
    grid.add_column(overflow="fold")
    why = "differs" if outcome.differs else "happened"
    rows = [("what", outcome.comment), (why, explain(outcome))]
    rows += [("wanted", _cut(outcome.wanted) or ""), ("got", _cut(outcome.got) or "")]
    for name, value in rows:
        if value:
            grid.add_row(name, Text(visible(value)))
    for bug in outcome.bugs:
        grid.add_row("bug?", Text(visible(bug), "yellow"))
    grid.add_row()
    return grid


def _cut(value: object) -> str | None:
    if value is None:
        return None
    text = readable(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _print_list(console: Console, title: str, lines: Iterable[tuple[str, str]]) -> None:
    entries = list(lines)
    if not entries:
        return
    console.print(Text(title, "bold"))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for name, said in entries[:_SHOWN_LINES]:
        grid.add_row(Text(visible(name)), Text(visible(said), "dim"))
    console.print(grid)
    _rest(console, len(entries) - _SHOWN_LINES)
    console.print()


def _rest(console: Console, count: int) -> None:
    if count > 0:
        console.print(Text(f"… and {count:,} more, all in --json and --html\n", "dim"))


def _by_suite(report: Report) -> Table:
    table = Table(title=Text(visible(report.target)), title_justify="left", title_style="bold", header_style="bold")
    table.add_column("suite")
    for status in Status:
        table.add_column(status, justify="right")
    for row in report.suites:
        table.add_row(row.suite, *_counts(row))
    table.add_section()
    table.add_row("all", *_counts(report.total), style="bold")
    return table


def _counts(row: SuiteCounts) -> list[Text]:
    counts = [(getattr(row, status.value), _COLOUR[status]) for status in Status]
    return [Text(f"{count:,}", colour if count else "dim") for count, colour in counts]
