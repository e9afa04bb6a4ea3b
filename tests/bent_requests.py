"""How an ingest server can be bent before the gate: its requests, and its replies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from spec_page import API_KEY, SECRET

from rp_signing import Keyring, Reason, Signer, VerificationError, parse
from rp_signing.errors import CanonicalizationError
from rp_signing.ingest.reply import refused
from rp_signing.middleware.asgi import send_reply

App = Callable[[Any, Any, Any], Awaitable[None]]
Lines = list[tuple[bytes, bytes]]

# Requests


def headers(change: Callable[[Lines], Iterable[tuple[bytes, bytes]]]) -> Callable[[App], App]:
    """Change the headers of every request."""

    def wrap(app: App) -> App:
        async def changed(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope = {**scope, "headers": list(change(list(scope["headers"])))}
            await app(scope, receive, send)

        return changed

    return wrap


def values(change: Callable[[bytes, bytes], bytes]) -> Callable[[App], App]:
    """Change the values of the five headers."""
    return headers(
        lambda lines: [(name, change(name, value) if name.startswith(b"x-rp-") else value) for name, value in lines]
    )


def bodies(change: Callable[[dict[str, Any], bytes], tuple[Any, bytes]]) -> Callable[[App], App]:
    """Read every body first, and change scope and body; headers are looked at after the body."""

    def wrap(app: App) -> App:
        async def changed(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            body, more = b"", True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body, more = body + message.get("body", b""), message.get("more_body", False)
            new_scope, new_body = change(scope, body)

            async def whole() -> Any:
                return {"type": "http.request", "body": new_body}

            return await app(new_scope, whole, send)

        return changed

    return wrap


def scope(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[App], App]:
    """Change what else is known of every request."""

    def wrap(app: App) -> App:
        async def changed(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, **change(scope)} if scope["type"] == "http" else scope, receive, send)

        return changed

    return wrap


def last_wins(lines: Lines) -> Iterable[tuple[bytes, bytes]]:
    """Keep the last line of each name."""
    return dict(lines).items()


def first_wins(lines: Lines) -> Iterable[tuple[bytes, bytes]]:
    """Keep the first line of each name."""
    return dict(reversed(lines)).items()


def as_number(name: bytes, value: bytes) -> bytes:
    """Read a timestamp as Python reads a number."""
    if name != b"x-rp-timestamp":
        return value
    try:
        return str(int(value.decode())).encode()
    except ValueError:
        return value


def downgrade(lines: Lines) -> Lines:
    """Take a request that lacks a signature header for an unsigned one."""
    names = {name for name, _ in lines}
    if {b"x-rp-timestamp", b"x-rp-nonce", b"x-rp-signature"} <= names:
        return lines
    return [line for line in lines if line[0] == b"x-rp-api-key" or not line[0].startswith(b"x-rp-")]


def json_always(lines: Lines) -> Lines:
    """Call every body JSON."""
    return [line for line in lines if line[0] != b"content-type"] + [(b"content-type", b"application/json")]


def ascii_alone(lines: Lines) -> Lines:
    """Fail on a value outside ASCII."""
    for _, value in lines:
        value.decode("ascii")
    return lines


def unpack(scope: dict[str, Any], body: bytes) -> tuple[Any, bytes]:
    """Unpack a body, and go on as if it had come so."""
    if (b"content-encoding", b"gzip") not in scope["headers"]:
        return scope, body
    headers = [line for line in scope["headers"] if line[0] != b"content-encoding"]
    try:
        return {**scope, "headers": headers}, gzip.decompress(body)
    except OSError:
        return scope, body


def mac_of_body(scope: dict[str, Any], body: bytes) -> tuple[Any, bytes]:
    """Take the product's public page at its word: the MAC of the body alone."""
    secret = next(iter(next(iter(Keyring.of({API_KEY: SECRET}))).secrets.values()))
    if (b"x-rp-signature", b"sha256=" + secret.mac(body).hex().encode()) not in scope["headers"]:
        return scope, body
    signed = Signer(api_key=API_KEY, secret=SECRET).sign(body)
    rest = [line for line in scope["headers"] if not line[0].startswith(b"x-rp-")]
    return {
        **scope,
        "headers": rest + [(name.lower().encode(), value.encode()) for name, value in signed.items()],
    }, body


def burns_first(app: App) -> App:
    """The nonce is used up as soon as the head is there."""
    seen: set[tuple[bytes, ...]] = set()

    async def changed(scope: Any, receive: Any, send: Any) -> None:
        found = dict(scope.get("headers", ()))
        key = tuple(found.get(name, b"") for name in (b"x-rp-timestamp", b"x-rp-nonce"))
        if key in seen:
            error = VerificationError(Reason.REPLAYED, "seen before")
            await send_reply(refused(error, None, "r", 1_795_424_400), send)
            return
        if all(key):
            seen.add(key)
        await app(scope, receive, send)

    return changed


def parses_first(app: App) -> App:
    """Look at the body before the MAC."""

    def look(scope: Any, body: bytes) -> tuple[Any, bytes]:
        try:
            parse(body)
        except CanonicalizationError:
            return {**scope, "path": "/no-json"}, body
        return scope, body

    return bodies(look)(app)


def dies_soon(app: App) -> App:
    """After three requests, two of them to say hello, nothing works any more."""
    count = 0

    async def changed(scope: Any, receive: Any, send: Any) -> None:
        nonlocal count
        count += 1
        if count > 3:
            raise MemoryError
        await app(scope, receive, send)

    return changed


# Replies


def replies(change: Callable[[int, Lines, dict[str, Any]], tuple[int, Lines, Any]]) -> Callable[[App], App]:
    """Change status, headers and document of every reply."""

    def wrap(app: App) -> App:
        async def changed(scope: Any, receive: Any, send: Any) -> None:
            start: dict[str, Any] = {}

            async def altered(message: Any) -> None:
                if message["type"] == "http.response.start":
                    start.update(message)
                    return
                status, lines, document = change(start["status"], start["headers"], json.loads(message["body"]))
                text = json.dumps(document).encode()
                lines = [line for line in lines if line[0] != b"content-length"]
                lines.append((b"content-length", b"%d" % len(text)))
                await send({"type": "http.response.start", "status": status, "headers": lines})
                await send({"type": "http.response.body", "body": text})

            await app(scope, receive, altered if scope["type"] == "http" else send)

        return changed

    return wrap


def members(**changes: Any) -> Callable[[App], App]:
    """Set members of every refusal; None takes one out, a function changes it."""

    def change(status: int, lines: Lines, document: dict[str, Any]) -> tuple[int, Lines, Any]:
        if status < 400:
            return status, lines, document
        for name, value in changes.items():
            if name not in document:
                continue
            new = value(document[name]) if callable(value) else value
            document = {**document, name: new} if new is not None else {k: v for k, v in document.items() if k != name}
        return status, lines, document

    return replies(change)


def receipts(**changes: Any) -> Callable[[App], App]:
    """Set members of every receipt; None takes one out."""

    def change(status: int, lines: Lines, document: dict[str, Any]) -> tuple[int, Lines, Any]:
        if status >= 400:
            return status, lines, document
        merged = {**document, **changes}
        return status, lines, {name: value for name, value in merged.items() if value is not None}

    return replies(change)


def fields(change: Callable[[Lines], Lines]) -> Callable[[App], App]:
    """Change the headers of every refusal."""
    return replies(lambda status, lines, document: (status, change(lines) if status >= 400 else lines, document))


def statuses(table: dict[int, int]) -> Callable[[App], App]:
    """Answer with other statuses."""
    return replies(lambda status, lines, document: (table.get(status, status), lines, document))


def tells_mac(app: App) -> App:
    """The refusal of a wrong MAC holds the right one."""

    def look(scope: Any, body: bytes) -> tuple[Any, bytes]:
        found = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        if "x-rp-nonce" in found and found.get("x-rp-timestamp", "").isdecimal():
            when, nonce = int(found["x-rp-timestamp"]), found["x-rp-nonce"]
            with_nonce = Signer(api_key=API_KEY, secret=SECRET, clock=lambda: when, nonce=lambda: nonce)
            try:
                expected[0] = with_nonce.sign(body)["X-RP-Signature"]
            except ValueError:
                return scope, body
        return scope, body

    expected = [""]
    return bodies(look)(members(detail=lambda detail: f"{detail}; expected {expected[0]}")(app))
