"""The options that several commands share: each has one spelling, one check and one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from .. import grammar
from ..keyfile import read_secret
from ..keys import Secret

__all__ = [
    "NamesItsVariable",
    "existing_file",
    "keys_option",
    "nonce_option",
    "now_option",
    "secret_in",
    "timeout_option",
    "timestamp_option",
]

existing_file: click.Path[Path] = click.Path(exists=True, dir_okay=False, path_type=Path)

_HOUR = 3600
_Command = TypeVar("_Command", bound=Callable[..., Any])


class NamesItsVariable(click.Option):
    """An option with an environment variable, which is blamed for its own value."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Take the value from where it stands."""
        try:
            return super().handle_parse_result(ctx, opts, args)
        except click.BadParameter as error:
            if ctx.get_parameter_source(self.name or "") is ParameterSource.ENVIRONMENT:
                error.param_hint = f"the environment variable {self.envvar}"
            raise


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


def timestamp_option(command: _Command) -> _Command:
    """Give a command the option ``--timestamp``."""
    text = "Unix seconds instead of the clock's."
    return click.option("--timestamp", type=int, callback=_by(grammar.TIMESTAMP), metavar="T", help=text)(command)


def nonce_option(command: _Command) -> _Command:
    """Give a command the option ``--nonce``."""
    return click.option("--nonce", callback=_by(grammar.NONCE), metavar="N", help="A nonce instead of a fresh one.")(
        command
    )


def _by(rule: grammar.Rule) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Refuse a value that the wire would not take, in the option's own name."""

    def judge(_: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is None or rule.matches(str(value)):
            return value
        raise click.BadParameter(f"it must be {rule.shape}.", param=parameter)

    return judge


def _finite(_: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is None or isfinite(value):
        return value
    raise click.BadParameter(f"{value} is no number of seconds.", param=parameter)
