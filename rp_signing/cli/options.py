"""The options that several commands share: each has one spelling, one check and one sentence."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from ..keyfile import read_secret
from ..keys import Secret

__all__ = ["existing_file", "keys_option", "now_option", "secret_in", "timeout_option"]

existing_file: click.Path[Path] = click.Path(exists=True, dir_okay=False, path_type=Path)

_HOUR = 3600
_Command = TypeVar("_Command", bound=Callable[..., Any])


def keys_option(command: _Command) -> _Command:
    """Give a command the option ``--keys``, for a file that is there."""
    text = "The keys file (SPEC §8)."
    return click.option("--keys", required=True, type=existing_file, metavar="F", help=text)(command)


def now_option(command: _Command) -> _Command:
    """Give a command the option ``--now``."""
    text = "Unix seconds instead of the clock's."
    return click.option("--now", type=float, callback=_finite, metavar="T", help=text)(command)


def timeout_option(command: _Command) -> _Command:
    """Give a command the option ``--timeout``."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True, max=_HOUR),
        callback=_finite,
        default=10.0,
        show_default=True,
        metavar="S",
        help="Seconds for each answer.",
    )(command)


def secret_in(path: Path) -> Secret:
    """Read the secret in the file of ``--secret-file``.

    Raises:
        click.UsageError: it cannot be read, or is none.
    """
    try:
        return read_secret(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _finite(_: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is None or isfinite(value):
        return value
    raise click.BadParameter(f"{value} is no number of seconds.", param=parameter)
