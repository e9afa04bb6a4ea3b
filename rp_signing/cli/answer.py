"""How a command answers: text for people, one JSON document for programs, and the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from ..errors import CanonicalizationError, VerificationError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def as_json(command: _Command) -> _Command:
    """Give a command the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def print_json(document: Any) -> None:
    """Print a document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def refuse(error: CanonicalizationError | VerificationError, as_json: bool, **more: Any) -> NoReturn:
    """Say why something was refused, and exit with 1."""
    if as_json:
        print_json({**more, "reason": error.reason.value, "detail": error.detail, "pointer": error.pointer})
    else:
        click.echo(f"{click.style('refused', fg='red', bold=True)}  {error}", err=True)
    sys.exit(1)


def read_body() -> bytes:
    """Read standard input whole, as bytes."""
    return sys.stdin.buffer.read()
