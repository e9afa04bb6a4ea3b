"""``serve --dev``: a receiver on this machine that shows each request and its verdict as it comes."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import shlex
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding

from .. import wire
from ..explain import Explanation, explain, explain_event
from ..ingest.app import Ingest
from ..keys import Keyring, api_key_text, secret_text

__all__ = ["Shown", "throw_away_keys"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_INGEST = logging.getLogger("rp_signing.ingest")
_COLOUR = {2: "green", 4: "red", 5: "magenta"}
_INDENT = 10
_EVENT_REASONS = ("event_signature_mismatch", "event_signature_missing")

Message = MutableMapping[str, Any]


def throw_away_keys(console: Console) -> tuple[Path, Path]:
    """Make a test key and its secret in a new folder, and say how a sender takes them.

    Returns:
        The keys file, and a folder for the events.
    """
    folder = Path(tempfile.mkdtemp(prefix="rp-signing-dev-"))
    api_key = api_key_text(secrets.token_bytes(16), live=False)
    secret = secret_text(secrets.token_bytes(32), live=False)
    keys = folder / "keys.json"
    keys.touch(mode=0o600)
    keys.write_text(json.dumps({"api_keys": [{"api_key": api_key, "secrets": [secret]}]}), encoding="utf-8")
    console.print(
        f"Keys to throw away, in {folder}. A sender takes them from its environment:\n", highlight=False, soft_wrap=True
    )
    for name, value in (("RETAINPIXEL_API_KEY", api_key), ("RETAINPIXEL_HMAC_SECRET", secret)):
        console.print(f"    export {name}={shlex.quote(value)}", highlight=False, soft_wrap=True)
    return keys, folder


def say_where(console: Console, url: str) -> None:
    """Say the last of what a sender needs, and a first event to send."""
    console.print(f"    export RETAINPIXEL_BASE_URL={url}\n", highlight=False, soft_wrap=True)
    sender = (
        "from rp_signing import RetainPixel; print(RetainPixel().track(user_id='user-123', event='Order Completed'))"
    )
    console.print(f'    python -c "{sender}"\n', highlight=False, soft_wrap=True)


class _Request(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Shown:
    """The endpoint, with each request shown on a terminal, and what is wrong with it explained.

    What it shows is for who runs it: exact reasons, near-misses, both signing inputs. Senders hear no more than ever.

    Args:
        app: the endpoint.
        console: where to.
    """

    def __init__(self, app: Ingest, console: Console) -> None:
        self._app = app
        self._console = console
        self._heard = _Heard()
        _INGEST.addFilter(self._heard)

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        """Serve one request, and show it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, pieces, reply = list(scope["headers"]), [], bytearray()
        status = 0

        async def hear() -> Message:
            message = await receive()
            pieces.append(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            reply.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, hear, say)
        if status:
            told = orjson.loads(bytes(reply))
            record = self._heard.take(told.get("request_id"))
            request = _Request(scope["method"], scope["path"], headers, b"".join(pieces))
            await asyncio.to_thread(self._show, request, status, told, record)

    def _show(self, request: _Request, status: int, told: Message, record: Message) -> None:
        who = f"  api key {record['api_key_id']}" if record.get("api_key_id") else ""
        head = f"[dim]{time.strftime('%H:%M:%S')}[/]  {escape(request.method)} {escape(request.path)}"
        # In one piece: requests come at the same time, and are shown one after another.
        self._print(f"{head}  {len(request.body):,} bytes{who}", list(self._lines(request, status, told, record)))

    def _lines(self, request: _Request, status: int, told: Message, record: Message) -> Iterator[str]:
        colour = _COLOUR.get(status // 100, "yellow")
        if status < 300:
            kept = f"{told['stored']} stored, {told['duplicates']} duplicates, trust {told['trust']}"
            yield f"[{colour}]{status} accepted[/]  {kept}"
            return
        reason = str(record.get("reason", told["code"]))
        yield f"[{colour}]{status} {reason}[/]  {escape(str(record.get('detail') or told['detail']))}"
        if reason != told["code"]:
            yield f"the sender was told [bold]{told['code']}[/]"
        for fault in told.get("errors", ()):
            place = fault["pointer"] or "its root"
            yield escape(f"event {fault['index']}: {fault['reason']} at {place}: {fault['detail']}")
        found = self._explanation(told, request)
        if found is None or found.verified:
            return
        for cause in found.causes:
            yield f"[yellow]cause[/]  [bold]{cause.cause}[/]  {escape(cause.detail)}"
        if not found.causes and found.received:
            yield "[yellow]cause[/]  none of the mistakes that are known by name would have matched"

    def _explanation(self, told: Message, request: _Request) -> Explanation | None:
        keyring, headers, body = self._app.keyring, request.headers, request.body
        try:
            if any(fault["reason"] in _EVENT_REASONS for fault in told.get("errors", ())):
                return _explained_event(keyring, headers, body)
            return explain(keyring, headers, body) if body else None
        except (TypeError, ValueError):
            return None

    def _print(self, head: str, lines: list[str]) -> None:
        if self._console.is_terminal:
            # Words stay whole, under one another.
            body = [Padding(line, (0, 0, 0, _INDENT)) for line in lines]
            self._console.print(Group(head, *body), highlight=False)
        else:
            text = "\n".join([head, *(" " * _INDENT + line for line in lines)])
            self._console.print(text, highlight=False, soft_wrap=True)


def _explained_event(keyring: Keyring, headers: list[tuple[bytes, bytes]], body: bytes) -> Explanation | None:
    payload = orjson.loads(body)
    batch = payload.get("batch") if isinstance(payload, dict) else None
    api_key = next((value.decode("latin-1") for name, value in headers if name == wire.API_KEY.lower().encode()), None)
    for event in batch if isinstance(batch, list) else [payload]:
        found = explain_event(event, keyring=keyring, api_key=api_key)
        if not found.verified:
            return found
    return None


class _Heard(logging.Filter):
    """Keeps what the endpoint logs of each request, in place of writing it, until it is shown."""

    _MOST = 1_000

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[str, Message] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep one that is of a request; let the others through."""
        fields = vars(record)
        if "request_id" not in fields:
            return True
        while len(self._records) >= self._MOST:
            del self._records[next(iter(self._records))]
        self._records[fields["request_id"]] = fields
        return False

    def take(self, request_id: str | None) -> Message:
        """Give what was logged of a request, once."""
        return self._records.pop(request_id or "", {})
