"""One run of the command line: its streams, its signals, and how it ends when no command has said so."""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType

import click

from ..errors import StoreError

__all__ = ["STOPPED", "run"]

STOPPED = 128 + signal.SIGINT
"""The exit code after Ctrl-C, as shells count."""


def run(commands: click.Command) -> int:
    """Run what was typed, and give the exit code.

    No traceback is left for what can happen to any command: Ctrl-C, SIGTERM, a disk that is full, a store that is gone.
    """
    _hold_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale without … is no reason to fail
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) == signal.SIG_DFL:  # `nohup` stays in force
            signal.signal(number, _end)
    try:
        code = _exit_code(commands)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        return STOPPED
    except (OSError, StoreError) as error:
        _say_and_drop(error)
        return 2
    return code


def _exit_code(commands: click.Command) -> int:
    try:
        return commands.main(prog_name="rp-signing", standalone_mode=False) or 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def _end(number: int, _: FrameType | None) -> None:
    """End as by the signal, but by way of every `finally`: what was started is ended too."""
    sys.exit(128 + number)


def _hold_closed_streams() -> None:
    """Open the standard streams that are closed, so that no file or socket gets their number.

    To read from such a one, or to write to it, fails as it would with the closed one; but standard error's is lost.
    """
    for number, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _say_and_drop(error: OSError | StoreError) -> None:
    """Say what went wrong; what is still to be written is dropped, or Python would fail on it once more at its end."""
    click.echo(f"Error: {error}", err=True)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
