"""A server that answers as a test tells it to, byte by byte, on a loopback port."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

API_KEY = "rpx_test_scripted"
SECRET = "a secret of tests, 32 characters or more".replace(" ", "-")
PATIENCE = 30.0

Script = Callable[["Arrived", socket.socket, threading.Event], None]


class Arrived(NamedTuple):
    """One request as it came: route, headers by lower-case name, body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Server(NamedTuple):
    """The base URL, and the requests so far."""

    url: str
    arrived: list[Arrived]


@contextmanager
def answering(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve; the script gets each request, the connection, and an event that is set at the end."""
    over = threading.Event()
    threads: list[threading.Thread] = []
    arrived: list[Arrived] = []

    def serve(connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with suppress(OSError), connection if tls is None else tls.wrap_socket(connection, server_side=True) as secured:
            request = _read(secured)
            if request is not None:
                arrived.append(request)
                script(request, secured, over)  # the client hangs up on some, as it should

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(connection,))
            thread.start()
            threads.append(thread)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            scheme = "http" if tls is None else "https"
            yield Server(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", arrived)
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in [acceptor, *threads]:
                thread.join(PATIENCE)


def _read(connection: socket.socket) -> Arrived | None:
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = connection.recv(65536)
        if not piece:
            return None
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Arrived(first.split()[1], headers, body)


def reply(status: int, body: bytes | dict[str, Any] = b"", **headers: str) -> Script:
    """Answer with a whole reply; a dict is written as JSON, a header's `_` is `-`."""
    text = json.dumps(body).encode() if isinstance(body, dict) else body
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(text)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join([*lines, "", ""]).encode("latin-1") + text)


def raw(text: bytes) -> Script:
    """Answer with these bytes and hang up."""
    return lambda request, connection, over: connection.sendall(text)


def drip(start: bytes, piece: bytes) -> Script:
    """Answer with a start, and then a piece every 20 ms for as long as the client listens."""

    def script(request: Arrived, connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(0.02):
            connection.sendall(piece)

    return script


def receipt(stored: int = 1, **other: Any) -> dict[str, Any]:
    """What the endpoint says when all is well."""
    now = int(time.time())
    known = {"stored": stored, "duplicates": 0, "trust": "high", "received_at": now, "server_time": now}
    return {**known, "request_id": "5ad0", **other}


def problem(code: str, **other: Any) -> dict[str, Any]:
    """What the endpoint says when it refuses."""
    return {"code": code, "detail": "a detail", "request_id": "5ad1", "server_time": int(time.time()), **other}
