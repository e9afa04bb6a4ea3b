"""The second implementation: event signatures, written from SPEC.md §5 and §6.2 alone."""

from __future__ import annotations

from typing import Any

from second_json import Refused, canonical
from second_wire import api_key_id, entry_of, equal, fits, key_id, mac, signing_input


def bare(event: dict[str, Any]) -> dict[str, Any]:
    """The event without its signature."""
    return {name: value for name, value in event.items() if name != "integrity_signature"}


def covered_bytes(event: dict[str, Any]) -> bytes:
    """What an event's signature covers."""
    return canonical(bare(event))


def event_input(event: dict[str, Any], api_key: str, secret: str) -> bytes:
    """The eight lines of an event."""
    return signing_input("event", api_key_id(api_key), key_id(secret), "-", "-", covered_bytes(event))


def event_signature(event: dict[str, Any], api_key: str, secret: str) -> str:
    """The member `integrity_signature`."""
    return "sha256=" + mac(secret, event_input(event, api_key, secret))


def signed_event(event: dict[str, Any], api_key: str, secret: str) -> dict[str, Any]:
    """The event with its signature."""
    return {**event, "integrity_signature": event_signature(event, api_key, secret)}


def unsigned(event: dict[str, Any]) -> None:
    """What is signed already is not signed again."""
    if "integrity_signature" in event:
        raise Refused("already_signed")


def in_time(vector: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether a retired secret still verifies what was received then."""
    return bool(vector["at_rest"] and vector["received_at"] <= old["until"])


def usable(vector: dict[str, Any], entry: dict[str, Any]) -> list[str]:
    """The secrets that may have signed an event."""
    secrets = list(entry["secrets"])
    secrets += [old["secret"] for old in entry.get("retired", []) if in_time(vector, old)]
    if vector["key_id"] is None:
        return secrets
    secrets = [secret for secret in secrets if key_id(secret) == vector["key_id"]]
    if not secrets:
        raise Refused("key_id_unknown")
    return secrets


def an_object(event: Any) -> None:
    """An event is an object."""
    if not isinstance(event, dict):
        raise Refused("event_invalid")


def member(event: dict[str, Any]) -> str:
    """The event's signature, as it must be written."""
    signature = event["integrity_signature"]
    if not isinstance(signature, str) or not fits("signature", signature):
        raise Refused("event_signature_mismatch")
    return signature


def verified_event(vector: dict[str, Any], event: Any) -> str:
    """SPEC.md §6.2: the key id that verifies, or Refused."""
    an_object(event)
    canonical(event)
    entry = entry_of(vector["keys"], vector["api_key"])
    if "integrity_signature" not in event:
        raise Refused("event_signature_missing")
    signature = member(event)
    for secret in usable(vector, entry):
        if equal(event_signature(event, vector["api_key"], secret), signature):
            return key_id(secret)
    raise Refused("event_signature_mismatch")
