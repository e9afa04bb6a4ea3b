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
    """Print a document on standard output, in UTF-8 whatever the locale (RFC 8259 §8.1)."""
    # A lone surrogate, which UTF-8 has not, becomes its own JSON escape.
    click.echo(json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def refuse(error: CanonicalizationError | VerificationError, as_json: bool, **more: Any) -> NoReturn:
    """Say why something was refused, and exit with 1."""
    if as_json:
        print_json({**more, "reason": error.reason.value, "detail": error.detail, "pointer": error.pointer})
    else:
        click.echo(f"{click.style('refused', fg='red', bold=True)}  {error}", err=True)
    sys.exit(1)


def read_body() -> bytes:
    """Read standard input whole, as bytes; who typed no `< FILE` is told."""
    if sys.stdin.isatty():
        click.echo("The body is read from standard input: `< FILE`, or type it, and then Ctrl-D.", err=True)
    try:
        body = sys.stdin.buffer.read()
    except OSError as error:
        raise click.UsageError(f"standard input, where the body is read from: {error.strerror}") from None
    if not body:
        click.echo("Standard input was empty; the body is read from there.", err=True)
    return body


def write_bytes(content: bytes) -> None:
    """Write bytes to standard output as they are."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
