"""An ASGI application on a loopback port, and what it takes to talk to it byte by byte."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import uvicorn
from leaks import leaked, told

PATIENCE = 30.0
"""Seconds after which a test that waits for a server has failed."""


@contextmanager
def serving(app: Any, http: str = "h11") -> Iterator[str]:
    """Serve an ASGI application by uvicorn in a thread, as `serve` does; gives the base URL, ``http://127.0.0.1:PORT``.

    Args:
        app: the application.
        http: what reads HTTP for uvicorn, ``h11`` or ``httptools``; the latter adds trailers to the headers.
    """
    # It listens before the server runs, so that nobody has to ask whether it is up.
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio does this for listeners of its own alone; without it each answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(uvicorn.Config(app, http=http, log_config=None, access_log=False, lifespan="on", ws="none"))
    with running(server, listener) as url:
        yield url


@contextmanager
def running(server: uvicorn.Server, listener: socket.socket) -> Iterator[str]:
    """Run a server in a thread, on what listens already; gives the base URL."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
        assert not thread.is_alive()


class Answer(NamedTuple):
    """A reply: the status, its headers by lower-case name, and the JSON document."""

    status: int
    headers: dict[str, str]
    document: dict[str, Any]

    @classmethod
    def of(cls, response: HTTPResponse) -> Answer:
        """Read a response whole."""
        text = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        document = json.loads(text) if text else {}
        assert told(document) + leaked(f"{headers}") == []
        return cls(response.status, headers, document)


def ask(url: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Answer:
    """Send one request in the ordinary way."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE)
    try:
        connection.request(method, parts.path, body=body, headers=dict(headers))
        return Answer.of(connection.getresponse())
    finally:
        connection.close()


@contextmanager
def wire_to(url: str) -> Iterator[socket.socket]:
    """Open a bare connection to the server of a URL."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=PATIENCE) as connection:
        yield connection


def head(url: str, headers: Iterable[tuple[str, str]], method: str = "POST") -> bytes:
    """Write a request's head as it is told to, doubled and odd headers too."""
    lines = [
        f"{method} {urlsplit(url).path} HTTP/1.1",
        "Host: localhost",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer_on(connection: socket.socket) -> Answer:
    """Read one reply off a bare connection."""
    response = HTTPResponse(connection)
    response.begin()
    try:
        return Answer.of(response)
    finally:
        response.close()


def ask_raw(url: str, headers: Iterable[tuple[str, str]], body: bytes = b"", method: str = "POST") -> Answer:
    """Send these very bytes, and read the reply."""
    with wire_to(url) as connection:
        connection.sendall(head(url, headers, method) + body)
        return answer_on(connection)
