"""The second implementation: ids, signing input, MAC and gate, from SPEC.md §4 to §8 alone."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

from second_json import Refused, canonical, read, too_large

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
PUBLIC = {"key_id_unknown": "signature_invalid", "signature_mismatch": "signature_invalid"}


def public_code(reason: str) -> str:
    """What a stranger is told."""
    return PUBLIC.get(reason, reason)


def digest(data: bytes) -> str:
    """The SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def api_key_id(api_key: str) -> str:
    """The public id of an api key."""
    return digest(b"rp1-api-key\n" + api_key.encode())[:16]


def key_id(secret: str) -> str:
    """The public id of a secret."""
    return mac(secret, b"rp1-key-id")[:16]


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """The HMAC-SHA256."""
    return hmac.new(key, data, hashlib.sha256).digest()


def key_bytes(secret: str) -> bytes:
    """What keys the HMAC: the secret's characters as they are."""
    return secret.encode()


def mac(secret: str, data: bytes) -> str:
    """The HMAC-SHA256 in hex, under the secret."""
    return hmac_sha256(key_bytes(secret), data).hex()


def equal(wanted: str, received: str) -> bool:
    """Whether two signatures are one, over their full length."""
    return hmac.compare_digest(wanted, received)


def eight_lines(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> list[str]:
    """The lines, one by one."""
    return ["RP1-HMAC-SHA256", purpose, api, key, timestamp, nonce, str(len(data)), digest(data)]


def joined(lines: list[str]) -> bytes:
    """Lines joined by LF, none at the end."""
    return "\n".join(lines).encode("ascii")


def signing_input(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> bytes:
    """The eight lines as one."""
    return joined(eight_lines(purpose, api, key, timestamp, nonce, data))


def newest(secrets: list[str]) -> str:
    """The secret that signs."""
    return secrets[0]


def not_empty(body: bytes) -> None:
    """Only a request with a body is signed."""
    if not body:
        raise Refused("empty_body")


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


def only(headers: Headers, name: str) -> list[str]:
    """All values of a header."""
    return [value for found, value in headers if found.lower() == name.lower()]


def media(headers: Headers) -> None:
    """Step 2: encoding and media type."""
    if any(value.lower() != "identity" for value in only(headers, "Content-Encoding")):
        raise Refused("encoding_unsupported")
    if not all(MEDIA.fullmatch(value) for value in only(headers, "Content-Type")):
        raise Refused("media_type_unsupported")


def fits(word: str, value: str) -> bool:
    """Whether a value matches its rule, whole."""
    return bool(re.fullmatch(GRAMMAR[word], value))


def grammar(found: dict[str, str]) -> dict[str, str]:
    """The values, each in its one spelling."""
    if re.fullmatch("[1-9][0-9]{12}", found.get("timestamp", "")):
        raise Refused("timestamp_unit")
    if not all(fits(word, value) for word, value in found.items()):
        raise Refused("header_malformed")
    return found


def complete(found: dict[str, str]) -> None:
    """All of the signature's headers or none, and an api key."""
    signature = {"timestamp", "nonce", "signature"} & found.keys()
    if len(signature) not in (0, 3) or ("key_id" in found and not signature):
        raise Refused("header_malformed")
    if "api_key" not in found:
        raise Refused("api_key_missing")


def fields(headers: Headers) -> dict[str, str]:
    """Step 3: the grammar of the five headers."""
    once = [*NAMES.values(), "Content-Type", "Content-Encoding"]
    if any(len(only(headers, name)) > 1 for name in once):
        raise Refused("header_duplicate")
    found = {word: only(headers, name)[0] for word, name in NAMES.items() if only(headers, name)}
    found = grammar(found)
    complete(found)
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
        if equal("sha256=" + mac(secret, covered), found["signature"]):
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


def known(vector: dict[str, Any], found: dict[str, str]) -> list[str]:
    """Steps 4 to 6: the secrets that may have signed."""
    secrets = list(entry_of(vector["keys"], found["api_key"])["secrets"])
    if "signature" not in found:
        raise Refused("signature_missing")
    if "key_id" in found:
        secrets = [secret for secret in secrets if key_id(secret) == found["key_id"]]
        if not secrets:
            raise Refused("key_id_unknown")
    return secrets


def verified(vector: dict[str, Any], found: dict[str, str], secrets: list[str], body: bytes) -> tuple[str, bytes, bool]:
    """Step 7: the secret that signed, what it covers, and whether that was written anew."""
    try:
        return attempt(found, secrets, body)[0], body, False
    except Refused:
        if not vector["accept_reserialized"]:
            raise
        return *reserialized(found, secrets, body), True


def clock(text: str) -> int:
    """The receiver's clock in whole seconds."""
    return int(text.partition(".")[0])


def window(vector: dict[str, Any], timestamp: int) -> None:
    """Step 8: both edges are inside."""
    now = clock(vector["now"])
    if timestamp < now - vector["past"]:
        raise Refused("timestamp_expired")
    if timestamp > now + vector["future"]:
        raise Refused("timestamp_future")


def bounded(vector: dict[str, Any], body: bytes) -> None:
    """Step 1: the limit of the body."""
    if too_large(body, vector["max_body"]):
        raise Refused("payload_too_large")


def result(found: dict[str, str], secret: str, text: bytes, again: bool) -> dict[str, Any]:
    """What a verifier says of a request that verified."""
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


def gate(vector: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Steps 1 to 9: what is verified, or Refused."""
    bounded(vector, body)
    media(vector["headers"])
    found = fields(vector["headers"])
    secrets = known(vector, found)
    secret, text, again = verified(vector, found, secrets, body)
    window(vector, int(found["timestamp"]))
    read(body)
    return result(found, secret, text, again)
