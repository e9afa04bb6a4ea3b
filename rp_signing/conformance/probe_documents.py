"""Probes of the form of answers: every answer of the run so far is looked at (SPEC §9, RSN-1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from .. import wire
from ..errors import Reason
from .probe_visit import Differs, Exchange, Probe, Visit
from .probe_wants import document_of

__all__ = ["PROBES"]

_PROBLEM = "application/problem+json"
# What is found out before the body has to be there (SPEC §6.1, steps 1 to 3), or without it.
_EARLY = {
    *(reason.public_code for reason in Reason if reason.status in (400, 404, 405, 408, 413, 415)),
    *(Reason.API_KEY_MISSING, Reason.API_KEY_UNKNOWN, Reason.SIGNATURE_MISSING),
} - {Reason.BATCH_TOO_LONG}

Fault = tuple[str, Any, Any]
"""What differs, what is wanted, what came."""


def _of_all(judge: Callable[[Visit, Exchange], Fault | None], refusals: bool = True) -> Callable[[Visit], None]:
    """Give what looks at every answer that a probe got, and at a few of its own where there was none."""

    def run(visit: Visit) -> None:
        if not _of_kind(visit, refusals):
            _be_refused(visit)
        kind = "a refusal" if refusals else "a receipt"
        if not _of_kind(visit, refusals):
            raise Differs(kind, "none came", "status", f"no answer of the run was {kind}, so there is none to look at")
        for exchange in _of_kind(visit, refusals):
            _hold(visit, exchange, judge(visit, exchange))

    return run


def _hold(visit: Visit, exchange: Exchange, fault: Fault | None) -> None:
    if fault is not None:
        differs, wanted, got = fault
        detail = f"the answer to {exchange.probe}, a {exchange.reply.status}, is wrong in {differs}"
        raise Differs(wanted, visit.redacted(got), differs, detail)


def _of_kind(visit: Visit, refusals: bool) -> list[Exchange]:
    seen = [exchange for exchange in visit.seen if not exchange.plain]
    return [exchange for exchange in seen if (exchange.reply.status >= 400) is refusals]


def _be_refused(visit: Visit) -> None:
    """Ask for one refusal of each kind, and for one receipt."""
    sender = visit.sender
    right = sender.request()
    zeros = "sha256=" + "0" * 64
    for request in (
        right.without(wire.NONCE),
        right.having(wire.SIGNATURE, zeros),
        sender.request(b"{"),
        sender.request(sender.body(messageId="no message id")),
        sender.request(sender.batch([{**sender.event(), wire.SIGNATURE_MEMBER: zeros}]), "batch"),
        right._replace(path="/v1/page"),
        right,
        right,
    ):
        visit.ask(request)


def _media_type(exchange: Exchange, wanted: str) -> Fault | None:
    got = exchange.reply.field("content-type")
    return None if (got or "").partition(";")[0].strip().lower() == wanted else ("content-type", wanted, got)


def _problem_type(_: Visit, exchange: Exchange) -> Fault | None:
    return _media_type(exchange, _PROBLEM)


def _problem_members(_: Visit, exchange: Exchange) -> Fault | None:
    document = document_of(exchange.reply)
    if document is None:
        return "document", "a JSON object, strictly", exchange.reply.body[:80].decode("latin-1")
    if document.get("status") != exchange.reply.status:
        return "status", exchange.reply.status, document.get("status")
    for name in ("title", "detail", "code", "request_id"):
        if not isinstance(document.get(name), str) or not document[name]:
            return name, "text", document.get(name)
    if document["code"] not in {reason.public_code for reason in Reason}:
        return "code", "a public code of SPEC §6.3", document["code"]
    errors = document.get("errors")
    if errors is not None and not _well_formed(errors):
        return "errors", "a list of index, reason, pointer, detail", str(errors)[:80]
    return None


def _well_formed(errors: Any) -> bool:
    kinds = {"index": int, "reason": str, "pointer": str, "detail": str}
    return isinstance(errors, list) and all(
        isinstance(fault, dict) and all(type(fault.get(name)) is kind for name, kind in kinds.items())
        for fault in errors
    )


def _retry_after(_: Visit, exchange: Exchange) -> Fault | None:
    got = exchange.reply.field("retry-after")
    if exchange.reply.status in (429, 503) and not re.fullmatch(r"[0-9]+", got or "", re.ASCII):
        return "retry-after", "seconds", got
    return None


def _problem_form(visit: Visit, exchange: Exchange) -> Fault | None:
    return _problem_members(visit, exchange) or _retry_after(visit, exchange)


def _server_time(visit: Visit, exchange: Exchange) -> Fault | None:
    got = (document_of(exchange.reply) or {}).get("server_time")
    now = visit.sender.clock.latest()
    # A run takes less than the past of the window: whoever told its time before tells one near it.
    if type(got) is not int or not now - 300 <= got <= now + 5:
        return "server_time", "whole Unix seconds", got
    return None


def _received(_: Visit, exchange: Exchange) -> Fault | None:
    document = document_of(exchange.reply) or {}
    body = exchange.request.body
    wanted = {"sha256": sha256(body).hexdigest(), "length": len(body)}
    if "received" not in document:
        return None if document.get("code") in _EARLY else ("received", wanted, None)
    got = document["received"]
    if not isinstance(got, dict) or {name: got.get(name) for name in wanted} != wanted:
        return "received", wanted, got
    return None


def _hides(visit: Visit, exchange: Exchange) -> Fault | None:
    """Neither a credential nor a MAC that was not sent stands in an answer, in whatever member or header."""
    reply = exchange.reply
    text = (reply.head + reply.body).decode("latin-1")
    if any(hidden in text for hidden in visit.hidden()):
        return "telling a credential", "no secret and no api key in an answer", "one stands there"
    sent = str(exchange.request.fields) + exchange.request.body.decode("latin-1")
    if visit.macs_in(text) - visit.macs_in(sent):
        return "telling an expected MAC", "no MAC in an answer that was not sent", "one stands there"
    return None


def _receipt(_: Visit, exchange: Exchange) -> Fault | None:
    document = document_of(exchange.reply)
    if document is None:
        return "document", "a JSON object, strictly", exchange.reply.body[:80].decode("latin-1")
    for name, kind in {"stored": int, "duplicates": int, "trust": str, "received_at": int, "server_time": int}.items():
        if type(document.get(name)) is not kind:
            return name, "a text" if kind is str else "a whole number", document.get(name)
    if not isinstance(document.get("request_id"), str) or not document["request_id"]:
        return "request_id", "text", document.get("request_id")
    return _media_type(exchange, wire.MEDIA_TYPE)


PROBES: list[Probe] = [
    Probe("problem-media-type", ("RSN-1",), f"the Content-Type of every refusal, {_PROBLEM}",
          "Its refusals are no problem documents.", _of_all(_problem_type)),
    Probe("problem-form", ("RSN-1",), "the members of every refusal, and Retry-After of every 429 and 503",
          "Its refusals lack a member that clients read.", _of_all(_problem_form)),
    Probe("problem-server-time", ("RSN-1",), "server_time of every refusal",
          "It does not tell its time, so that a sender with a wrong clock never learns of it.",
          _of_all(_server_time)),
    Probe("problem-received", ("RSN-1", "INP-3"), "received of every refusal: digest and length of the body",
          "It says something else of the body than what it received, so that nobody finds who altered it.",
          _of_all(_received)),
    Probe("answers-hide-credentials", ("RSN-1",), "secret, api key and expected MACs, looked for in every refusal",
          "It tells a stranger a credential, or the MAC that it expected.", _of_all(_hides)),
    Probe("receipt-form", ("EVT-7", "EVT-8"), "the members of every receipt",
          "Its receipts lack a member that clients read.", _of_all(_receipt, refusals=False)),
]  # fmt: skip
