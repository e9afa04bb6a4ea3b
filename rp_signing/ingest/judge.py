"""The events of a request that passed the gate: rules, then signatures, every fault at once (SPEC §6.1, step 10)."""

from __future__ import annotations

from typing import Any

from ..canonical import canonicalize_parsed
from ..errors import Reason, VerificationError
from ..events import EventFault, EventsRefused, events_of, judge_events
from ..keys import ApiKey, Secret
from ..replay import Claim
from ..signing import event_signature, match_event, usable_secrets
from ..wire import SIGNATURE_MEMBER
from .store import ReceivedEvent

__all__ = ["judge", "verified"]


def judge(route: str, payload: Any, claim: Claim | None, entry: ApiKey) -> list[ReceivedEvent]:
    """Judge every event of a payload (SPEC EVT-1 to EVT-6).

    Args:
        route: ``track``, ``identify``, ``group`` or ``batch``.
        payload: the parsed body.
        claim: of a signed request; None for an unsigned one.
        entry: what is known of the request's api key.

    Raises:
        EventsRefused: with every bad event. The signature of an event is looked at when its rules hold.
        VerificationError: ``batch_too_long``.
    """
    events = events_of(route, payload)
    faults = judge_events(route, events)
    broken = {fault.index for fault in faults}
    # Nearly always it is the secret that signed the request; the rest keeps its order.
    secrets = sorted(usable_secrets(entry), key=lambda secret: claim is None or secret.key_id != claim.key_id)
    received = []
    for index, event in enumerate(events):
        if index in broken:
            continue
        try:
            received.append(_unsigned(event) if claim is None else verified(event, entry, secrets))
        except VerificationError as error:
            faults.append(EventFault(index, error.reason, error.pointer or "", error.detail))
    if faults:
        raise EventsRefused(sorted(faults, key=lambda fault: fault.index))
    return received


def verified(event: dict[str, Any], entry: ApiKey, secrets: list[Secret]) -> ReceivedEvent:
    """Verify one event that keeps the rules, and give it as it is stored (SPEC §6.2).

    Args:
        event: as parsed, with its ``integrity_signature``; it is not changed.
        entry: what is known of the request's api key.
        secrets: those that may have signed it, the likeliest first.

    Raises:
        VerificationError: ``event_signature_missing``, ``event_signature_mismatch``.
    """
    unsigned = event.copy()
    signature = unsigned.pop(SIGNATURE_MEMBER, None)
    covered = canonicalize_parsed(unsigned)
    try:
        key_id = match_event(covered, signature, entry, secrets)
    except (TypeError, VerificationError):
        event_signature(event)  # refuses what is no signature at all: it is not there, or spelled otherwise
        raise
    return ReceivedEvent(event["messageId"], event["type"], covered.decode(), signature, key_id)


def _unsigned(event: dict[str, Any]) -> ReceivedEvent:
    if SIGNATURE_MEMBER in event:
        raise VerificationError(
            Reason.SIGNATURE_MISSING,
            "the event is signed, but the request is not: sign it too, or leave the member out",
            "/" + SIGNATURE_MEMBER,
        )
    return ReceivedEvent(event["messageId"], event["type"], canonicalize_parsed(event).decode(), None, None)
