"""A sender that makes mistakes: it signs and sends as SPEC says, but for what it is told to do wrong.

It shares no code with the library, so that a mistake is made here as a stranger would make it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

API_KEY, SECRET = "rpx_test_demo", "rps_test_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh86d2f6a97"
SECOND, RETIRED = "second-active-secret-0123456789-abcdefgh", "retired-secret-0123456789-abcdefghijklmn"
OTHER_KEY, OTHER_SECRET = "rpx_test_other", "secret-of-the-other-api-key-0123456789-ab"
LIVE_KEY, LIVE_SECRET = "rpx_live_demo", "secret-of-the-live-api-key-0123456789-abc"
NOW = 1795424400
NONCE = "AAECAwQFBgcICQoLDA-_Dw"
MEMBER = "integrity_signature"

RICH = {
    "event": "<b>C++ & \u2028 caf\u00e9 cafe\u0301</b> 'a/b'",
    "messageId": "ord-1001-paid",
    "properties": {
        "10": 1,
        "9": 2,
        "empty": {},
        "none": None,
        "rate": 1e-7,
        "total": 49.9,
        "\U0001f600": "astral",
        "\ufb01": "ligature",
    },
    "type": "track",
    "userId": "user-123",
}
"""An event with something in it for every serialiser to do otherwise."""

LATIN = {**RICH, "event": "<b>C++ & caf\u00e9</b> 'a/b'", "properties": {"empty": {}, "none": None, "total": 49.9}}
"""One that Latin-1 can carry."""


def canonical(value: Any) -> bytes:
    """The canonical form, written out: names by UTF-16, the numbers that are in here as ECMAScript writes them."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return b"{" + b",".join(canonical(name) + b":" + canonical(value[name]) for name in names) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).replace("1e-07", "1e-7").encode()


def api_key_id(api_key: str) -> str:
    """SPEC KEY-1."""
    return hashlib.sha256(b"rp1-api-key\n" + api_key.encode()).hexdigest()[:16]


def key_id(key: bytes) -> str:
    """SPEC KEY-2."""
    return hmac.digest(key, b"rp1-key-id", "sha256").hex()[:16]


class Sender:
    """One request on its way. A mistake changes what it needs to, before `send` is called."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.text = canonical(value)
        self.now = NOW
        self.api_key = self.signed_api_key = API_KEY
        self.secret = SECRET
        self.key: list[Callable[[bytes], bytes]] = []
        self.own_key_id = False  # the key id is made from the spoiled key, as a library makes it
        self.sent_key_id: str | None = ""
        self.signed: list[Callable[[bytes], bytes]] = []
        self.transit: list[Callable[[bytes], bytes]] = []
        self.lines: list[Callable[[list[str], bytes], list[str]]] = []
        self.joint, self.end = "\n", ""
        self.message: Callable[[list[str], bytes], bytes] | None = None
        self.mac: Callable[[bytes, bytes], bytes] = lambda key, message: hmac.digest(key, message, "sha256")
        self.spell: Callable[[bytes], str] = lambda mac: "sha256=" + mac.hex()
        self.headers: list[Callable[[list[tuple[str, str]]], list[tuple[str, str]]]] = []

    def send(self) -> tuple[list[tuple[str, str]], bytes]:
        """Give the headers and the body as they arrive."""
        key = _through(self.secret.encode(), self.key)
        body = _through(self.text, self.signed)
        if self.sent_key_id == "":
            self.sent_key_id = key_id(key if self.own_key_id else self.secret.encode())
        signature = self._signature("request", self.sent_key_id or "-", str(self.now), NONCE, key, body)
        headers = [
            ("Content-Type", "application/json"),
            ("X-RP-Api-Key", self.api_key),
            ("X-RP-Timestamp", str(self.now)),
        ]
        headers += [("X-RP-Nonce", NONCE), ("X-RP-Signature", signature)]
        if self.sent_key_id is not None:
            headers.append(("X-RP-Key-Id", self.sent_key_id))
        return _through(headers, self.headers), _through(self.text, self.transit)

    def send_event(self) -> dict[str, Any]:
        """Give the value as an event with its own signature, as it arrives."""
        key = _through(self.secret.encode(), self.key)
        body = _through(self.text, self.signed)
        named = key_id(key if self.own_key_id else self.secret.encode())
        return {**self.value, MEMBER: self._signature("event", named, "-", "-", key, body)}

    def _signature(self, purpose: str, named: str, timestamp: str, nonce: str, key: bytes, body: bytes) -> str:
        lines = ["RP1-HMAC-SHA256", purpose, api_key_id(self.signed_api_key), named, timestamp, nonce]
        lines += [str(len(body)), hashlib.sha256(body).hexdigest()]
        for change in self.lines:
            lines = change(lines, body)
        message = (self.joint.join(lines) + self.end).encode()
        if self.message is not None:
            message = self.message(lines, body)
        return self.spell(self.mac(key, message))


def _through(value: Any, changes: list[Callable[[Any], Any]]) -> Any:
    for change in changes:
        value = change(value)
    return value


def sign_event(
    event: dict[str, Any],
    *,
    write: Callable[[dict[str, Any]], bytes] = canonical,
    key: bytes = SECRET.encode(),
    api_key: str = API_KEY,
    named: str | None = None,
    purpose: str = "event",
) -> str:
    """Give an event's signature, made from however its text was written."""
    text = write(event)
    lines = ["RP1-HMAC-SHA256", purpose, api_key_id(api_key), named or key_id(key), "-", "-", str(len(text))]
    message = "\n".join([*lines, hashlib.sha256(text).hexdigest()]).encode()
    return "sha256=" + hmac.digest(key, message, "sha256").hex()
