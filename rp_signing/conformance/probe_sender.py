"""Who signs what the probes send: rightly, or with exactly one thing wrong (SPEC §4, §5)."""

from __future__ import annotations

import secrets as randomness
import time
from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from math import floor
from typing import Any, NamedTuple

from .. import grammar, wire
from ..canonical import canonicalize
from ..keys import ApiKey, Secret, api_key_id
from ..signing import event_signing_input

__all__ = ["Request", "Sender", "ServerClock", "chunked"]

KEY_ID_OF_THE_SECRET = "its own"  # noqa: S105 - the word for "that of the secret that signs"


class Request(NamedTuple):
    """A request, to be sent as it stands. Its repr shows no field, for one is a credential.

    Attributes:
        method: such as ``POST``.
        path: from ``/v1/`` on.
        fields: (name, value) of its header lines but Host and what frames the body; each character an octet.
        body: the exact bytes.
    """

    method: str
    path: str
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}, {len(self.body)} bytes>"

    def value(self, name: str) -> str:
        """Give the value of the first line with exactly this name."""
        return next(value for known, value in self.fields if known == name)

    def having(self, name: str, value: str) -> Request:
        """Give it with another value in the line of this name, or with a new line where there is none."""
        if all(known != name for known, _ in self.fields):
            return self.adding(name, value)
        return self._replace(fields=tuple((known, value if known == name else old) for known, old in self.fields))

    def adding(self, name: str, value: str, first: bool = False) -> Request:
        """Give it with one line more, behind the others or before them."""
        line = ((name, value),)
        return self._replace(fields=line + self.fields if first else self.fields + line)

    def without(self, *names: str) -> Request:
        """Give it without the lines of these names."""
        return self._replace(fields=tuple(line for line in self.fields if line[0] not in names))

    def head(self, host: str, prefix: str, framing: str | None = None) -> bytes:
        """Write request line and headers.

        Args:
            host: for the Host line.
            prefix: what stands before the path.
            framing: the line, or lines, that frame the body; its true Content-Length when None.
        """
        lines = [
            f"{self.method} {prefix}{self.path} HTTP/1.1",
            f"Host: {host}",
            *(f"{name}: {value}" for name, value in self.fields),
            f"Content-Length: {len(self.body)}" if framing is None else framing,
        ]
        return "\r\n".join([*(line for line in lines if line), "", ""]).encode("latin-1")


class ServerClock:
    """What the server's clock says now: Unix seconds, known to within what a reply took.

    Attributes:
        known: False until the server has told its time; this machine's is then taken for it.
    """

    def __init__(self) -> None:
        self.known: bool = False
        self._earliest = self._latest = time.time() - time.monotonic()

    def learn(self, server_time: int, sent: float, received: float) -> None:
        """Take the server's word for its time.

        Args:
            server_time: whole seconds, as it told.
            sent: `time.monotonic` before the request.
            received: `time.monotonic` behind the reply.
        """
        self.known = True
        self._earliest, self._latest = server_time - received, server_time + 1 - sent

    def earliest(self) -> int:
        """Give whole seconds that the server's clock has reached by now."""
        return floor(self._earliest + time.monotonic())

    def latest(self) -> int:
        """Give whole seconds that the server's clock has not passed by now."""
        return floor(self._latest + time.monotonic())


class Sender:
    """Makes events and requests under one api key. Its repr shows ids alone.

    Args:
        api_key: the text.
        secret: a `Secret`, or its text.

    Attributes:
        api_key: the text.
        api_key_id: 16 hex digits.
        secret: the `Secret`.
        clock: the server's.
        macs: every MAC made here, 64 hex digits each: what is not sent is expected, and no reply may hold it.
        run: begins every messageId of this run, so that probes can be run again on the same server.

    Raises:
        ValueError: the api key or the secret breaks a rule of SPEC §8; the message says which.
    """

    def __init__(self, api_key: str, secret: Secret | str) -> None:
        entry = ApiKey(api_key, [secret])
        self.api_key = api_key
        self.api_key_id: str = entry.api_key_id
        self.secret: Secret = next(iter(entry.secrets.values()))
        self.clock: ServerClock = ServerClock()
        self.macs: set[str] = set()
        self.run: str = f"probe-{randomness.token_hex(8)}"
        self._numbers = count()

    def __repr__(self) -> str:
        return f"<Sender api key {self.api_key_id}, key {self.secret.key_id}>"

    def event(self, kind: str = "track", **members: Any) -> dict[str, Any]:
        """Give an event under a new messageId, not signed."""
        own = {"group": {"groupId": "conformance"}, "track": {"event": "Conformance Probe"}}
        message_id = f"{self.run}-{next(self._numbers)}"
        return {"type": kind, "messageId": message_id, "userId": "probe", **own.get(kind, {}), **members}

    def signed(self, event: dict[str, Any], secret: Secret | None = None) -> dict[str, Any]:
        """Give the event with its signature, under another secret where one is given."""
        key = secret or self.secret
        mac = self._mac(key, event_signing_input(canonicalize(event), self.api_key_id, key.key_id))
        return {**event, wire.SIGNATURE_MEMBER: mac}

    def body(self, **members: Any) -> bytes:
        """Give a whole good body: a new signed track event."""
        return canonicalize(self.signed(self.event(**members)))

    def batch(self, events: Sequence[Any], **members: Any) -> bytes:
        """Give the body of a batch of these events, as they are."""
        return canonicalize({"batch": list(events), **members})

    def nonce(self) -> str:
        """Give a new nonce, 22 characters."""
        return randomness.token_urlsafe(16)

    def request(
        self,
        body: bytes | None = None,
        route: str = "track",
        *,
        timestamp: int | None = None,
        nonce: str | None = None,
        key_id: str | None = KEY_ID_OF_THE_SECRET,
        secret: Secret | None = None,
        api_key: str | None = None,
        purpose: str = "request",
    ) -> Request:
        """Give a request that is signed over what it carries.

        Args:
            body: the exact bytes; a new signed event when None.
            route: ``track``, ``identify``, ``group`` or ``batch``.
            timestamp: Unix seconds; the server's now when None.
            nonce: a new one when None.
            key_id: the fourth line; None for a request without that header.
            secret: that signs; the sender's own when None.
            api_key: in the header and, by its id, in the third line; the sender's own when None.
            purpose: the second line.
        """
        body = self.body() if body is None else body
        key, key_text = secret or self.secret, api_key or self.api_key
        key_id = key.key_id if key_id == KEY_ID_OF_THE_SECRET else key_id
        nonce = nonce or self.nonce()
        when = str(self.clock.earliest() if timestamp is None else timestamp)
        lines = (purpose, api_key_id(key_text), key_id, when, nonce, len(body), sha256(body).hexdigest())
        fields = {
            wire.CONTENT_TYPE: wire.MEDIA_TYPE,
            wire.API_KEY: key_text,
            wire.KEY_ID: key_id,
            wire.TIMESTAMP: when,
            wire.NONCE: nonce,
            wire.SIGNATURE: self._mac(key, wire.signing_input(*lines)),
        }
        given = tuple((name, value) for name, value in fields.items() if value is not None)
        return Request("POST", f"/v1/{route}", given, body)

    def unsigned(self, body: bytes, route: str = "track") -> Request:
        """Give a request with the api key alone."""
        fields = ((wire.CONTENT_TYPE, wire.MEDIA_TYPE), (wire.API_KEY, self.api_key))
        return Request("POST", f"/v1/{route}", fields, body)

    def expect(self, request: Request) -> None:
        """Note the MAC that a request would need as it stands, should a reply give it away."""
        found = dict(request.fields)
        when, nonce, key_id = (found.get(name, "") for name in (wire.TIMESTAMP, wire.NONCE, wire.KEY_ID))
        if grammar.TIMESTAMP.matches(when) and grammar.NONCE.matches(nonce):
            sent_id = key_id if grammar.KEY_ID.matches(key_id) else None
            digest = sha256(request.body).hexdigest()
            lines = ("request", self.api_key_id, sent_id, when, nonce, len(request.body), digest)
            self._mac(self.secret, wire.signing_input(*lines))

    def _mac(self, secret: Secret, signing_input: bytes) -> str:
        mac = grammar.spell_mac(secret.mac(signing_input))
        self.macs.add(mac[7:])
        return mac


def chunked(body: bytes, size: int = 64, trailers: str = "") -> bytes:
    """Write a body in chunks of so many bytes (RFC 9112 §7.1), with these trailer lines behind it."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers.encode() + b"\r\n"
