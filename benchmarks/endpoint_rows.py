"""The endpoint on a loopback port, in a process of its own, with SQLite under it."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import perf_counter

from rp_signing import canonicalize, parse, sign_event

from . import ROOT, sender
from .measure import Goal, Row, Samples

_CLIENTS = 4
_SINGLES, _BATCHES = 400, 10
_ROUNDS = 31

_TABLE = """
CREATE TABLE event (id INTEGER PRIMARY KEY, request INTEGER NOT NULL, received_at INTEGER NOT NULL,
    api_key_id TEXT NOT NULL, key_id TEXT, live INTEGER NOT NULL, trust TEXT NOT NULL, type TEXT NOT NULL,
    message_id TEXT NOT NULL, integrity_signature TEXT, content TEXT NOT NULL,
    UNIQUE (api_key_id, trust, message_id)) STRICT
"""
_INSERT = "INSERT INTO event VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@contextmanager
def _serving(file: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.endpoint_server", str(file)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.terminate()
        server.wait(30)


def _request(route: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST /v1/{route} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _signed(route: str, body: bytes) -> bytes:
    return _request(route, body, sender.SIGNER.sign(body))


def _signed_single() -> bytes:
    event = sign_event(sender.new_events(1)[0], api_key=sender.API_KEY, secret=sender.SECRET)
    return _signed("track", canonicalize(event))


def _unsigned_single() -> bytes:
    body = canonicalize(sender.new_events(1)[0])
    return _request("track", body, {"X-RP-Api-Key": sender.UNSIGNED_API_KEY})


def _send(connection: socket.socket, requests: list[bytes]) -> None:
    for request in requests:
        connection.sendall(request)
        answer = b""
        # Our endpoint's replies are short JSON documents, whole when their length is there.
        while not _whole(answer):
            answer += connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 202"), answer


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
    return length.isdigit() and len(body) >= int(length)


def _rate(connections: list[socket.socket], requests: list[bytes]) -> float:
    """Send requests over all connections at once; requests a second."""
    count = len(connections)
    clients = [Thread(target=_send, args=(one, requests[at::count])) for at, one in enumerate(connections)]
    begun = perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return len(requests) / (perf_counter() - begun)


def _singles(connections: list[socket.socket]) -> Row:
    taken: dict[str, list[float]] = {"ours": [], "floor": []}
    makers: dict[str, Callable[[], bytes]] = {"ours": _signed_single, "floor": _unsigned_single}
    for _ in range(_ROUNDS):
        for name, make in makers.items():
            taken[name].append(_rate(connections, [make() for _ in range(_SINGLES)]))
    samples = Samples({name: rates[1:] for name, rates in taken.items()})
    ratio = samples.ratio("ours", "floor")
    return Row(
        "endpoint, signed single events",
        samples.median("ours"),
        samples.median("floor"),
        ratio,
        "the same endpoint, unsigned",
        goals=[Goal("≥ 0.85 of the requests/s", ratio, 0.85, least=True)],
        unit="/s",
        note=f"uvicorn in a process, {_CLIENTS} connections kept, SQLite with synchronous=FULL",
    )


def _rows_of(batch: bytes) -> list[tuple[object, ...]]:
    events = parse(batch)["batch"]
    rows = []
    for event in events:
        mac = event.pop("integrity_signature")
        text = canonicalize(event).decode()
        rows.append((1, 1, "a" * 16, "k" * 16, 0, "high", event["type"], event["messageId"], mac, text))
    return rows


def _bare(database: sqlite3.Connection, batches: list[list[tuple[object, ...]]]) -> float:
    begun = perf_counter()
    for rows in batches:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(_INSERT, rows)
        database.execute("COMMIT")
    return 100 * len(batches) / (perf_counter() - begun)


def _batches(connections: list[socket.socket], folder: Path) -> Row:
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(_TABLE)
    taken: dict[str, list[float]] = {"ours": [], "floor": []}
    for _ in range(_ROUNDS):
        bodies = [sender.new_batch() for _ in range(_BATCHES)]
        rows = [_rows_of(body) for body in bodies]
        taken["ours"].append(100 * _rate(connections, [_signed("batch", body) for body in bodies]))
        taken["floor"].append(_bare(database, rows))
    database.close()
    samples = Samples({name: rates[1:] for name, rates in taken.items()})
    ratio = samples.ratio("ours", "floor")
    return Row(
        "endpoint, batches of 100 into SQLite",
        samples.median("ours"),
        samples.median("floor"),
        ratio,
        "bare executemany of the same rows",
        goals=[Goal("≥ 0.5 of its rows/s", ratio, 0.5, least=True)],
        unit="/s",
        note=f"rows a second; synchronous=FULL both; {_CLIENTS} connections; signed events of 900 bytes",
    )


@contextmanager
def _connected(file: Path) -> Iterator[list[socket.socket]]:
    """Serve with a new file, and keep connections to the server."""
    with _serving(file) as port:
        connections = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(_CLIENTS)]
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connections
        for connection in connections:
            connection.close()


def rows() -> Iterator[Row]:
    """Measure the rows of this file; each begins with an empty store, as what it is compared with does."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as name:
        with _connected(Path(name) / "singles.db") as connections:
            yield _singles(connections)
        with _connected(Path(name) / "batches.db") as connections:
            yield _batches(connections, Path(name))
