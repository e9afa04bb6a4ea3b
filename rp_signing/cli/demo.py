"""``demo``: the endpoint, the SDK and every kind of refusal, on this machine and for real."""

from __future__ import annotations

import logging
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click
import httpx2
import orjson
from rich.console import Console
from rich.table import Table

from .. import wire
from ..canonical import canonicalize
from ..errors import SigningError
from ..ingest.app import Ingest
from ..ingest.audit import audit
from ..ingest.sqlite import SQLiteEventStore
from ..keyfile import load_keyring
from ..keys import api_key_text, secret_text
from ..sdk import RetainPixel
from ..signing import Signer, sign_event
from .events import print_report, rows_table
from .options import existing_file
from .serve import Server
from .stores import DATABASE
from .terminal import wide_console

_SHOWN_ROWS = 12


class Outcome(NamedTuple):
    """One line of the table: what was sent, and what became of it."""

    sent: str
    status: int
    became: str
    why: str


@click.command(short_help="See on this machine what becomes of events.")
@click.option(
    "--events",
    "more",
    type=existing_file,
    metavar="FILE",
    help="Events to send as well, a JSON object a line.",
)
def demo(more: Path | None) -> None:
    """Send events to an endpoint on this machine, and show what becomes of each.

    Signed ones by track, identify, group and batch; an unsigned one; then a tampered, a replayed and a stale one, and
    one under another secret.
    """
    given = _lines(more) if more else []
    console = wide_console()
    folder = Path(tempfile.mkdtemp(prefix="rp-signing-demo-"))
    keys = _Keys(folder)
    keyring = load_keyring(folder / "keys.json")
    store = SQLiteEventStore(folder / DATABASE)
    try:
        with _running(Ingest(keyring, store)) as url, _reasons() as reasons:
            console.print(f"The endpoint listens on [bold]{url}[/]; its data is in {folder}\n")
            story = _Story(url, keys, reasons)
            console.print(_outcomes_table(story.tell(given)))
        _show_store(console, store)
        report = audit(store, keyring)
        print_report(console, report)
    finally:
        store.close()
    console.print(_by_hand(folder), highlight=False, soft_wrap=True)
    sys.exit(0 if report.ok and story.as_it_should else 1)


class _Keys:
    """Throw-away keys, and the keys file of a server that takes them."""

    def __init__(self, folder: Path) -> None:
        self.signing = api_key_text(secrets.token_bytes(16), live=False)
        self.secret = secret_text(secrets.token_bytes(32), live=False)
        self.other_secret = secret_text(secrets.token_bytes(32), live=False)
        self.unsigned = api_key_text(secrets.token_bytes(16), live=False)
        document = {
            "api_keys": [
                {"api_key": self.signing, "secrets": [{"file": "secret.txt"}]},
                {"api_key": self.unsigned, "secrets": []},
            ]
        }
        (folder / "secret.txt").write_text(self.secret + "\n")
        (folder / "api-key.txt").write_text(self.signing + "\n")
        (folder / "keys.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


class _Story:
    """The requests of the demo, in order; `as_it_should` turns False when one ends otherwise than it must."""

    def __init__(self, url: str, keys: _Keys, reasons: list[str]) -> None:
        self._url = url
        self._keys = keys
        self._reasons = reasons
        self.as_it_should = True

    def tell(self, more: list[dict[str, Any]]) -> Iterator[Outcome]:
        """Send everything, one line of the table each."""
        sender = RetainPixel(api_key=self._keys.signing, secret=self._keys.secret, base_url=self._url)
        with sender as client:
            yield from self._signed(client, more)
        with RetainPixel(api_key=self._keys.unsigned, base_url=self._url) as client:
            yield self._sdk("unsigned, with a key that allows it", "standard", lambda: client.track(**_ORDER))
        yield from self._refused()

    def _signed(self, client: RetainPixel, more: list[dict[str, Any]]) -> Iterator[Outcome]:
        traits: dict[str, Any] = {"name": "Zoë أمل 👩‍🚀", "plan": "team"}
        yield self._sdk("track, signed", "high", lambda: client.track(**_ORDER))
        yield self._sdk("identify, signed", "high", lambda: client.identify(user_id="user-123", traits=traits))
        yield self._sdk(
            "group, signed", "high", lambda: client.group(user_id="user-123", group_id="acme", traits={"seats": 12.0})
        )
        batch = more or [
            {"type": "track", "userId": "user-123", "event": "Page Viewed", "properties": {"n": n}} for n in range(3)
        ]
        yield self._sdk(f"batch of {len(batch)}, signed", "high", lambda: client.batch(batch))

    def _refused(self) -> Iterator[Outcome]:
        keys, now = self._keys, time.time()
        body, headers = self._request(Signer(api_key=keys.signing, secret=keys.secret))
        tampered = body.replace(b"49.9", b"09.9")
        yield self._raw("tampered on the way", "signature_mismatch", tampered, headers)
        yield self._raw("the same, as it was signed", "high", body, headers)
        yield self._raw("replayed: the same bytes again", "replayed", body, headers)
        stale = Signer(api_key=keys.signing, secret=keys.secret, clock=lambda: now - 1000)
        yield self._raw("stale: signed 1,000 s ago", "timestamp_expired", *self._request(stale))
        yield self._raw("the signature taken off", "signature_missing", body, {wire.API_KEY: keys.signing})
        with RetainPixel(api_key=keys.signing, secret=keys.other_secret, base_url=self._url) as client:
            yield self._sdk("signed under another secret", "key_id_unknown", lambda: client.track(**_ORDER))

    def _request(self, signer: Signer) -> tuple[bytes, dict[str, str]]:
        event: dict[str, Any] = {"type": "track", "messageId": secrets.token_hex(8), "userId": "user-123"}
        event |= {"event": "Order Completed", "properties": {"total": 49.9}}
        body = canonicalize(sign_event(event, api_key=self._keys.signing, secret=self._keys.secret))
        return body, signer.sign(body)

    def _sdk(self, sent: str, expected: str, call: Callable[[], Any]) -> Outcome:
        try:
            receipt = call()
        except SigningError as error:
            return self._refusal(sent, expected, getattr(error, "status", 0) or 0, type(error).__name__)
        duplicates = f", {receipt.duplicates} duplicates" if receipt.duplicates else ""
        return self._taken(sent, expected, receipt.trust, f"{receipt.stored} stored{duplicates}")

    def _raw(self, sent: str, expected: str, body: bytes, headers: dict[str, str]) -> Outcome:
        reply = httpx2.post(
            f"{self._url}/v1/track", content=body, headers={**headers, wire.CONTENT_TYPE: wire.MEDIA_TYPE}
        )
        answer = orjson.loads(reply.content)
        if reply.status_code == 202:
            return self._taken(sent, expected, answer["trust"], f"{answer['stored']} stored")
        return self._refusal(sent, expected, reply.status_code, f"told: {answer['code']}")

    def _taken(self, sent: str, expected: str, trust: str, why: str) -> Outcome:
        self.as_it_should &= trust == expected
        colour = "green" if trust == "high" else "yellow"
        return Outcome(sent, 202, f"[{colour}]stored, trust {trust}[/]", why)

    def _refusal(self, sent: str, expected: str, status: int, told: str) -> Outcome:
        reason = self._reasons.pop() if self._reasons else "no answer"
        self.as_it_should &= reason == expected
        return Outcome(sent, status, f"[red]refused: {reason}[/]", told)


_ORDER: dict[str, Any] = {
    "user_id": "user-123",
    "event": "Order Completed",
    "properties": {"orderId": "A-1001", "total": 49.9, "currency": "EUR", "items": [{"sku": "G-32", "quantity": 1}]},
}


class _Heard(logging.Handler):
    """Keeps the exact reasons that the endpoint logs; a stranger is told less."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        reason = getattr(record, "reason", None)
        if reason:
            self.reasons.append(reason)


@contextmanager
def _reasons() -> Iterator[list[str]]:
    log, heard = logging.getLogger("rp_signing"), _Heard()
    log.addHandler(heard)
    log.propagate = False
    try:
        yield heard.reasons
    finally:
        log.removeHandler(heard)
        log.propagate = True


@contextmanager
def _running(app: Ingest) -> Iterator[str]:
    """Run the endpoint in a thread, on a free loopback port."""
    started = threading.Event()
    server = Server(app, on_start=started.set)
    thread = threading.Thread(target=server.run, name="endpoint")
    thread.start()
    try:
        if not started.wait(timeout=20):
            raise click.ClickException("the endpoint did not start within 20 s")
        yield server.url
    finally:
        server.should_exit = True
        thread.join()


def _lines(path: Path) -> list[dict[str, Any]]:
    events = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            events.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise click.UsageError(f"{path}, line {number}: {error}") from None
        if not isinstance(events[-1], dict):
            raise click.UsageError(f"{path}, line {number}: it is no JSON object; each event is one, on a line")
    return events


def _outcomes_table(outcomes: Iterator[Outcome]) -> Table:
    table = Table(title="What became of each", title_justify="left", header_style="bold")
    table.add_column("sent")
    table.add_column("status", justify="right")
    table.add_column("what became of it", no_wrap=True)
    table.add_column("the sender is told")
    for outcome in outcomes:
        table.add_row(outcome.sent, str(outcome.status or "–"), outcome.became, outcome.why)
    return table


def _show_store(console: Console, store: SQLiteEventStore) -> None:
    rows = list(store.scan())
    few = rows[: _SHOWN_ROWS // 2] + rows[-_SHOWN_ROWS // 2 :] if len(rows) > _SHOWN_ROWS else rows
    table = rows_table(few, console.width)
    table.title = f"The stored rows: {len(few)} of {len(rows):,}"
    console.print()
    console.print(table)
    console.print()


def _by_hand(folder: Path) -> str:
    return f"""
[bold]The same by hand[/] (the folder stays until you remove it):

  export PATH="$PATH:{Path(sys.argv[0]).resolve().parent}"
  cd {folder}
  rp-signing serve --keys keys.json --data . &
  echo '{{"type":"track","messageId":"by-hand-1","userId":"user-123","event":"Tried By Hand"}}' > event.json
  rp-signing sign --event --api-key $(cat api-key.txt) --secret-file secret.txt < event.json > body.json
  rp-signing sign --api-key $(cat api-key.txt) --secret-file secret.txt < body.json > headers.txt
  rp-signing verify --keys keys.json --headers headers.txt < body.json
  curl -i -H @headers.txt -H 'Content-Type: application/json' --data-binary @body.json http://127.0.0.1:8000/v1/track
  rp-signing events list --data .
  rp-signing events audit --keys keys.json --data ."""
