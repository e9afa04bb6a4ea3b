"""The kinds of store there are, each as what the contract and the state machine need to know of it.

A new store is a class here and a line of KINDS.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from parties import NOW
from postgres_server import execute, postgres_store, shared_server
from psycopg_pool import AsyncConnectionPool
from store_loop import Loop
from valkey_server import Valkey

from rp_signing import MemoryNonceStore, Reason, StoreError, Verifier
from rp_signing.replay import Window
from rp_signing.stores.postgres import AsyncPostgresNonceStore
from rp_signing.stores.postgres_tables import counting
from rp_signing.stores.redis import AsyncRedisNonceStore, RedisNonceStore
from rp_signing.stores.redis_script import APART
from rp_signing.stores.sqlite import SQLiteNonceStore

NUMBERS: Iterator[int] = count()


class Kind:
    """How stores of one kind are made, and the few answers in which they may differ.

    Args:
        stack: what closes that which was started for this kind.

    Attributes:
        keeps: True when a store that is opened again in the same place remembers.
        drops: True when it drops inside a claim, by the caller's clock; False when it forgets by itself.
        reach: seconds that the caller's clock may be off the store's own; None: that one is no part of a claim.
        bounded: True when `open` takes a capacity and a share.
        recorded: True when the window that it was made for, not the claim's, says what a lost one could have taken.
        dropped: what it says of a copy when a clock that ran ahead could have made it drop the first one.
        raised: what it says of a copy under a larger window than the one under which it could have dropped the first.
        window: the class of window that the gate applies.
        gate: the gate before it.
    """

    keeps = True
    drops = True
    reach: float | None = None
    bounded = False
    recorded = False
    dropped = Reason.TIMESTAMP_FORGOTTEN
    raised = Reason.TIMESTAMP_FORGOTTEN
    window: type[Window] = Window
    gate: type[Verifier] = Verifier

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack

    def now(self) -> int:
        """Where tests start, Unix seconds."""
        return NOW

    def right(self, true: float) -> float:
        """What a clock shows that is set right, when by the test's own count it is `true`."""
        return true

    def place(self) -> Any:
        """A place that holds nothing yet."""
        raise NotImplementedError

    def leave(self, place: Any) -> None:
        """Clear a place away, in which no store is open any more."""

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """A store in that place.

        Args:
            place: from `place`.
            born: when the place was made, Unix seconds; 0: nothing was accepted earlier; None: now.
            window: the largest that it will have to serve.
            bounds: capacity and share of one that is bounded.
        """
        raise NotImplementedError

    def empty(self, store: Any) -> int | None:
        """Empty a store while it runs; gives when it is born then, Unix seconds, or None when it cannot go on."""

    def close(self, store: Any) -> None:
        """Close one store."""
        getattr(store, "close", lambda: None)()

    def size(self, store: Any) -> int:
        """How many nonces it holds."""
        return len(store)


class Memory(Kind):
    """Nonces of one process: lost with the store."""

    keeps = False
    bounded = True
    store: type[MemoryNonceStore] = MemoryNonceStore

    def place(self) -> Any:
        """There is none."""

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """A new memory, every time."""
        return self.store(born=born, **bounds)


class SQLite(Kind):
    """Nonces in a file."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__(stack)
        self.folder = Path(stack.enter_context(TemporaryDirectory()))

    def place(self) -> Any:
        """A path where no file is yet."""
        return self.folder / f"{next(NUMBERS)}.db"

    def leave(self, place: Any) -> None:
        """Remove the file."""
        place.unlink(missing_ok=True)

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """The file at that path, opened once more."""
        return SQLiteNonceStore(place, born=born)


class Redis(Kind):
    """Nonces in a Valkey. It has a clock of its own, by which nonces go, so that the caller's has to be right."""

    drops = False
    reach = 60
    recorded = True
    dropped = Reason.REPLAYED
    raised = Reason.REPLAY_STORE_UNAVAILABLE

    def __init__(self, stack: ExitStack) -> None:
        super().__init__(stack)
        self.server = stack.enter_context(Valkey())

    def now(self) -> int:
        """The time."""
        return int(time.time())

    def right(self, true: float) -> float:
        """The time."""
        return time.time()

    def place(self) -> Any:
        """A prefix that no key has."""
        return f"place{next(NUMBERS)}"

    def leave(self, place: Any) -> None:
        """Flush the server."""
        self.server.command("FLUSHALL")

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """The store under that prefix."""
        with self.server.client() as client:
            return RedisNonceStore(client, born=born, past=window.past, future=window.future, prefix=place)

    def empty(self, store: Any) -> int | None:
        """Flush the server; the latest second in which the next claim can be born."""
        self.server.command("FLUSHALL")
        return int(time.time()) + APART + 5


class AsyncRedis(Redis):
    """The same, in an event loop."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__(stack)
        self.loop = stack.enter_context(Loop())

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """The store under that prefix, from any thread."""
        return self.loop.store(self._open(place, born, window))

    async def _open(self, place: str, born: float | None, window: Window) -> Any:
        options: dict[str, Any] = {"past": window.past, "future": window.future, "prefix": place}
        async with self.server.async_client() as client:
            store = AsyncRedisNonceStore(client, born=born, **options)
            await store.open()
            return store

    def close(self, store: Any) -> None:
        """Close its connections."""
        self.loop.run(store.inner.aclose())

    def size(self, store: Any) -> int:
        """How many nonces it holds."""
        return int(self.loop.run(store.inner.count()))


class Postgres(Kind):
    """Nonces in PostgreSQL. It drops by its own clock where that is behind, so that the caller's lies years back."""

    def now(self) -> int:
        """Three years ago."""
        return int(time.time()) - 100_000_000

    def place(self) -> Any:
        """A schema that holds nothing yet."""
        return shared_server().schema()

    def leave(self, place: Any) -> None:
        """Drop the schema."""
        execute(place, "SET client_min_messages = warning", f"DROP SCHEMA {place.rpartition('%3D')[2]} CASCADE")

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """The store in that schema."""
        return postgres_store(place, born, size=4)


class AsyncPostgres(Postgres):
    """The same, in an event loop."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__(stack)
        self.loop = stack.enter_context(Loop())

    def open(self, place: Any, born: float | None, window: Window, **bounds: int) -> Any:
        """The store in that schema, from any thread."""
        return self.loop.store(self._open(place, born))

    async def _open(self, place: str, born: float | None) -> Any:
        pool: Any = AsyncConnectionPool(place, min_size=1, max_size=4, open=False)
        await pool.open()
        return AsyncPostgresNonceStore(pool, born=born)  # makes its tables with the first claim

    def close(self, store: Any) -> None:
        """Close its connections."""
        self.loop.run(store.inner._pool.close())

    def size(self, store: Any) -> int:
        """How many nonces it holds, none while nothing was claimed and no table is there."""
        try:
            return int(self.loop.run(store.inner._told(counting, "")))
        except StoreError:
            return 0


KINDS: dict[str, type[Kind]] = {
    "memory": Memory,
    "sqlite": SQLite,
    "redis": Redis,
    "redis-async": AsyncRedis,
    "postgres": Postgres,
    "postgres-async": AsyncPostgres,
}


class Started:
    """Kinds by name, each started when it is first asked for and stopped at the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._kinds: dict[str, Kind] = {}

    def __getitem__(self, name: str) -> Kind:
        if name not in self._kinds:
            self._kinds[name] = KINDS[name](self._stack)
        return self._kinds[name]

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
