"""What may be seen nowhere, in errors with their frames, in logs and in replies: secrets and api keys."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import parties
from spec_page import API_KEY, SECRET

import rp_signing

PACKAGE = str(Path(rp_signing.__file__).parent)
HIDDEN = {
    SECRET,
    parties.OLD,
    parties.OTHER,
    parties.STRANGER,
    API_KEY,
    parties.OTHER_API_KEY,
    parties.LIVE_API_KEY,
    parties.UNSIGNED_API_KEY,
}


def leaked(text: str) -> list[str]:
    """What a text shows that it may not."""
    return [hidden for hidden in HIDDEN if hidden in text]


def check_error(error: BaseException) -> None:
    """Look at an error as Sentry sends it: its text, and the local variables of each frame of the package."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    while told is not None:
        assert leaked("".join(told.format_exception_only())) == []
        for frame in told.stack:
            if frame.filename.startswith(PACKAGE):
                for name, value in (frame.locals or {}).items():
                    assert leaked(value) == [], f"{name} in {frame.name}, {frame.filename}, line {frame.lineno}"
        behind = None if told.__suppress_context__ else told.__context__
        told = told.__cause__ or behind  # type: ignore[assignment]


class Watch(logging.Handler):
    """Looks at each record of the package, with all that a formatter could write of it."""

    def __init__(self) -> None:
        super().__init__(level=logging.NOTSET)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record."""
        if leaked(f"{record.getMessage()} {record.__dict__}"):
            self.found.append(f"{record.name}, {record.pathname}, line {record.lineno}")
