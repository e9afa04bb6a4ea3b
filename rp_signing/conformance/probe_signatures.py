"""Probes of what the MAC covers, who may sign, and when (SPEC §5, §6.1 steps 4 to 8)."""

from __future__ import annotations

import json
import secrets as randomness
from typing import Any

from .. import grammar, wire
from ..canonical import canonicalize, parse
from ..errors import Reason
from ..keys import Secret, secret_text
from ..replay import FUTURE, PAST
from .probe_sender import Request, Sender
from .probe_visit import Differs, Probe, Visit, asks
from .probe_wants import document_of, refused

__all__ = ["PROBES"]

_INVALID = refused(Reason.SIGNATURE_MISMATCH)
_UNCHECKED = "It does not check the MAC, or not against these bytes."
_SLACK = 5  # seconds by which a request may be under way, at the edge of the window that moves


def _stranger() -> Secret:
    return Secret(secret_text(randomness.token_bytes(32), live=False))


def _having_body(sender: Sender, body: bytes) -> Request:
    """A request that was signed over one body and carries another."""
    return sender.request()._replace(body=body)


def _longer(sender: Sender) -> Request:
    request = sender.request()
    return request._replace(body=request.body + b"\n")


def _altered_body(sender: Sender) -> Request:
    request = sender.request(sender.body(properties={"total": 100}))
    return request._replace(body=request.body.replace(b'"total":100', b'"total":900'))


def _reserialized(sender: Sender) -> Request:
    request = sender.request()
    return request._replace(body=json.dumps(parse(request.body), indent=1).encode())


def _canonical_signed(sender: Sender) -> Request:
    spaced = json.dumps(parse(sender.body())).encode()
    return sender.request(canonicalize(parse(spaced)))._replace(body=spaced)


def _later(sender: Sender) -> Request:
    request = sender.request()
    return request.having(wire.TIMESTAMP, str(int(request.value(wire.TIMESTAMP)) - 1))


def _mac(change: Any) -> Any:
    """A request whose MAC is changed."""

    def build(sender: Sender) -> Request:
        request = sender.request()
        return request.having(wire.SIGNATURE, "sha256=" + change(request.value(wire.SIGNATURE)[7:]))

    return build


def _flip(digit: str) -> str:
    return "0" if digit != "0" else "1"


def _mac_of_the_body(sender: Sender) -> Request:
    request = sender.request()
    return request.having(wire.SIGNATURE, grammar.spell_mac(sender.secret.mac(request.body)))


def _mac_of_the_event(sender: Sender) -> Request:
    request = sender.request()
    return request.having(wire.SIGNATURE, parse(request.body)[wire.SIGNATURE_MEMBER])


def _stale_and_wrong(sender: Sender) -> Request:
    request = sender.request(timestamp=sender.clock.earliest() - 3600)
    return request.having(wire.SIGNATURE, "sha256=" + "0" * 64)


def _unknown_key_id(sender: Sender) -> Request:
    return sender.request(key_id=randomness.token_hex(8))


def _other_api_key(sender: Sender) -> Request:
    other = "rpx_test_" + randomness.token_urlsafe(16)
    return sender.request(api_key=other).having(wire.API_KEY, sender.api_key)


def _tell_apart(visit: Visit) -> None:
    """An unknown key id and a wrong MAC get one and the same answer."""
    sender = visit.sender
    body = sender.body()
    told: list[Any] = []
    for request in (sender.request(body, secret=_stranger()), _mac(lambda mac: "0" * 64)(sender)._replace(body=body)):
        reply = visit.expect(request, _INVALID)
        document = document_of(reply) or {}
        changing = ("request_id", "server_time")
        told.append({name: value for name, value in document.items() if name not in changing})
        told[-1]["headers"] = sorted(name for name, _ in reply.fields)
    if told[0] != told[1]:
        differs = next(name for name in {**told[0], **told[1]} if told[0].get(name) != told[1].get(name))
        got = visit.redacted([answer.get(differs) for answer in told])
        differs = visit.redacted(differs)
        detail = f"the two answers differ in {differs}, so a stranger can tell which key ids are active"
        raise Differs("the same answer to an unknown key id and to a wrong MAC", got, differs, detail)


PROBES: list[Probe] = [
    asks("body-altered", "INP-3 VER-7", "a body in which one byte was changed", _UNCHECKED, _altered_body, _INVALID),
    asks("body-longer", "INP-3 VER-7", "a body with a line feed more", "It trims the body before it verifies.",
         _longer, _INVALID),
    asks("body-other", "INP-3 VER-7", "the body of another request", _UNCHECKED,
         lambda sender: _having_body(sender, sender.body()), _INVALID),
    asks("body-reserialized", "VER-13 INP-3", "a body written again with other spaces",
         "It takes a re-serialised body unasked.", _reserialized, _INVALID),
    asks("signed-canonical-form", "VER-13 INP-3", "the MAC of the canonical form of a body that is not canonical",
         "It hashes the canonical form of a request's body instead of its bytes.", _canonical_signed, _INVALID),
    asks("timestamp-altered", "INP-1 VER-7", f"{wire.TIMESTAMP} a second earlier than the signed one",
         "The timestamp is not part of its signing input.", _later, _INVALID),
    asks("nonce-altered", "INP-1 VER-7", f"{wire.NONCE} another than the signed one",
         "The nonce is not part of its signing input.",
         lambda sender: sender.request().having(wire.NONCE, sender.nonce()), _INVALID),
    asks("key-id-taken-out", "INP-1 VER-7", f"a request signed with {wire.KEY_ID}, which was taken out",
         "The key id is not part of its signing input.",
         lambda sender: sender.request().without(wire.KEY_ID), _INVALID),
    asks("key-id-put-in", "INP-1 VER-7", f"a request signed without {wire.KEY_ID}, which was put in",
         "The key id is not part of its signing input.",
         lambda sender: sender.request(key_id=None).having(wire.KEY_ID, sender.secret.key_id), _INVALID),
    asks("api-key-id-other", "INP-1 VER-7", "the api key id of another api key in the signing input",
         "The api key id is not part of its signing input.", _other_api_key, _INVALID),
    asks("purpose-event", "INP-1 VER-7", "a signing input that says event",
         "The purpose is not part of its signing input.", lambda sender: sender.request(purpose="event"), _INVALID),
    asks("mac-of-the-event", "INP-1 VER-7", "the event's signature as the request's",
         "It takes an event's MAC for a request.", _mac_of_the_event, _INVALID),
    asks("mac-of-the-body-alone", "INP-1 VER-7", "HMAC-SHA256 of the body instead of the eight lines",
         "It takes the MAC of the body alone, without timestamp and nonce.", _mac_of_the_body, _INVALID),
    asks("mac-first-digit", "VER-7", "a MAC whose first digit is another", "It compares a part of the MAC.",
         _mac(lambda mac: _flip(mac[0]) + mac[1:]), _INVALID),
    asks("mac-last-digit", "VER-7", "a MAC whose last digit is another", "It compares a part of the MAC.",
         _mac(lambda mac: mac[:-1] + _flip(mac[-1])), _INVALID),
    asks("mac-zeros", "VER-7", "a MAC of zeros", _UNCHECKED, _mac(lambda _: "0" * 64), _INVALID),
    asks("secret-other", "VER-6 VER-7", "a request signed under another secret, with its key id",
         "It looks for no secret by key id, or does not check the MAC.",
         lambda sender: sender.request(secret=_stranger()), _INVALID),
    asks("secret-other-without-key-id", "VER-7", f"a request signed under another secret, without {wire.KEY_ID}",
         _UNCHECKED, lambda sender: sender.request(secret=_stranger(), key_id=None), _INVALID),
    asks("secret-other-right-key-id", "VER-7", "a request signed under another secret, with the right key id",
         _UNCHECKED, lambda sender: sender.request(secret=_stranger(), key_id=sender.secret.key_id), _INVALID),
    asks("key-id-unknown", "VER-6 RSN-1", f"{wire.KEY_ID} of no secret, in the signing input too",
         "It ignores the key id and tries every secret, or tells a stranger which key ids are active.",
         _unknown_key_id, _INVALID),
    Probe("strangers-cannot-tell", ("RSN-1",), "an unknown key id, and a wrong MAC",
          "It tells a stranger which key ids are active.", _tell_apart),
    asks("api-key-unknown", "VER-4", "an api key that nobody has",
         "It does not look the api key up, or not the whole of it.",
         lambda sender: sender.request(api_key="rpx_test_" + randomness.token_urlsafe(16)),
         refused(Reason.API_KEY_UNKNOWN)),
    asks("api-key-longer", "VER-4", "the api key with one character more",
         "It compares a part of the api key.",
         lambda sender: sender.request(api_key=sender.api_key[:128] + "0"), refused(Reason.API_KEY_UNKNOWN)),
    asks("timestamp-expired", "WIN-1 VER-8", f"a timestamp {PAST + 1} seconds old",
         "It takes a timestamp that is too old.",
         lambda sender: sender.request(timestamp=sender.clock.earliest() - PAST - 1),
         refused(Reason.TIMESTAMP_EXPIRED)),
    asks("timestamp-long-expired", "WIN-1 VER-8", "a timestamp of 2001", "It takes a timestamp that is too old.",
         lambda sender: sender.request(timestamp=1_000_000_000), refused(Reason.TIMESTAMP_EXPIRED)),
    asks("timestamp-future", "WIN-1 VER-8", f"a timestamp {FUTURE + _SLACK} seconds ahead",
         "It takes a timestamp that lies too far ahead.",
         lambda sender: sender.request(timestamp=sender.clock.latest() + FUTURE + _SLACK),
         refused(Reason.TIMESTAMP_FUTURE)),
    asks("timestamp-far-future", "WIN-1 VER-8", "a timestamp of the year 2286",
         "It takes a timestamp that lies too far ahead, or keeps seconds in 31 bits.",
         lambda sender: sender.request(timestamp=9_999_999_999), refused(Reason.TIMESTAMP_FUTURE)),
    asks("order-mac-before-body", "VER-1", "a wrong MAC, and a body that is no JSON",
         "It parses what nobody has signed.", lambda sender: _having_body(sender, b'{"a":'), _INVALID),
    asks("order-mac-before-window", "VER-2 VER-8", "a wrong MAC, and a timestamp of an hour ago",
         "It checks in another order than SPEC §6.1.", _stale_and_wrong, _INVALID),
    asks("order-window-before-body", "VER-2 VER-9", "a timestamp of an hour ago, and a body that is no JSON",
         "It checks in another order than SPEC §6.1.",
         lambda sender: sender.request(b"{", timestamp=sender.clock.earliest() - 3600),
         refused(Reason.TIMESTAMP_EXPIRED)),
]  # fmt: skip
