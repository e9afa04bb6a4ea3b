"""The commands, put together, and the words that they share."""

from __future__ import annotations

import click

from .bytes import canonicalize, sign, verify
from .conform import conform
from .demo import demo
from .doctor import doctor
from .events import events
from .explain import explain
from .keys import keygen, keys
from .serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rp-signing")
def commands() -> None:
    """Sign analytics events, verify them, and run the endpoint that stores them.

    A body is read from standard input. --json prints one JSON document. Exit codes: 0 done, 1 refused, 2 usage.
    """


for _command in (canonicalize, sign, verify, explain, serve, events, keys, keygen, conform, doctor, demo):
    commands.add_command(_command)
