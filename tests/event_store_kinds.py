"""The kinds of event store there are, each as what their tests need to know of it, and what goes into them.

A new store is a class here and a line of KINDS.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from parties import BODY, LIVE_API_KEY, NOW, OTHER, Clock, signer
from postgres_server import execute, shared_server

from rp_signing import Claim, Keyring, Verifier
from rp_signing.ingest.postgres import PostgresEventStore
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.ingest.store import ReceivedEvent, ReceivedRequest
from rp_signing.keys import api_key_id

MAC = "sha256=" + "ab" * 32


class SQLite:
    """Events in a file.

    Attributes:
        where: what the store is opened with.
        module: where the store is imported from, for programs.
        name: the class of the store.
    """

    module, name = "rp_signing.ingest.sqlite", "SQLiteEventStore"

    def __init__(self, folder: Path) -> None:
        self.where = str(folder / "events.db")

    def opened(self, clock: Clock | None = None) -> Any:
        """The store, opened once more."""
        return SQLiteEventStore(self.where, clock)

    def rows(self, query: str) -> list[Any]:
        """What a person reads, or writes, with plain ``sqlite3``."""
        with sqlite3.connect(self.where) as database:
            found = database.execute(query).fetchall()
        database.close()
        return found


class Postgres:
    """Events in a database; the attributes are those of `SQLite`."""

    module, name = "rp_signing.ingest.postgres", "PostgresEventStore"

    def __init__(self, folder: Path) -> None:
        self.where = shared_server().schema()

    def opened(self, clock: Clock | None = None) -> Any:
        """The store, opened once more."""
        return PostgresEventStore(self.where, clock)

    def rows(self, query: str) -> list[Any]:
        """What a person reads, or writes, with plain ``psql``."""
        return execute(self.where, query)


Kind = SQLite | Postgres
KINDS: dict[str, type[SQLite] | type[Postgres]] = {"sqlite": SQLite, "postgres": Postgres}


def claim_of(nonce: str, clock: Clock) -> Claim:
    """A claim as the gate gives it."""
    sender = signer(clock, OTHER, LIVE_API_KEY)
    sender._nonce = lambda: nonce.rjust(22, "0")
    return Verifier(Keyring.of({LIVE_API_KEY: OTHER}), nonces=None, clock=clock).check(sender.sign(BODY), BODY)


def received(number: int, claim: Claim | None = None, api_key: str = LIVE_API_KEY) -> ReceivedRequest:
    """A request that passed the gate, unsigned unless a claim is given."""
    return ReceivedRequest(f"{number:032x}", "batch", NOW + number, api_key_id(api_key), True, claim)


def event(message_id: str, content: str = "{}", signature: str | None = None) -> ReceivedEvent:
    """An event that passed the gate."""
    return ReceivedEvent(message_id, "track", content, signature, signature and "0" * 16)
