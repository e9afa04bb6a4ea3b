"""Connections to one server or to a cluster, for a Redis store: nothing is tried again in secret, nothing waits long.

The client that the store is given says where the servers are and how to log in. The connections are the store's own,
because a client's are not fit for claims: redis-py sends a command up to eleven times, and waits as long as it is told.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

try:
    import redis.asyncio
    from redis import RedisError, ResponseError
    from redis.backoff import NoBackoff
    from redis.crc import key_slot
    from redis.exceptions import OutOfMemoryError
except ImportError as _error:
    raise ImportError(f"{_error}; the store needs its extra: pip install 'rp-signing[redis]'") from None

__all__ = [
    "FAILURES", "FORKED", "Answers", "Command", "Link", "Messages", "Node", "OutOfMemoryError", "Reach", "RedisError",
    "ResponseError", "Steps", "asynchronous", "is_moved_away", "key_slot", "packed",
]  # fmt: skip

Node = tuple[str, int] | None
"""Host and port of a server of a cluster; None: the one server there is."""

Command = tuple[Any, ...] | bytes
"""A command and its arguments, or the same as it goes over the wire."""

Messages = Mapping[Node, Callable[[], Sequence[Command]]]
"""What is sent to each: called when the connection is there, directly before sending; gives commands."""

Answers = dict[Node, "list[Any] | Exception"]
"""An answer for each command, which may be a `redis.ResponseError`; or what went wrong with the connection."""

T = TypeVar("T")
Steps = Generator[Messages, Answers, T]
"""A conversation: it yields messages, is sent their answers, and returns what came of it."""

asynchronous = redis.asyncio
FAILURES = (RedisError, OSError)
FORKED = "this process was forked from the one that opened the store; make one store in each process"

_KEPT = {
    "client_name", "connection_pool", "credential_provider", "db", "host", "password", "path", "port",
    "redis_connect_func", "socket_keepalive", "socket_keepalive_options", "socket_type", "username",
}  # fmt: skip


class Reach:
    """How to reach what a client reaches.

    Args:
        client: `redis.Redis` or `redis.RedisCluster`, or one of the two of `redis.asyncio`.
        module: `redis`, or `redis.asyncio`: which of them it has to be.
        timeout: seconds for each connecting, sending and reading.

    Attributes:
        nodes: the servers of a cluster that the client knows; else None alone.
        remap: turns an address that a cluster tells into one that can be reached; None where there is no cluster.
        most: connections at the most.

    Raises:
        ValueError: it is another kind of client.
    """

    def __init__(self, client: Any, module: Any, timeout: float) -> None:
        clustered = isinstance(client, module.RedisCluster)
        if not clustered and not isinstance(client, module.Redis):
            raise ValueError(f"the store takes a {module.__name__}.Redis or a {module.__name__}.RedisCluster")
        given = client.get_connection_kwargs()
        self.nodes: list[Node] = [None]
        self.remap: Callable[[str, int], tuple[str, int]] | None = None
        self._client = client  # a Sentinel's connections ask it for the primary
        self._settings = {name: value for name, value in given.items() if name in _KEPT or name.startswith("ssl_")}
        if clustered:
            self.nodes = list(dict.fromkeys((n.host, n.port) for n in [*client.startup_nodes, *client.get_nodes()]))
            self.remap = client.nodes_manager.remap_host_port
            self.most = given.get("max_connections") or 100
            self._class = module.SSLConnection if given.get("ssl") else module.Connection
            self._class = given.get("connection_class") or self._class
            self._settings.pop("redis_connect_func", None)  # which says READONLY, as one does to replicas
        else:
            self.most = client.connection_pool.max_connections
            self._class = client.connection_pool.connection_class
        if "path" not in self._settings:
            self._settings["socket_connect_timeout"] = timeout
        self._settings["socket_timeout"] = timeout
        self._settings["protocol"] = 2  # nothing comes that was not asked for
        retry = redis.asyncio.retry.Retry if module is redis.asyncio else redis.retry.Retry
        self._settings["retry"] = retry(NoBackoff(), 0)

    def connection(self, node: Node) -> Any:
        """Give a new connection, not yet connected."""
        place = {} if node is None else {"host": node[0], "port": node[1]}
        return self._class(**self._settings | place)


def packed(connection: Any, commands: Sequence[Command]) -> list[bytes]:
    """Put commands together, for one write."""
    texts = (
        command if isinstance(command, bytes) else b"".join(connection.pack_command(*command)) for command in commands
    )
    return [b"".join(texts)]


def is_moved_away(error: ResponseError) -> bool:
    """Tell whether this server is no primary any more: who connects anew may find the one that is."""
    return isinstance(error, redis.ReadOnlyError) or "READONLY" in str(error)


class Link:
    """Connections for threads.

    Args:
        client: `redis.Redis` or `redis.RedisCluster`.
        timeout: seconds for each connecting, sending and reading.

    Raises:
        ValueError: it is another kind of client.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self.reach: Reach = Reach(client, redis, timeout)
        self._free: defaultdict[Node, list[Any]] = defaultdict(list)
        self._process = os.getpid()

    def run(self, steps: Steps[T]) -> T:
        """Hold a conversation to its end.

        Raises:
            RedisError: this process was forked.
        """
        if os.getpid() != self._process:
            raise RedisError(FORKED)
        try:
            messages = next(steps)
            while True:
                messages = steps.send(self._talk(messages))
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    def close(self) -> None:
        """Close every connection that is free."""
        for node in list(self._free):
            self._drop(node)

    def _talk(self, messages: Messages) -> Answers:
        """Send to all, then read from all. A connection that is not read to the end is closed."""
        answers: Answers = {}
        taken: dict[Node, Any] = {}
        asked: dict[Node, int] = {}
        try:
            for node in messages:
                try:
                    taken[node] = self._take(node)
                except FAILURES as error:
                    answers[node] = error
            for node, connection in taken.items():
                commands = messages[node]()
                asked[node] = len(commands)
                try:
                    connection.send_packed_command(packed(connection, commands))
                except FAILURES as error:
                    answers[node] = error
            for node, connection in taken.items():
                if node not in answers:
                    try:
                        answers[node] = [self._read(connection) for _ in range(asked[node])]
                    except FAILURES as error:
                        answers[node] = error
        finally:
            for node, connection in taken.items():
                if isinstance(answers.get(node), list):
                    self._free[node].append(connection)
                else:
                    connection.disconnect()
                    self._drop(node)  # what ended this connection may have ended the others
        return answers

    def _take(self, node: Node) -> Any:
        try:
            return self._free[node].pop()
        except IndexError:
            connection = self.reach.connection(node)
            connection.connect()
            return connection

    def _drop(self, node: Node) -> None:
        with suppress(IndexError):  # until none is left
            while True:
                self._free[node].pop().disconnect()

    @staticmethod
    def _read(connection: Any) -> Any:
        try:
            return connection.read_response()
        except ResponseError as error:
            if is_moved_away(error):
                raise
            return error
