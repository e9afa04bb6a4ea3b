"""The sender of all benchmarks: its keys, its requests, and the bodies that it sends."""

from __future__ import annotations

from itertools import count
from typing import Any

from corpus import typical_event

from rp_signing import Keyring, Secret, Signer, canonicalize, sign_event
from rp_signing.keys import secret_text

API_KEY = "rpx_test_benchmark-of-rp-signing"
UNSIGNED_API_KEY = "rpx_test_benchmark-without-keys"
SECRET_TEXT = secret_text(bytes(range(32)), live=False)
SECRET = Secret(SECRET_TEXT)
KEYRING = Keyring.of({API_KEY: [SECRET]})
SIGNER = Signer(api_key=API_KEY, secret=SECRET)

Headers = list[tuple[bytes, bytes]]

_USUAL = [
    (b"host", b"ingest.example.com"),
    (b"user-agent", b"analytics-python/2.1.3"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"content-length", b"800"),
    (b"content-type", b"application/json"),
]


def body_of(length: int) -> bytes:
    """Give the canonical form of a typical event of exactly that many bytes, 800 or near."""
    event: Any = typical_event()
    event["context"].pop("userAgent")
    event["context"]["page"]["title"] = ""
    room = length - len(canonicalize(event))
    event["context"]["page"]["title"] = "Thank you "[:room].ljust(room, "-")
    return canonicalize(event)


def asgi(headers: dict[str, str]) -> Headers:
    """Give headers as an ASGI server does."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def signed(body: bytes) -> Headers:
    """Give the five headers of a body, freshly signed."""
    return asgi(SIGNER.sign(body))


def among_twelve(five: Headers) -> Headers:
    """Put the five headers among the usual ones of a request."""
    return [*_USUAL[:4], *five, *_USUAL[4:]]


_numbers = count()


def new_events(how_many: int) -> list[dict[str, Any]]:
    """Make typical events, no two alike."""
    return [typical_event(seed) for seed in (next(_numbers) for _ in range(how_many))]


def new_batch(how_many: int = 100) -> bytes:
    """Give the canonical body of a batch of signed events."""
    events = [sign_event(event, api_key=API_KEY, secret=SECRET) for event in new_events(how_many)]
    return canonicalize({"batch": events})
