"""An ingest endpoint on a port with its store, and senders for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from parties import LIVE_API_KEY, OLD, OTHER, OTHER_API_KEY, UNSIGNED_API_KEY, Clock
from served import Answer, ask, serving
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, Signer, canonicalize, sign_event
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keyfile import keyring_of

DOCUMENT = {
    "api_keys": [
        {"api_key": API_KEY, "secrets": [SECRET, OLD]},
        {"api_key": LIVE_API_KEY, "secrets": [OTHER], "require_signature": False},
        {"api_key": UNSIGNED_API_KEY},
    ]
}
JSON = {"Content-Type": "application/json"}
SECRETS = {API_KEY: SECRET, LIVE_API_KEY: OTHER, OTHER_API_KEY: OTHER}


class Endpoint:
    """A served endpoint.

    Attributes:
        url: the base URL.
        app: the application.
        store: its event store.
        clock: of sender, endpoint and store.
    """

    def __init__(self, url: str, app: Ingest, store: SQLiteEventStore, clock: Clock) -> None:
        self.url = url
        self.app = app
        self.store = store
        self.clock = clock
        self._numbers = count()

    def headers(self, body: bytes, api_key: str = API_KEY, secret: str | None = None) -> dict[str, str]:
        """Sign a body under a fresh nonce: all headers that it needs."""
        sender = Signer(
            api_key=api_key,
            secret=secret or SECRETS[api_key],
            clock=self.clock,
            nonce=lambda: f"{next(self._numbers):022d}",
        )
        return sender.sign(body) | JSON

    def send(self, route: str, payload: Any, api_key: str = API_KEY) -> Answer:
        """Send a payload in a signed request, its events as they are."""
        body = canonicalize(payload)
        return ask(f"{self.url}/v1/{route}", body, self.headers(body, api_key))

    def send_unsigned(self, route: str, payload: Any, api_key: str = UNSIGNED_API_KEY) -> Answer:
        """Send a payload in an unsigned request."""
        return ask(f"{self.url}/v1/{route}", canonicalize(payload), {"X-RP-Api-Key": api_key} | JSON)

    def contents(self) -> list[str]:
        """The stored texts, in the order of storing."""
        return [event.content for event in self.store.scan()]


@contextmanager
def endpoint(folder: Path, **options: Any) -> Iterator[Endpoint]:
    """Serve an endpoint with a store in this folder."""
    clock = options.pop("clock", None) or Clock()
    store = options.pop("store", None) or SQLiteEventStore(folder / "events.db", clock)
    http = options.pop("http", "h11")
    app = Ingest(options.pop("keyring", None) or keyring_of(DOCUMENT), store, clock=clock, **options)
    with serving(app, http) as url:
        yield Endpoint(url, app, store, clock)
    store.close()


def keyring_without(*secrets: str) -> Keyring:
    """The keyring of `DOCUMENT` with these secrets as the only ones of the first api key."""
    return Keyring.of({API_KEY: list(secrets)})


def track(message_id: str = "m-1", **members: Any) -> dict[str, Any]:
    """A small event, not signed."""
    return {"type": "track", "messageId": message_id, "userId": "user-123", "event": "Order Completed", **members}


def signed(event: dict[str, Any], secret: str = SECRET, api_key: str = API_KEY) -> dict[str, Any]:
    """An event with its signature."""
    return sign_event(event, api_key=api_key, secret=secret)


class Heard(logging.Handler):
    """Collects what is logged.

    Attributes:
        records: in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self.records.append(record)

    def text(self) -> str:
        """Everything that any formatter could write."""
        return "\n".join(f"{record.getMessage()} {record.__dict__}" for record in self.records)


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear what the endpoint logs."""
    logger, heard = logging.getLogger("rp_signing.ingest"), Heard()
    level = logger.level
    logger.addHandler(heard)
    logger.setLevel(logging.INFO)
    try:
        yield heard
    finally:
        logger.removeHandler(heard)
        logger.setLevel(level)
