"""The commands, put together, and the words that they share."""

from __future__ import annotations

import shutil

import click

from .bytes import canonicalize, sign, verify
from .conform import conform
from .demo import demo
from .doctor import doctor
from .events import events
from .explain import explain
from .keys import keygen, keys
from .serve import serve

_WIDEST, _NARROWEST = 100, 36
_WIDTH = min(_WIDEST, shutil.get_terminal_size().columns) - 2  # click's own has no line under 50


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": max(_NARROWEST, _WIDTH)},
)
@click.version_option(package_name="rp-signing")
def commands() -> None:
    """Sign analytics events, verify them, and run the endpoint that stores them.

    A body is read from standard input. --json prints one JSON document. Exit codes: 0 done, 1 refused, 2 wrong use
    or not possible, 130 Ctrl-C.
    """


for _command in (canonicalize, sign, verify, explain, serve, events, keys, keygen, conform, doctor, demo):
    commands.add_command(_command)
