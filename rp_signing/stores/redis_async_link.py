"""Connections for an event loop, for an async Redis store: what `Link` does, without holding the loop up."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from typing import Any, TypeVar

from .redis_link import (
    FAILURES,
    FORKED,
    Answers,
    Messages,
    Node,
    Reach,
    RedisError,
    ResponseError,
    Steps,
    asynchronous,
    is_moved_away,
    packed,
)  # fmt: skip

__all__ = ["AsyncLink"]

T = TypeVar("T")


class AsyncLink:
    """Connections for one event loop: what `Link` does, without holding it up.

    Args:
        client: `redis.asyncio.Redis` or `redis.asyncio.RedisCluster`.
        timeout: seconds for each connecting, sending and reading, and for a free connection.

    Raises:
        ValueError: it is another kind of client.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self.reach: Reach = Reach(client, asynchronous, timeout)
        self._timeout = timeout
        self._room: defaultdict[Node, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(self.reach.most))
        self._free: defaultdict[Node, list[Any]] = defaultdict(list)
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, steps: Steps[T]) -> T:
        """Hold a conversation to its end.

        Raises:
            RedisError: this process was forked, or this is another event loop than at first.
        """
        if os.getpid() != self._process:
            raise RedisError(FORKED)
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            raise RedisError("an AsyncRedisNonceStore lives in one event loop, and this is another")
        try:
            messages = next(steps)
            while True:
                messages = steps.send(await self._talk(messages))
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    async def aclose(self) -> None:
        """Close every connection that is free."""
        for node in list(self._free):
            await self._drop(node)

    async def _talk(self, messages: Messages) -> Answers:
        """Send to all, then read from all. A connection that is not read to the end is closed, as when cancelled."""
        answers: Answers = {}
        taken: dict[Node, Any] = {}
        asked: dict[Node, int] = {}
        try:
            for node in messages:
                try:
                    taken[node] = await self._take(node)
                except FAILURES as error:
                    answers[node] = error
            for node, connection in taken.items():
                commands = messages[node]()
                asked[node] = len(commands)
                try:
                    await connection.send_packed_command(packed(connection, commands))
                except FAILURES as error:
                    answers[node] = error
            for node, connection in taken.items():
                if node not in answers:
                    try:
                        answers[node] = [await self._read(connection) for _ in range(asked[node])]
                    except FAILURES as error:
                        answers[node] = error
        finally:
            for node, connection in taken.items():
                self._room[node].release()
                if isinstance(answers.get(node), list):
                    self._free[node].append(connection)
            for node, connection in taken.items():
                if not isinstance(answers.get(node), list):
                    await connection.disconnect(nowait=True)
                    await self._drop(node)
        return answers

    async def _take(self, node: Node) -> Any:
        async with asyncio.timeout(self._timeout):
            await self._room[node].acquire()
        try:
            if self._free[node]:
                return self._free[node].pop()
            connection = self.reach.connection(node)
            await connection.connect()
            return connection
        except BaseException:
            self._room[node].release()
            raise

    async def _drop(self, node: Node) -> None:
        free = self._free[node]
        while free:
            await free.pop().disconnect(nowait=True)

    @staticmethod
    async def _read(connection: Any) -> Any:
        try:
            return await connection.read_response()
        except ResponseError as error:
            if is_moved_away(error):
                raise
            return error
