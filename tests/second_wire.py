"""The second implementation: ids, signing input, MAC and gate, from SPEC.md §4 to §8 alone."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

from second_json import Refused, canonical, read

NAMES = {
    "api_key": "X-RP-Api-Key",
    "key_id": "X-RP-Key-Id",
    "timestamp": "X-RP-Timestamp",
    "nonce": "X-RP-Nonce",
    "signature": "X-RP-Signature",
}
GRAMMAR = {
    "api_key": r"rpx_(?:live|test)_[A-Za-z0-9_-]{4,120}",
    "key_id": r"[0-9a-f]{16}",
    "timestamp": r"[1-9][0-9]{9}",
    "nonce": r"[A-Za-z0-9_-]{22,64}",
    "signature": r"sha256=[0-9a-f]{64}",
}
MEDIA = re.compile(r'application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE)
Headers = list[list[str]]


def digest(data: bytes) -> str:
    """The SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def api_key_id(api_key: str) -> str:
    """The public id of an api key."""
    return digest(b"rp1-api-key\n" + api_key.encode())[:16]


def key_id(secret: str) -> str:
    """The public id of a secret."""
    return mac(secret, b"rp1-key-id")[:16]


def mac(secret: str, data: bytes) -> str:
    """The HMAC-SHA256 in hex, under the secret's bytes as they are."""
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()


def signing_input(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> bytes:
    """The eight lines."""
    lines = ["RP1-HMAC-SHA256", purpose, api, key, timestamp, nonce, str(len(data)), digest(data)]
    return "\n".join(lines).encode("ascii")


def signed_headers(api_key: str, secret: str, timestamp: str, nonce: str, body: bytes, named: bool = True) -> Headers:
    """The headers of a signed request, in the order of SPEC.md §1."""
    key = key_id(secret) if named else "-"
    covered = signing_input("request", api_key_id(api_key), key, timestamp, nonce, body)
    values = {
        "api_key": api_key,
        "key_id": key,
        "timestamp": timestamp,
        "nonce": nonce,
        "signature": "sha256=" + mac(secret, covered),
    }
    return [[NAMES[k], v] for k, v in values.items() if named or k != "key_id"]


def event_input(event: dict[str, Any], api_key: str, secret: str) -> bytes:
    """The eight lines of an event."""
    bare = {name: value for name, value in event.items() if name != "integrity_signature"}
    return signing_input("event", api_key_id(api_key), key_id(secret), "-", "-", canonical(bare))


def event_signature(event: dict[str, Any], api_key: str, secret: str) -> str:
    """The member `integrity_signature`."""
    return "sha256=" + mac(secret, event_input(event, api_key, secret))


def signed_event(event: dict[str, Any], api_key: str, secret: str) -> dict[str, Any]:
    """The event with its signature."""
    return {**event, "integrity_signature": event_signature(event, api_key, secret)}


def only(headers: Headers, name: str) -> list[str]:
    """All values of a header."""
    return [value for found, value in headers if found.lower() == name.lower()]


def fields(headers: Headers) -> dict[str, str]:
    """Steps 2 and 3: encoding, media type, and the grammar of the five headers."""
    if any(value != "identity" for value in only(headers, "Content-Encoding")):
        raise Refused("encoding_unsupported")
    if not all(MEDIA.fullmatch(value) for value in only(headers, "Content-Type")):
        raise Refused("media_type_unsupported")
    once = [*NAMES.values(), "Content-Type", "Content-Encoding"]
    if any(len(only(headers, name)) > 1 for name in once):
        raise Refused("header_duplicate")
    found = {word: only(headers, name)[0] for word, name in NAMES.items() if only(headers, name)}
    if re.fullmatch("[1-9][0-9]{12}", found.get("timestamp", "")):
        raise Refused("timestamp_unit")
    if not all(re.fullmatch(GRAMMAR[word], value) for word, value in found.items()):
        raise Refused("header_malformed")
    signature = {"timestamp", "nonce", "signature"} & found.keys()
    if len(signature) not in (0, 3) or ("key_id" in found and not signature):
        raise Refused("header_malformed")
    if "api_key" not in found:
        raise Refused("api_key_missing")
    return found


def entry_of(keys: dict[str, Any], api_key: str) -> dict[str, Any]:
    """Step 4: what is known of an api key."""
    for entry in keys["api_keys"]:
        if entry["api_key"] == api_key:
            return dict(entry)
    raise Refused("api_key_unknown")


def attempt(found: dict[str, str], secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """Step 7: the secret that verifies, with its signing input."""
    covered = b""
    for secret in secrets:
        covered = signing_input(
            "request",
            api_key_id(found["api_key"]),
            found.get("key_id", "-"),
            found["timestamp"],
            found["nonce"],
            body,
        )
        if hmac.compare_digest("sha256=" + mac(secret, covered), found["signature"]):
            return secret, covered
    raise Refused("signature_mismatch")


def reserialized(found: dict[str, str], secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """The second try, of those who asked for it."""
    if len(body) > 65_536:
        raise Refused("signature_mismatch")
    try:
        text = canonical(read(body))
    except Refused:
        raise Refused("signature_mismatch") from None
    return attempt(found, secrets, text)[0], text


def gate(vector: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Steps 1 to 9: what is verified, or Refused."""
    if len(body) > vector["max_body"]:
        raise Refused("payload_too_large")
    found = fields(vector["headers"])
    secrets = entry_of(vector["keys"], found["api_key"])["secrets"]
    if "signature" not in found:
        raise Refused("signature_missing")
    if "key_id" in found:
        secrets = [secret for secret in secrets if key_id(secret) == found["key_id"]]
        if not secrets:
            raise Refused("key_id_unknown")
    again, text = False, body
    try:
        secret, _ = attempt(found, secrets, body)
    except Refused:
        if not vector["accept_reserialized"]:
            raise
        secret, text = reserialized(found, secrets, body)
        again = True
    now, timestamp = int(vector["now"].partition(".")[0]), int(found["timestamp"])
    if timestamp < now - vector["past"]:
        raise Refused("timestamp_expired")
    if timestamp > now + vector["future"]:
        raise Refused("timestamp_future")
    read(body)
    return {
        "api_key_id": api_key_id(found["api_key"]),
        "key_id": key_id(secret),
        "timestamp": found["timestamp"],
        "nonce": found["nonce"],
        "length": len(text),
        "digest": digest(text),
        "reserialized": again,
        "live": found["api_key"].startswith("rpx_live_"),
    }


def verified_event(vector: dict[str, Any], event: Any) -> str:
    """SPEC.md §6.2: the key id that verifies, or Refused."""
    if not isinstance(event, dict):
        raise Refused("event_invalid")
    canonical(event)
    entry = entry_of(vector["keys"], vector["api_key"])
    if "integrity_signature" not in event:
        raise Refused("event_signature_missing")
    signature = event["integrity_signature"]
    if not isinstance(signature, str) or not re.fullmatch(GRAMMAR["signature"], signature):
        raise Refused("event_signature_mismatch")
    usable = list(entry["secrets"])
    if vector["key_id"] is not None:
        usable += [
            old["secret"]
            for old in entry.get("retired", [])
            if vector["at_rest"] and vector["received_at"] <= old["until"]
        ]
        usable = [secret for secret in usable if key_id(secret) == vector["key_id"]]
        if not usable:
            raise Refused("key_id_unknown")
    for secret in usable:
        if hmac.compare_digest(event_signature(event, vector["api_key"], secret), signature):
            return key_id(secret)
    raise Refused("event_signature_mismatch")
