"""From ``--data`` and ``--nonces`` to the stores that they name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import click

from ..errors import StoreError
from ..ingest.sqlite import SQLiteEventStore
from ..replay import NonceStore
from ..stores.memory import MemoryNonceStore

DATABASE = "events.db"
"""The SQLite file in a data folder: events, their evidence, and the nonces."""

MEMORY = "memory://"
"""For ``--nonces``: in the memory of one process."""


class Place(NamedTuple):
    """Where `serve` keeps things, as it was told on the command line.

    Attributes:
        data: a folder.
        nonces_url: of a store of nonces apart from the events; None: nonces are kept with the events.
        first_start: nothing was accepted before, anywhere.
    """

    data: Path
    nonces_url: str | None = None
    first_start: bool = False

    def judge(self, workers: int) -> None:
        """Refuse what cannot be.

        Raises:
            click.UsageError: saying what to write instead.
        """
        if self.nonces_url not in (None, MEMORY):
            raise click.UsageError(f"--nonces takes {MEMORY}; leave it out to keep nonces with the events")
        if self.nonces_url == MEMORY and workers > 1:
            raise click.UsageError(
                f"--nonces {MEMORY} is seen by one process alone: with --workers {workers} a replay would be taken"
                " once by each. Leave --nonces out: nonces are then kept with the events, where all workers see them"
            )


class Stores:
    """The stores of one process, opened.

    Args:
        place: where they are.

    Raises:
        click.UsageError: one cannot be opened.
    """

    def __init__(self, place: Place) -> None:
        try:
            place.data.mkdir(parents=True, exist_ok=True)
            self.events = SQLiteEventStore(place.data / DATABASE)
        except (OSError, StoreError) as error:
            raise click.UsageError(str(error)) from None
        # With the events in one database, nonces are written by one transaction with them.
        self.nonces: NonceStore | None = None
        if place.nonces_url == MEMORY:
            self.nonces = MemoryNonceStore(born=0 if place.first_start else None)

    def close(self) -> None:
        """Let go of files and connections."""
        self.events.close()
