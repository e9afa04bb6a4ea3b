"""Connections to one server or to a cluster, for a Redis store: nothing is tried again in secret, nothing waits long.

The client that the store is given says where the servers are and how to log in. The connections are the store's own,
because a client's are not fit for claims: redis-py sends a command up to eleven times, and waits as long as it is told.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

try:
    import redis.asyncio
    from redis import ResponseError
    from redis.backoff import NoBackoff
    from redis.crc import key_slot
    from redis.exceptions import OutOfMemoryError
except ImportError as error:
    raise ImportError(f"{error}; the store needs its extra: pip install 'rp-signing[redis]'") from None

__all__ = [
    "FAILURES", "FORKED", "Answers", "AsyncLink", "Link", "Messages", "Node", "OutOfMemoryError", "Steps",
    "key_slot",
]  # fmt: skip

Node = tuple[str, int] | None
"""Host and port of a server of a cluster; None: the one server there is."""

Messages = Mapping[Node, Callable[[], list[tuple[Any, ...]]]]
"""What is sent to each: called when the connection is there, directly before sending; gives commands."""

Answers = dict[Node, "list[Any] | Exception"]
"""An answer for each command, which may be a `redis.ResponseError`; or what went wrong with the connection."""

T = TypeVar("T")
Steps = Generator[Messages, Answers, T]
"""A conversation: it yields messages, is sent their answers, and returns what came of it."""

FAILURES = (redis.RedisError, OSError)
FORKED = "this process was forked from the one that opened the store; make one store in each process"

_KEPT = {
    "client_name", "connection_pool", "credential_provider", "db", "host", "password", "path", "port",
    "redis_connect_func", "socket_keepalive", "socket_keepalive_options", "socket_type", "username",
}  # fmt: skip


def _settings(client: Any, clustered: bool, timeout: float) -> dict[str, Any]:
    """Take from a client how to reach its servers, and set what claims need."""
    given = client.get_connection_kwargs()
    settings: dict[str, Any] = {
        name: value for name, value in given.items() if name in _KEPT or name.startswith("ssl_")
    }
    if clustered:
        for name in ("host", "port", "redis_connect_func"):  # each node has its own; READONLY is for replicas
            settings.pop(name, None)
    if "path" not in settings:
        settings["socket_connect_timeout"] = timeout
    most = given.get("max_connections") if clustered else client.connection_pool.max_connections
    # RESP2: nothing comes unasked, so that a connection with something to read is a broken one.
    return settings | {"socket_timeout": timeout, "timeout": timeout, "protocol": 2, "max_connections": most or 100}


def _class_of(client: Any, clustered: bool, module: Any) -> Any:
    if not clustered:
        return client.connection_pool.connection_class
    given = client.get_connection_kwargs()
    return given.get("connection_class") or (module.SSLConnection if given.get("ssl") else module.Connection)


def _is_moved_away(error: ResponseError) -> bool:
    """Tell whether this server is no primary any more: who connects anew may find the one that is."""
    return isinstance(error, redis.ReadOnlyError) or "READONLY" in str(error)


class Link:
    """Connections for threads.

    Args:
        client: `redis.Redis` or `redis.RedisCluster`.
        timeout: seconds for each connecting, sending and reading, and for a free connection.

    Raises:
        ValueError: it is another kind of client.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self.clustered = isinstance(client, redis.RedisCluster)
        if not self.clustered and not isinstance(client, redis.Redis):
            raise ValueError("RedisNonceStore takes a redis.Redis or a redis.RedisCluster")
        retry = redis.retry.Retry(NoBackoff(), 0)
        self._settings = _settings(client, self.clustered, timeout) | {"retry": retry}
        self._settings["connection_class"] = _class_of(client, self.clustered, redis)
        self._client = client  # a Sentinel's connections ask it for the primary
        self._pools: dict[Node, Any] = {}
        self._process = os.getpid()
        self._lock = threading.Lock()
        self.nodes = _known(client) if self.clustered else [None]
        self.remap = _remap(client) if self.clustered else None

    def run(self, steps: Steps[T]) -> T:
        """Hold a conversation to its end.

        Raises:
            redis.RedisError: this process was forked.
        """
        if os.getpid() != self._process:
            raise redis.RedisError(FORKED)
        try:
            messages = next(steps)
            while True:
                messages = steps.send(self._talk(messages))
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.disconnect()

    def _talk(self, messages: Messages) -> Answers:
        """Send to all, then read from all. A connection that is not read to the end is closed."""
        answers: Answers = {}
        taken: list[tuple[Node, Any, Any]] = []
        asked: dict[Node, int] = {}
        try:
            for node in messages:
                try:
                    pool = self._pools.get(node) or self._pool(node)
                    taken.append((node, pool, pool.get_connection()))
                except FAILURES as error:
                    answers[node] = error
            for node, _, connection in taken:
                commands = messages[node]()
                asked[node] = len(commands)
                try:
                    connection.send_packed_command(connection.pack_commands(commands))
                except FAILURES as error:
                    answers[node] = error
            for node, _, connection in taken:
                if node not in answers:
                    try:
                        answers[node] = [self._read(connection) for _ in range(asked[node])]
                    except FAILURES as error:
                        answers[node] = error
        finally:
            for node, pool, connection in taken:
                if not isinstance(answers.get(node), list):
                    connection.disconnect()
                pool.release(connection)
        return answers

    def _pool(self, node: Node) -> Any:
        with self._lock:
            if node not in self._pools:
                place: dict[str, Any] = {} if node is None else {"host": node[0], "port": node[1]}
                self._pools[node] = redis.BlockingConnectionPool(**self._settings, **place)  # type: ignore[no-untyped-call]
            return self._pools[node]

    @staticmethod
    def _read(connection: Any) -> Any:
        try:
            return connection.read_response()
        except ResponseError as error:
            if _is_moved_away(error):
                raise
            return error


class AsyncLink:
    """Connections for one event loop: what `Link` does, without holding it up.

    Args:
        client: `redis.asyncio.Redis` or `redis.asyncio.RedisCluster`.
        timeout: seconds for each connecting, sending and reading, and for a free connection.

    Raises:
        ValueError: it is another kind of client.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self.clustered = isinstance(client, redis.asyncio.RedisCluster)
        if not self.clustered and not isinstance(client, redis.asyncio.Redis):
            raise ValueError("AsyncRedisNonceStore takes a redis.asyncio.Redis or a redis.asyncio.RedisCluster")
        retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        self._settings = _settings(client, self.clustered, timeout) | {"retry": retry}
        self._settings["connection_class"] = _class_of(client, self.clustered, redis.asyncio)
        self._client = client
        self._pools: dict[Node, Any] = {}
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.nodes = _known(client) if self.clustered else [None]
        self.remap = _remap(client) if self.clustered else None

    async def run(self, steps: Steps[T]) -> T:
        """Hold a conversation to its end.

        Raises:
            redis.RedisError: this process was forked, or this is another event loop than at first.
        """
        if os.getpid() != self._process:
            raise redis.RedisError(FORKED)
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            raise redis.RedisError("an AsyncRedisNonceStore lives in one event loop, and this is another")
        try:
            messages = next(steps)
            while True:
                messages = steps.send(await self._talk(messages))
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.disconnect()

    async def _talk(self, messages: Messages) -> Answers:
        """Send to all, then read from all. A connection that is not read to the end is closed, as when cancelled."""
        answers: Answers = {}
        taken: list[tuple[Node, Any, Any]] = []
        asked: dict[Node, int] = {}
        try:
            for node in messages:
                try:
                    pool = self._pools.get(node) or self._pool(node)
                    taken.append((node, pool, await pool.get_connection()))
                except FAILURES as error:
                    answers[node] = error
            for node, _, connection in taken:
                commands = messages[node]()
                asked[node] = len(commands)
                try:
                    await connection.send_packed_command(connection.pack_commands(commands))
                except FAILURES as error:
                    answers[node] = error
            for node, _, connection in taken:
                if node not in answers:
                    try:
                        answers[node] = [await self._read(connection) for _ in range(asked[node])]
                    except FAILURES as error:
                        answers[node] = error
        finally:
            for node, pool, connection in taken:
                if not isinstance(answers.get(node), list):
                    await connection.disconnect(nowait=True)
                await pool.release(connection)
        return answers

    def _pool(self, node: Node) -> Any:
        place: dict[str, Any] = {} if node is None else {"host": node[0], "port": node[1]}
        self._pools[node] = redis.asyncio.BlockingConnectionPool(**self._settings, **place)
        return self._pools[node]

    @staticmethod
    async def _read(connection: Any) -> Any:
        try:
            return await connection.read_response()
        except ResponseError as error:
            if _is_moved_away(error):
                raise
            return error


def _remap(client: Any) -> Callable[[str, int], tuple[str, int]]:
    """Give what turns an address that a cluster tells into one that this process can reach."""
    return client.nodes_manager.remap_host_port  # type: ignore[no-any-return]


def _known(client: Any) -> list[Node]:
    """Give the nodes of a cluster that its client knows, each once."""
    return list(
        dict.fromkeys((str(node.host), int(node.port)) for node in [*client.startup_nodes, *client.get_nodes()])
    )
