"""``events list`` and ``events audit``: what the event store holds, and whether it still verifies."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import TimeRemainingColumn
from rich.table import Table

from ..errors import StoreError
from ..ingest.audit import AuditReport, BadRow, Verdict, audit
from ..ingest.store import EventStore, StoredEvent
from ..keyfile import load_keyring
from .answer import as_json, print_json
from .options import existing_file
from .stores import DATABASE, Place, look_at_events, looked_at
from .terminal import progress, wide_console

_COLOUR = {"high": "green", "standard": "yellow", Verdict.VERIFIED: "green", Verdict.UNSIGNED: "yellow"}


@click.group()
def events() -> None:
    """Look at the stored events, and verify them again."""


@events.command("list")
@looked_at
@as_json
def list_events(data: Path | None, events_url: str | None, as_json: bool) -> None:
    """Show every stored event, in the order of storing."""
    with _opened(data, events_url) as store:
        if as_json:
            print_json([_document(event) for event in store.scan()])
        else:
            console = wide_console()
            console.print(rows_table(list(store.scan()), console.width))


@events.command("audit", short_help="Verify every stored event again.")
@click.option(
    "--keys",
    required=True,
    type=existing_file,
    metavar="F",
    help="The keys file, with the secrets that were retired.",
)
@looked_at
@as_json
def audit_events(keys: Path, data: Path | None, events_url: str | None, as_json: bool) -> None:
    """Verify every stored event again: exit 0 when all do, 1 when some do not, 2 when they cannot be read."""
    try:
        keyring = load_keyring(keys)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with _opened(data, events_url) as store, progress(TimeRemainingColumn()) as bar:
        task = bar.add_task("auditing", total=None)
        report = audit(store, keyring, lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        bad = [{**row._asdict(), "verdict": row.verdict.value} for row in report.bad]
        counts = {verdict.value: count for verdict, count in report.counts.items()}
        print_json({"ok": report.ok, "total": report.total, "counts": counts, "bad": bad})
    else:
        print_report(wide_console(), report)
    sys.exit(0 if report.ok else 1)


def rows_table(rows: list[StoredEvent], width: int) -> Table:
    """Give stored events as a table for a terminal of this many columns; what has no room is left out."""
    table = Table(title=f"stored events: {len(rows):,}", title_justify="left", header_style="bold")
    narrow, tiny = width < 120, width < 70
    received_as = "%H:%M:%S" if narrow else "%Y-%m-%d %H:%M:%S"
    headings = ["row", "UTC" if tiny else "received (UTC)", *([] if tiny else ["type"]), "trust"]
    headings += [*([] if narrow else ["key id"]), "messageId", *([] if tiny else ["content"])]
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        received = datetime.fromtimestamp(row.received_at, UTC).strftime(received_as)
        cells = [str(row.row_id), received, *([] if tiny else [row.type]), f"[{_COLOUR[row.trust]}]{row.trust}[/]"]
        if not narrow:
            cells.append(escape(row.key_id or "–"))
        cells.append(escape(_clipped(row.message_id, 12 if narrow else 20)))
        if not tiny:
            cells.append(escape(_clipped(row.content, max(16, width - (71 if narrow else 103)))))
        table.add_row(*cells)
    return table


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def print_report(console: Console, report: AuditReport) -> None:
    """Print what the audit found."""
    table = Table(title="audit", title_justify="left", header_style="bold")
    table.add_column("verdict")
    table.add_column("events", justify="right")
    for verdict, count in report.counts.items():
        if count:
            table.add_row(f"[{_COLOUR.get(verdict, 'red')}]{verdict.value}[/]", f"{count:,}")
    console.print(table)
    if not report.bad:
        console.print("[green]Every high row verifies.[/]" if report.total else "There are no events.")
        return
    console.print(_bad_table(report.bad))
    console.print("[red]Some rows do not verify.[/]")


def _bad_table(bad: list[BadRow]) -> Table:
    table = Table(title=f"rows that do not verify: {len(bad):,}", title_justify="left", header_style="bold")
    for heading in ("row", "messageId", "verdict", "what does not fit"):
        table.add_column(heading, overflow="fold")
    for row in bad:
        table.add_row(str(row.row_id), escape(row.message_id), f"[red]{row.verdict.value}[/]", escape(row.detail))
    return table


def _document(row: StoredEvent) -> dict[str, Any]:
    """Give a row as JSON: the event as it was sent, beside what the store says of it."""
    document = row._asdict()
    try:
        document["event"] = orjson.loads(row.content)
    except orjson.JSONDecodeError:
        document["event"] = None  # somebody wrote into the row; the audit names it
    document["request"] = row.request._asdict() if row.request else None
    return document


class _opened:  # reads as a verb in a with statement
    """Open the event store for the length of a with block."""

    def __init__(self, data: Path | None, events_url: str | None) -> None:
        Place(data, events_url).judge(workers=1)
        if data is not None and events_url is None and not (data / DATABASE).exists():
            raise click.UsageError(f"there is no {DATABASE} in {data}; is it the folder that `serve --data` was given?")
        try:
            self._store = look_at_events(data, events_url)
        except (OSError, StoreError, ModuleNotFoundError) as error:
            raise click.UsageError(str(error)) from None

    def __enter__(self) -> EventStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()
