"""What the endpoint answered → a receipt, or an error that names the cause (SPEC §9). Knows no input or output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import ceil, floor
from typing import Any

from ..canonical import parse
from ..errors import CanonicalizationError, Reason
from .credentials import Credentials
from .errors import (
    BodyAltered,
    ClockSkew,
    IngestUnavailable,
    NotDelivered,
    PayloadRefused,
    Replayed,
    RequestRefused,
    SignatureRemoved,
    WrongSecret,
)
from .prepared import Outgoing

__all__ = ["MAX_REPLY", "Receipt", "Reply", "cut_off", "no_answer", "read_reply"]

MAX_REPLY = 1024 * 1024
"""Bytes of an answer that are read at the most."""

_AGAIN = "the events may or may not be stored; send(error.prepared) is safe, nothing is stored twice"
_SEND = "send(error.prepared) sends the same events"
_LOOK = "is base_url right, and the endpoint up?"
# What httpcore2 and httpx2 alike raise before the first byte of a request → what to look at.
_NOTHING_SENT = {
    "ConnectError": _LOOK,
    "ConnectTimeout": _LOOK,
    "ProxyError": "the proxy lets nothing through; are its URL, user and password right, and may it reach base_url?",
    "PoolTimeout": "every connection was busy with another call; send less at once, or make a second client;",
}
_UNTRUSTED = "its certificate is not trusted here; SSL_CERT_FILE or verify= adds an authority, base_url has the name;"
_SECONDS = re.compile("[0-9]{1,9}")
_PAGE = re.compile(r"https?://[!-~]{1,400}")
# 413 and 422, as the endpoint answers them, are about the payload; so is a messageId that is taken.
_OF_PAYLOAD = {reason.public_code for reason in Reason if reason.status in (413, 422)} | {Reason.MESSAGE_ID_CONFLICT}


@dataclass(frozen=True, slots=True)
class Receipt:
    """The events of one call are stored durably.

    Attributes:
        message_ids: the events' own names, in order.
        trust: ``high``, or ``standard`` for unsigned events.
        stored: how many are stored by this call.
        duplicates: how many were stored before.
        received_at: Unix seconds by the server's clock.
        request_id: the server's name for the request.
        skew: seconds, the server's clock less the own one: + means that the own clock is behind.
    """

    message_ids: list[str]
    trust: str
    stored: int
    duplicates: int
    received_at: int
    request_id: str
    skew: int


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An answer as it came. It may hold anything, so its repr does not show it.

    Attributes:
        status: the HTTP status.
        headers: name → value, looked up without regard to case.
        body: bytes; None where it was longer than `MAX_REPLY`.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    def __repr__(self) -> str:
        return f"<Reply {self.status}>"


def no_answer(outgoing: Outgoing, credentials: Credentials, cause: BaseException) -> IngestUnavailable:
    """Say that no answer came, and what the HTTP client said, as text."""
    name = type(cause).__name__
    said = credentials.scrub(f"{name}: {cause}".rstrip(": "))
    look = _UNTRUSTED if "CERTIFICATE_VERIFY_FAILED" in said else _NOTHING_SENT.get(name)
    unsent = f"no connection ({said}); nothing was sent: {look} {_SEND}"
    told = f"no answer ({said}); {_AGAIN}" if look is None else unsent
    return IngestUnavailable(told, prepared=outgoing.prepared)


def cut_off(outgoing: Outgoing, credentials: Credentials, status: int, cause: BaseException) -> IngestUnavailable:
    """Say that an answer began and did not end."""
    said = credentials.scrub(f"{type(cause).__name__}: {cause}".rstrip(": "))
    return IngestUnavailable(
        f"the answer, status {status}, was cut off ({said}); {_AGAIN}", prepared=outgoing.prepared, status=status
    )


def read_reply(outgoing: Outgoing, reply: Reply, credentials: Credentials) -> Receipt | NotDelivered:
    """Give the receipt, or the error for an answer that is none for these very events.

    The error is not raised here: an answer may hold anything, and a traceback keeps the frames that it went through.

    Args:
        outgoing: what was sent.
        reply: what came back.
        credentials: those that it was sent with; their clock is what the server's is compared with.
    """
    document = _document(reply)
    server_time = _whole(document, "server_time")
    request_id = document.get("request_id")
    known = {
        "prepared": outgoing.prepared,
        "status": reply.status,
        "request_id": credentials.scrub(request_id) if isinstance(request_id, str) else None,
        "skew": None if server_time is None else server_time - floor(credentials.now()),
    }
    if not 200 <= reply.status < 300:
        return _refusal(outgoing, reply, document, credentials, known)
    return _receipt(outgoing, reply, document, credentials, known)


def _receipt(
    outgoing: Outgoing, reply: Reply, document: dict[str, Any], credentials: Credentials, known: dict[str, Any]
) -> Receipt | NotDelivered:
    prepared = outgoing.prepared
    stored, duplicates = _whole(document, "stored"), _whole(document, "duplicates")
    received_at, trust = _whole(document, "received_at"), document.get("trust")
    if (
        reply.status != 202
        or stored is None
        or duplicates is None
        or received_at is None
        or known["skew"] is None
        or known["request_id"] is None
        or trust not in ("high", "standard")
    ):
        return _unreadable(f"status {reply.status} without the receipt that belongs to it: {_stranger(reply)}", known)
    if stored + duplicates != len(prepared.message_ids):
        said = f"{stored:,} stored and {duplicates:,} duplicates of {len(prepared.message_ids):,} events"
        return _unreadable(f"the receipt says {said}", known)
    if credentials.signs and trust != "high":
        return SignatureRemoved(
            "the events were signed, and stored with trust standard: something between took the signature off", **known
        )
    return Receipt(prepared.message_ids, trust, stored, duplicates, received_at, known["request_id"], known["skew"])


def _unreadable(what: str, known: dict[str, Any]) -> IngestUnavailable:
    return IngestUnavailable(f"{what}; {_AGAIN}", **known)


def _refusal(
    outgoing: Outgoing, reply: Reply, document: dict[str, Any], credentials: Credentials, known: dict[str, Any]
) -> NotDelivered:
    """Find the error for an answer that is no success."""
    code = document.get("code")
    known["code"] = code = credentials.scrub(code) if isinstance(code, str) else None
    known["retry_after"] = _retry_after(reply.headers, credentials.now())
    page = document.get("type")
    known["page"] = credentials.scrub(page) if isinstance(page, str) and _PAGE.fullmatch(page) else None
    said = _said(reply, document, credentials, known)
    if reply.status in (408, 429) or reply.status >= 500:
        return IngestUnavailable(f"{said}; send(error.prepared) sends the events again", **known)
    if 300 <= reply.status < 400:
        target = credentials.scrub(reply.headers.get("location", "nowhere"))
        return RequestRefused(f"{said}; a redirect to {target} is not followed: correct the base URL", **known)
    received = document.get("received")
    if isinstance(received, dict):
        length, digest = _whole(received, "length"), received.get("sha256")
        if length is not None and isinstance(digest, str) and (length, digest) != (len(outgoing.body), outgoing.digest):
            text = f"the body was altered on its way: sent {len(outgoing.body):,} bytes, received {length:,}; {said}"
            return BodyAltered(text, sent_length=len(outgoing.body), received_length=length, **known)
    return _refusal_by_code(code, said, document, credentials, known)


def _refusal_by_code(
    code: str | None, said: str, document: dict[str, Any], credentials: Credentials, known: dict[str, Any]
) -> NotDelivered:
    if code in (Reason.TIMESTAMP_EXPIRED, Reason.TIMESTAMP_FUTURE):
        skew = known["skew"]
        behind = "by an unknown time" if skew is None else f"by {skew:+,} s (+: the own clock is behind)"
        return ClockSkew(f"the own clock differs from the server's {behind}; {said}", **known)
    if code == Reason.SIGNATURE_MISMATCH.public_code and credentials.key_id is not None:
        text = f"the server holds another secret for this api key (ours {credentials.key_id}, theirs unknown); {said}"
        return WrongSecret(text, key_id=credentials.key_id, **known)
    if code == Reason.REPLAYED:
        return Replayed(
            f"an earlier copy of this request has arrived: something between sent it twice. Most likely that one is "
            f"stored; send(error.prepared), signed anew, is safe and tells; {said}",
            **known,
        )
    if code in _OF_PAYLOAD:
        return PayloadRefused(said, errors=_errors(document, credentials), **known)
    return RequestRefused(said, **known)


def _said(reply: Reply, document: dict[str, Any], credentials: Credentials, known: dict[str, Any]) -> str:
    """Put the server's own words into one sentence."""
    parts = [f"the answer is {reply.status}"]
    if known["code"]:
        parts.append(f" {known['code']}")
    for name in ("detail", "pointer"):
        if isinstance(document.get(name), str) and document[name]:
            parts.append(f"{': ' if name == 'detail' else ' at '}{credentials.scrub(document[name])}")
    if known["request_id"]:
        parts.append(f" (request {known['request_id']})")
    elif not document:
        parts.append(f" without a problem document: {_stranger(reply)}")
    return "".join(parts)


def _stranger(reply: Reply) -> str:
    """Ask what may stand behind an answer that is not as the endpoint answers."""
    if reply.headers.get("content-encoding", "identity") != "identity":
        return "it is compressed, which was not asked for; does a proxy do that?"
    if reply.status == 407:
        return "it is a proxy's; are user and password in its URL, and right?"
    return "did something other than the endpoint answer?"


def _document(reply: Reply) -> dict[str, Any]:
    try:
        value = parse(reply.body or b"", MAX_REPLY)
    except CanonicalizationError:
        return {}
    return value if isinstance(value, dict) else {}


def _errors(document: dict[str, Any], credentials: Credentials) -> list[dict[str, Any]]:
    errors = document.get("errors")
    return [
        {
            "index": error["index"],
            **{name: credentials.scrub(str(error.get(name, ""))) for name in ("reason", "pointer", "detail")},
        }
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict) and _whole(error, "index") is not None
    ]


def _whole(document: dict[str, Any], name: str) -> int | None:
    value = document.get(name)
    return value if type(value) is int and value >= 0 else None


def _retry_after(headers: Mapping[str, str], now: float) -> int | None:
    """Read seconds, or a date as proxies write it (RFC 9110 §10.2.3): by their own clock where they tell it."""
    text = headers.get("retry-after", "")
    if _SECONDS.fullmatch(text):
        return int(text)
    until = _moment(text)
    return None if until is None else max(0, ceil(until - (_moment(headers.get("date", "")) or now)))


def _moment(date: str) -> float | None:
    """Read an HTTP date as Unix seconds; None where it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
