"""HTTP/1.1 over bare sockets: exact bytes out, one reply in, within a time and a size (RFC 9112).

An HTTP client would repair what a probe means to break.
"""

from __future__ import annotations

import re
import select
import socket
import time
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import SigningError

__all__ = ["Connection", "NoReply", "Reply", "Target", "Unreachable", "target_of"]

_MAX_HEAD = 65_536
_MAX_BODY = 1_048_576
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?")


class Unreachable(SigningError):
    """Nothing answers at the URL, or what answers speaks no HTTP. Its str is a sentence for people."""


class NoReply(Exception):
    """One request got no reply. Its str says what came instead.

    Attributes:
        late: True when the time ran out, False when the connection ended or what came is no HTTP.
    """

    def __init__(self, what: str, late: bool = False) -> None:
        super().__init__(what)
        self.late = late


class Target(NamedTuple):
    """Where a server listens.

    Attributes:
        host: as it stands in a Host header, with the port.
        addresses: (IP address, port), to be tried in order.
        prefix: what stands before ``/v1/`` in a path; mostly empty.
    """

    host: str
    addresses: tuple[tuple[str, int], ...]
    prefix: str


def target_of(url: str, own: bool = False) -> Target:
    """Read a base URL, ``http://HOST:PORT``, and look its addresses up, once.

    Args:
        url: the base URL.
        own: the server is the caller's own, wherever it is.

    Raises:
        ValueError: it is no such URL, or the host is not loopback (127.0.0.0/8, ::1, localhost) and not ``own``.
        Unreachable: the host has no address.
    """
    host, port, netloc, path = _parts(url)
    if not own and not _is_loopback(host) and host != "localhost":
        # Not looked up: to ask for a stranger's address is a packet that leaves this machine already.
        raise ValueError(f"{host} is not loopback; probes store events and try every fault: only on a server of yours")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"nothing answers at {url}: the host has no address ({error})") from None
    addresses = tuple(dict.fromkeys((str(entry[4][0]), port) for entry in found))
    if not own and not all(_is_loopback(address) for address, _ in addresses):
        raise ValueError(f"{host} does not lead to loopback alone on this machine; write 127.0.0.1")
    return Target(netloc, addresses, path.rstrip("/"))


def _parts(url: str) -> tuple[str, int, str, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    odd = parts.username is not None or parts.password is not None or parts.query or parts.fragment
    if parts.scheme != "http" or not parts.hostname or odd or re.search(r"[^!-~]|\\", url):
        raise ValueError("the URL must be http://HOST:PORT, with nothing behind it but a path")
    return parts.hostname, 80 if port is None else port, parts.netloc, parts.path


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


class Reply(NamedTuple):
    """What a server answered.

    Attributes:
        status: the HTTP status.
        fields: (name in lower case, value) of its header lines, each character an octet.
        body: its bytes, chunks put together.
        head: status line and header lines as they came.
    """

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    head: bytes

    def field(self, name: str) -> str | None:
        """Give the value of the first header line of this name (lower case), or None."""
        return next((value for known, value in self.fields if known == name), None)


class Connection:
    """One TCP connection. A context manager, which closes it.

    Args:
        target: where to.
        seconds: that connecting and every send may take.

    Raises:
        OSError: nobody listens there.
    """

    def __init__(self, target: Target, seconds: float) -> None:
        self._seconds = seconds
        self._socket = _connect(target, seconds)
        # A request's last byte is to go when it is sent: a race depends on it.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, octets: bytes) -> None:
        """Send bytes as they are. A server that no longer reads is no fault yet: its reply may lie here."""
        self._socket.settimeout(self._seconds)
        try:
            self._socket.sendall(octets)
        except OSError:
            return

    def drip(self, octets: bytes, every: float, seconds: float) -> None:
        """Send a byte at a time until something comes back, for at most so many seconds."""
        end = time.monotonic() + seconds
        for at in range(len(octets)):
            self.send(octets[at : at + 1])
            if time.monotonic() >= end or select.select([self._socket], [], [], every)[0]:
                return

    def end(self) -> None:
        """Say that nothing more will be sent, and go on reading."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def reply(self, seconds: float) -> Reply:
        """Read the next reply whole; interim ones (1xx) are passed over.

        Raises:
            NoReply: none came within so many seconds, or what came is none.
        """
        end = time.monotonic() + seconds
        status = 100
        while status < 200:
            head = self._until(b"\r\n\r\n", end, _MAX_HEAD)
            status, fields = _read_head(head)
        body = b"" if status in (204, 304) else self._body(dict(reversed(fields)), end)
        return Reply(status, fields, body, head)

    def _body(self, fields: dict[str, str], end: float) -> bytes:
        if "transfer-encoding" in fields:
            return self._chunks(end)
        length = fields.get("content-length")
        if length is None:
            return self._rest(end)
        if not re.fullmatch(r"[0-9]{1,7}", length, re.ASCII) or int(length) > _MAX_BODY:
            raise NoReply(f"its Content-Length is no number up to {_MAX_BODY:,}")
        return self._exactly(int(length), end)

    def _chunks(self, end: float) -> bytes:
        body = b""
        while True:
            match = _CHUNK.fullmatch(self._until(b"\r\n", end, _MAX_HEAD)[:-2])
            if match is None:
                raise NoReply("its chunks are no chunks")
            size = int(match[1], 16)
            if len(body) + size > _MAX_BODY:
                raise NoReply(f"its body is longer than {_MAX_BODY:,} bytes")
            if not size:
                while self._until(b"\r\n", end, _MAX_HEAD) != b"\r\n":
                    pass
                return body
            body += self._exactly(size, end)
            self._exactly(2, end)

    def _rest(self, end: float) -> bytes:
        try:
            while len(self._received) <= _MAX_BODY:
                self._more(end)
        except NoReply as error:
            if error.late:
                raise
            body, self._received = self._received, b""
            return body
        raise NoReply(f"its body is longer than {_MAX_BODY:,} bytes")

    def _exactly(self, length: int, end: float) -> bytes:
        while len(self._received) < length:
            self._more(end)
        taken, self._received = self._received[:length], self._received[length:]
        return taken

    def _until(self, mark: bytes, end: float, limit: int) -> bytes:
        while mark not in self._received:
            if len(self._received) > limit:
                raise NoReply("what came is no HTTP reply, or a very long one")
            self._more(end)
        return self._exactly(self._received.index(mark) + len(mark), end)

    def _more(self, end: float) -> None:
        left = end - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            piece = self._socket.recv(65_536)
        except TimeoutError:
            raise NoReply("the time ran out before a reply was there", late=True) from None
        except OSError:
            piece = b""
        if not piece:
            raise NoReply("the connection was closed before a reply was there")
        self._received += piece


def _connect(target: Target, seconds: float) -> socket.socket:
    for address in target.addresses[:-1]:
        try:
            return socket.create_connection(address, seconds)
        except OSError:
            continue
    return socket.create_connection(target.addresses[-1], seconds)


def _read_head(head: bytes) -> tuple[int, list[tuple[str, str]]]:
    first, *lines = head[:-4].split(b"\r\n")
    match = _STATUS.fullmatch(first)
    if match is None:
        raise NoReply("what came does not begin like an HTTP/1.1 reply")
    fields = []
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise NoReply("a header line of the reply has no colon")
        fields.append((name.lower(), value.strip(" \t")))
    return int(match[1]), fields
