"""Probes of event rules and event signatures, alone and in batches; every request is signed rightly (SPEC §9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import wire
from ..canonical import canonicalize
from ..errors import Reason
from ..events import MAX_BATCH
from .probe_sender import Request, Sender
from .probe_visit import Probe, Visit, asks
from .probe_wants import Want, refused, taken

__all__ = ["PROBES"]

_MEMBER = "/" + wire.SIGNATURE_MEMBER
_TAKEN_UNSIGNED = "In a signed request it takes an event whose own signature is not right."


def _bad(reason: Reason, pointer: str) -> Want:
    return refused(reason, pointer, (0, pointer))


def _event(route: str = "track", *without: str, **members: Any) -> Callable[[Sender], Request]:
    """An event with members more and fewer, signed with them."""

    def build(sender: Sender) -> Request:
        event = {name: value for name, value in sender.event(**members).items() if name not in without}
        return sender.request(canonicalize(sender.signed(event)), route)

    return build


def _signature(change: Callable[[str], Any]) -> Callable[[Sender], Request]:
    """An event whose signature is changed."""

    def build(sender: Sender) -> Request:
        event = sender.signed(sender.event())
        mac = event[wire.SIGNATURE_MEMBER]
        return sender.request(canonicalize({**event, wire.SIGNATURE_MEMBER: change(mac)}))

    return build


def _altered(sender: Sender) -> Request:
    return sender.request(canonicalize({**sender.signed(sender.event()), "userId": "another"}))


def _other_api_key(sender: Sender) -> Request:
    stranger = Sender("rpx_test_another-api-key", sender.secret)
    return sender.request(canonicalize(stranger.signed(sender.event())))


def _signed_in_unsigned(sender: Sender) -> Request:
    return sender.unsigned(sender.body())


def _payload(value: Any, route: str = "track") -> Callable[[Sender], Request]:
    return lambda sender: sender.request(canonicalize(value), route)


def _too_many(sender: Sender) -> Request:
    return sender.request(sender.batch([sender.signed(sender.event()) for _ in range(MAX_BATCH + 1)]), "batch")


def _unknown_beside(sender: Sender) -> Request:
    return sender.request(sender.batch([sender.signed(sender.event())], trust="high"), "batch")


def _all_or_nothing(visit: Visit) -> None:
    """A batch with bad events names each of them, and the good ones beside them are not there afterwards."""
    sender = visit.sender
    good = [sender.signed(sender.event()) for _ in range(2)]
    unsigned, nameless = sender.event(), sender.signed(sender.event(messageId="no message id"))
    body = sender.batch([good[0], unsigned, good[1], nameless])
    named = ((1, "event_signature_missing", _MEMBER), (3, "event_invalid", "/messageId"))
    wanted = Want(422, {"code": "event_signature_missing"}, named)
    visit.expect(sender.request(body, "batch"), wanted, step="the batch")
    for event in good:
        visit.expect(sender.request(canonicalize(event)), taken(), step="a good event of it, sent afterwards")


def _conflict_stores_nothing(visit: Visit) -> None:
    sender = visit.sender
    old, new = sender.event(), sender.signed(sender.event())
    visit.expect(sender.request(canonicalize(sender.signed(old))), taken(), step="the event")
    other = sender.signed({**old, "userId": "another"})
    wanted = refused(Reason.MESSAGE_ID_CONFLICT, None, (1, "/messageId"))
    visit.expect(sender.request(sender.batch([new, other]), "batch"), wanted, step="the batch with the conflict")
    visit.expect(sender.request(canonicalize(new)), taken(), step="its other event, sent afterwards")


def _duplicate(visit: Visit) -> None:
    sender = visit.sender
    body = sender.body()
    visit.expect(sender.request(body), taken(), step="the event")
    visit.expect(sender.request(body), taken(0, 1), step="the event in a new request")
    event = sender.signed(sender.event())
    visit.expect(sender.request(sender.batch([event, event]), "batch"), taken(1, 1), step="twice in a batch")


def _spelled_otherwise(visit: Visit) -> None:
    sender = visit.sender
    body = sender.body(properties={"a": 1})
    visit.expect(sender.request(body), taken(), step="the event")
    other = body.replace(b'"a":1', b'"\\u0061": 1.0')
    visit.expect(sender.request(other), taken(0, 1), step="the event, spelled otherwise")


def _conflict(visit: Visit) -> None:
    sender = visit.sender
    event = sender.event()
    visit.expect(sender.request(canonicalize(sender.signed(event))), taken(), step="the event")
    other = sender.request(canonicalize(sender.signed({**event, "event": "Another"})))
    visit.expect(other, refused(Reason.MESSAGE_ID_CONFLICT, None, (0, "/messageId")), step="the other content")


_INVALID = Reason.EVENT_INVALID
_LOOSE = "It does not mind a rule of the event table."
_CONVERTED = "It converts a value of another type, or takes null for `not there`."

PROBES: list[Probe] = [
    asks("event-type-of-another-route", "EVT-3", "a track event, to /v1/identify",
         "It does not hold the type against the route.", _event("identify"), _bad(Reason.TYPE_MISMATCH, "/type")),
    asks("event-type-unknown", "EVT-3", "an event of type page", _LOOSE, _event(type="page"), _bad(_INVALID, "/type")),
    asks("event-trust-claimed", "EVT-2 EVT-7", "an event with the member trust",
         "It takes the sender's word for the trust, or as any other member.", _event(trust="high"),
         _bad(Reason.TRUST_CLAIMED, "/trust")),
    asks("event-unknown-member", "EVT-2", "an event with a member that there is not",
         "It drops a member that it does not know.", _event(plan="pro"), _bad(_INVALID, "/plan")),
    asks("event-snake-case", "EVT-2", "an event with user_id beside userId",
         "It takes a second spelling of a member.", _event(user_id="u"), _bad(_INVALID, "/user_id")),
    asks("event-without-message-id", "EVT-1", "an event without messageId", _LOOSE, _event("track", "messageId"),
         _bad(_INVALID, "/messageId")),
    asks("event-without-user", "EVT-1", "an event without userId and anonymousId", _LOOSE, _event("track", "userId"),
         _bad(_INVALID, "/userId")),
    asks("event-message-id-too-long", "EVT-1", "a messageId of 129 characters", _LOOSE, _event(messageId="m" * 129),
         _bad(_INVALID, "/messageId")),
    asks("event-message-id-alphabet", "EVT-1", "a messageId with a slash", _LOOSE, _event(messageId="a/b"),
         _bad(_INVALID, "/messageId")),
    asks("event-number-for-string", "EVT-1", "a userId that is a number", _CONVERTED, _event(userId=42),
         _bad(_INVALID, "/userId")),
    asks("event-null", "EVT-1", "properties that are null", _CONVERTED, _event(properties=None),
         _bad(_INVALID, "/properties")),
    asks("event-date-that-is-none", "EVT-1", "a timestamp of 30 February",
         "It takes a time that does not exist, or in another spelling.", _event(timestamp="2026-02-30T09:00:00Z"),
         _bad(_INVALID, "/timestamp")),
    asks("event-array", "EVT-1 EVS-1", "an array where an event belongs", "It crashes on a value of another shape.",
         _payload([]), _bad(_INVALID, "")),
    asks("event-unsigned", "EVT-6 EVS-1", "an event without a signature, in a signed request", _TAKEN_UNSIGNED,
         lambda sender: sender.request(canonicalize(sender.event())), _bad(Reason.EVENT_SIGNATURE_MISSING, _MEMBER)),
    asks("event-altered", "EVT-6 EVS-3", "an event that was altered after it was signed", _TAKEN_UNSIGNED, _altered,
         _bad(Reason.EVENT_SIGNATURE_MISMATCH, _MEMBER)),
    asks("event-signature-zeros", "EVT-6 EVS-3", "an event with a signature of zeros", _TAKEN_UNSIGNED,
         _signature(lambda _: "sha256=" + "0" * 64), _bad(Reason.EVENT_SIGNATURE_MISMATCH, _MEMBER)),
    asks("event-signature-null", "EVT-6 EVS-2", "an event whose signature is null",
         "It takes a null signature as none to check.", _signature(lambda _: None),
         _bad(Reason.EVENT_SIGNATURE_MISMATCH, _MEMBER)),
    asks("event-signature-upper-case", "EVT-6 EVS-2", "an event whose signature is in upper-case hex",
         "It takes upper-case hex.", _signature(lambda mac: mac[:7] + mac[7:].upper()),
         _bad(Reason.EVENT_SIGNATURE_MISMATCH, _MEMBER)),
    asks("event-of-another-api-key", "EVT-6 EVS-3", "an event signed for another api key",
         "The api key id is not part of its signing input.", _other_api_key,
         _bad(Reason.EVENT_SIGNATURE_MISMATCH, _MEMBER)),
    asks("event-signed-in-unsigned-request", "EVT-6", "a signed event in a request that is not signed",
         "It takes a present but wrong signature as none.", _signed_in_unsigned, refused(Reason.SIGNATURE_MISSING)),
    asks("batch-empty", "EVT-4", "a batch of no events", "It takes a batch that is none.",
         _payload({"batch": []}, "batch"), _bad(_INVALID, "/batch")),
    asks("batch-of-1001", "EVT-4", "a batch of 1,001 events",
         "It counts the events of a batch in another way, or not at all.", _too_many, refused(Reason.BATCH_TOO_LONG)),
    asks("batch-unknown-member", "EVT-4 EVT-2", "a batch with the member trust", "It takes a batch that is none.",
         _unknown_beside, refused(Reason.TRUST_CLAIMED), refused(_INVALID)),
    asks("batch-array", "EVT-4", "an array where a batch belongs", "It takes a batch that is none.",
         _payload([], "batch"), _bad(_INVALID, "")),
    Probe("batch-whole-or-not-at-all", ("EVT-5",), "a batch with two bad events, then its good ones alone",
          "It stores a part of a batch, or names the first bad event only.", _all_or_nothing),
    Probe("batch-with-conflict", ("EVT-5", "EVT-8"), "a batch with a used messageId, then its other event alone",
          "It stores a part of a batch.", _conflict_stores_nothing),
    Probe("message-id-again", ("EVT-8",), "the same event again, in a new request and within a batch",
          "It stores an event twice, or refuses an honest retry.", _duplicate),
    Probe("message-id-again-spelled-otherwise", ("EVT-8", "INP-4"), "the same event again, its JSON written otherwise",
          "It compares events as received instead of their canonical form.", _spelled_otherwise),
    Probe("message-id-conflict", ("EVT-8",), "a used messageId with other content",
          "It drops or overwrites an event whose messageId was used before.", _conflict),
]  # fmt: skip
