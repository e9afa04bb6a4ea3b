"""From ``--data``, ``--nonces`` and ``--events`` to the stores that they name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from ..errors import StoreError
from ..ingest.sqlite import SQLiteEventStore
from ..ingest.store import EventStore
from ..replay import NonceStore
from ..stores.memory import MemoryNonceStore

DATABASE = "events.db"
"""The SQLite file in a data folder: events, their evidence, and the nonces."""

_POSTGRES = ("postgresql", "postgres")
_REDIS = ("redis", "rediss", "unix")
_SECONDS = 4.0
_PERCENT = "a password is written with % / @ : ? # as %25 %2F %40 %3A %3F %23"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def kept_options(data: str, events: str) -> Callable[[_Command], _Command]:
    """Give a command the options ``--data`` and ``--events``, and say what each is for."""

    def give(command: _Command) -> _Command:
        folder: click.Path[Path] = click.Path(file_okay=False, path_type=Path)
        command = click.option("--events", "events_url", metavar="URL", help=events)(command)
        return click.option("--data", type=folder, metavar="DIR", help=data)(command)

    return give


def looked_at(command: _Command) -> _Command:
    """Give a command the options ``--data`` and ``--events``, to look at what `serve` has stored."""
    give: Callable[[_Command], _Command] = kept_options(
        "The folder that `serve --data` keeps events in.", "The database that `serve --events` keeps events in."
    )
    return give(command)


class Place(NamedTuple):
    """Where `serve` keeps things, as it was told on the command line.

    Attributes:
        data: a folder, or None.
        events_url: of a database, or None for SQLite in the folder.
        nonces_url: of a store of nonces apart from the events; None: nonces are kept with the events.
        first_start: nothing was accepted before, anywhere.
    """

    data: Path | None
    events_url: str | None
    nonces_url: str | None = None
    first_start: bool = False

    def judge(self, workers: int) -> None:
        """Refuse what cannot be.

        Raises:
            click.UsageError: saying what to write instead.
        """
        if self.data is None and self.events_url is None:
            raise click.UsageError("say where events are kept: --data DIR, or --events postgresql://…")
        if self.events_url is not None and _scheme(self.events_url) not in _POSTGRES:
            raise click.UsageError("--events takes postgresql://…; for SQLite leave it out and give --data DIR")
        if self.nonces_url is None:
            return
        scheme = _scheme(self.nonces_url)
        if scheme not in ("memory", *_REDIS, *_POSTGRES):
            raise click.UsageError("--nonces takes redis://…, rediss://…, unix://…, postgresql://… or memory://")
        if scheme == "memory" and workers > 1:
            raise click.UsageError(
                f"--nonces memory:// is seen by one process alone: by {workers} of them a replay would be taken"
                " once by each. Use redis://… or postgresql://…, or leave --nonces out"
            )


class Stores:
    """The stores of one process, opened.

    Args:
        place: where they are.
        patient: wait for a PostgreSQL that is away as long as a claim does; else say at once why it cannot be asked.

    Raises:
        click.UsageError: one cannot be opened, or its extra is missing.
    """

    def __init__(self, place: Place, *, patient: bool = False) -> None:
        self._closing = ExitStack()
        self._patient = patient
        try:
            self.events: EventStore = self._open_events(place)
            self.nonces: NonceStore | None = self._open_nonces(place)
        except (OSError, ValueError, StoreError, ImportError) as error:
            self.close()
            raise click.UsageError(str(error)) from None

    def close(self) -> None:
        """Let go of files and connections."""
        self._closing.close()

    def _open_events(self, place: Place) -> EventStore:
        store = self._made_events(place.data, place.events_url)
        self._closing.callback(store.close)
        return store

    def _made_events(self, data: Path | None, url: str | None) -> EventStore:
        if url is not None:
            from ..ingest.postgres import PostgresEventStore

            if not self._patient:
                _reach_postgres(url)
            return PostgresEventStore(url)
        assert data is not None  # noqa: S101 - `Place.judge` has seen to it
        data.mkdir(parents=True, exist_ok=True)
        return SQLiteEventStore(data / DATABASE)

    def _open_nonces(self, place: Place) -> NonceStore | None:
        url = place.nonces_url
        # With the events in one database, both are written by one transaction.
        if url is None or url == place.events_url:
            return None
        born = 0 if place.first_start else None
        scheme = _scheme(url)
        if scheme == "memory":
            return MemoryNonceStore(born=born)
        return self._redis(url, born) if scheme in _REDIS else self._postgres(url, born)

    def _redis(self, url: str, born: float | None) -> NonceStore:
        from ..stores.redis import RedisNonceStore

        client = _redis_client(url)
        self._closing.callback(client.close)
        store = RedisNonceStore(client, born=born)
        self._closing.callback(store.close)
        return store

    def _postgres(self, url: str, born: float | None) -> NonceStore:
        from ..stores.postgres import PostgresNonceStore, connect

        if not self._patient:
            _reach_postgres(url)
        pool = connect(url)
        self._closing.callback(pool.close)
        return PostgresNonceStore(pool, born=born)


def _scheme(url: str) -> str:
    """Give what stands before ``://``; `urlsplit` raises at some of what people write."""
    return url.partition("://")[0].lower()


def _redis_client(url: str) -> Any:
    """Give a client for a server that stands alone, or for the cluster that it is part of."""
    import redis

    options: dict[str, Any] = {"socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
    try:
        client = redis.Redis.from_url(url, **options)
        if not client.info("cluster").get("cluster_enabled"):
            return client
        client.close()
        return redis.RedisCluster.from_url(url, **options)
    except redis.RedisError as error:
        raise StoreError(f"Redis cannot be asked: {type(error).__name__}: {error}") from None
    except (ValueError, TypeError):  # what these say can be a part of the password
        raise StoreError(f"--nonces is no URL that redis-py reads; {_PERCENT}") from None


def _reach_postgres(url: str) -> None:
    """Connect once: a pool alone would try for ten seconds, and not say why it cannot.

    Raises:
        StoreError: the database cannot be reached, and why.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:  # what it says can be a part of the password
        parts = {"port": url}
    # The rest of a password that was not escaped ends up in one of these.
    if "@" in str(parts.get("host", "")) or set(str(parts.get("port", ""))) - set("0123456789,"):
        raise StoreError(f"this is no URL that PostgreSQL reads; {_PERCENT}")
    try:
        psycopg.connect(url, connect_timeout=int(_SECONDS)).close()
    except psycopg.Error as error:
        raise StoreError(f"PostgreSQL cannot be asked: {str(error).splitlines()[0]}") from None


def open_to_look(data: Path | None, url: str | None) -> EventStore:
    """Open the event store to look at it, so that looking needs no right to write, and makes nothing.

    Raises:
        click.UsageError: there is none, it cannot be opened, or its extra is missing.
    """
    Place(data, url).judge(workers=1)
    try:
        if url is not None:
            from ..ingest.postgres import PostgresEventStore

            _reach_postgres(url)
            return PostgresEventStore(url, read_only=True)
        assert data is not None  # noqa: S101 - `Place.judge` has seen to it
        if not (data / DATABASE).exists():
            raise click.UsageError(f"there is no {DATABASE} in {data}; is it the folder that `serve --data` was given?")
        return SQLiteEventStore(data / DATABASE, read_only=True)
    except (OSError, ValueError, StoreError, ImportError) as error:
        raise click.UsageError(str(error)) from None
