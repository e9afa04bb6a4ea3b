"""The second implementation: what may be configured, written from SPEC.md §8 alone."""

from __future__ import annotations

import re
import zlib
from typing import Any

from second_json import Refused
from second_wire import api_key_id, fits, key_id

SHORTEST_SECRET, LONGEST_SECRET = 32, 256
MOST_SECRETS = 4
MADE_BY_KEYGEN = ("rps_live_", "rps_test_")
MADE = re.compile(r"rps_(?:live|test)_[A-Za-z0-9_-]{43}[0-9a-f]{8}")


class Misconfigured(Refused):
    """What is refused when it is configured; its reason is the rule that was broken."""


def characters(secret: str) -> None:
    """Printable ASCII without spaces."""
    rules = {"newline": r"[\r\n]", "space": " ", "control": r"[\x00-\x1f\x7f]", "non_ascii": r"[^\x00-\x7f]"}
    for rule, wrong in rules.items():
        if re.search(wrong, secret):
            raise Misconfigured(rule)


def lengths(secret: str) -> None:
    """32 to 256 characters."""
    if not secret:
        raise Misconfigured("empty")
    if len(secret) < SHORTEST_SECRET:
        raise Misconfigured("short")
    if len(secret) > LONGEST_SECRET:
        raise Misconfigured("long")


def checksum(secret: str) -> None:
    """What `keygen` made ends with a CRC-32."""
    if not secret.startswith(MADE_BY_KEYGEN):
        return
    if not MADE.fullmatch(secret):
        raise Misconfigured("length")
    if secret[-8:] != f"{zlib.crc32(secret[:-8].encode()):08x}":
        raise Misconfigured("checksum")


def swapped(text: str, prefix: str, rule: str) -> None:
    """An api key is no secret, a secret no api key."""
    if text.startswith(prefix):
        raise Misconfigured(rule)


def secret_of(text: str) -> str:
    """A secret, exactly as configured."""
    swapped(text, "rpx_", "api_key_as_secret")
    characters(text)
    lengths(text)
    checksum(text)
    return text


def api_key_of(text: str) -> str:
    """An api key."""
    swapped(text, "rps_", "secret_as_api_key")
    if not fits("api_key", text):
        raise Misconfigured("api_key_grammar")
    return text


def live(text: str, prefix: str) -> bool | None:
    """Whether a credential says that it is live; None where it does not say."""
    return {prefix + "_live_": True, prefix + "_test_": False}.get(text[:9])


def beside(api_key: str, secret: str) -> None:
    """Live beside live, test beside test."""
    if live(secret, "rps") not in (None, live(api_key, "rpx")):
        raise Misconfigured("live_and_test")


def counted(secrets: list[str]) -> None:
    """How many may be active."""
    if len(secrets) > MOST_SECRETS:
        raise Misconfigured("secret_count")


def entry(said: dict[str, Any]) -> dict[str, Any]:
    """One api key of a keys file, with its ids."""
    api_key = api_key_of(said["api_key"])
    counted(said["secrets"])
    old = [one["secret"] for one in said.get("retired", [])]
    found = [[secret_of(text) for text in texts] for texts in (said["secrets"], old)]
    for secret in found[0] + found[1]:
        beside(api_key, secret)
    active, retired = ([key_id(secret) for secret in secrets] for secrets in found)
    return {"api_key_id": api_key_id(api_key), "key_ids": active, "retired": retired}


def configured(said: dict[str, Any]) -> dict[str, Any]:
    """The ids of what is configured: a keys file, an api key, a secret, or both together."""
    if "keys" in said:
        return {"api_keys": [entry(one) for one in said["keys"]["api_keys"]]}
    found: dict[str, Any] = {}
    if "api_key" in said:
        api_key = api_key_of(said["api_key"])
        found |= {"api_key_id": api_key_id(api_key), "live": live(api_key, "rpx")}
    if "secret" in said:
        secret = secret_of(said["secret"])
        found |= {"key_id": key_id(secret), "live": live(secret, "rps")}
    if "api_key" in said and "secret" in said:
        beside(said["api_key"], said["secret"])
        del found["live"]
    return found
