"""A report as one page of HTML that needs nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .escape import readable, visible
from .outcome import Status
from .report import Report, explain

__all__ = ["page"]


def page(report: Report, made_at: datetime | None = None) -> str:
    """Write the page.

    Args:
        report: what it says.
        made_at: the time that stands on it; now, in UTC, when None.
    """
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).resolve().parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(explain=explain, readable=readable, visible=visible)
    when = (made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    return environment.get_template("report.html").render(report=report, Status=Status, when=when)
