"""Bugs of who is known: SPEC.md §6.1, steps 4 to 6, and the secrets of an event."""

from __future__ import annotations

from typing import Any

from broken_bug import Bugs
from second_json import Refused
from second_wire import entry_of, key_id, known

BUGS = Bugs()
Found = dict[str, str]
BUGS.put("stranger-told", "verify events", PUBLIC={})
BUGS.put("stranger-told.both-words", "verify", PUBLIC={"key_id_unknown": "signature_invalid"})

BUGS.put(
    "only-newest-tried",
    "verify replay events",
    known=lambda v, f: known(v, f)[:1],
    usable=lambda v, e: e["secrets"][:1],
)


@BUGS.piece("known", "missing-means-unchecked.key-id", "verify")
def only_api_key(vector: dict[str, Any], found: Found) -> list[str]:
    """Without a key id the line is made of the newest secret's."""
    secrets = known(vector, found)
    found.setdefault("key_id", key_id(secrets[0]))
    return secrets


@BUGS.piece("entry_of", "api-key-unchecked.case", "verify")
def any_case(keys: dict[str, Any], api_key: str) -> dict[str, Any]:
    """The database compares without regard to case."""
    for entry in keys["api_keys"]:
        if entry["api_key"].lower() == api_key.lower():
            return dict(entry)
    raise Refused("api_key_unknown")


@BUGS.piece("entry_of", "api-key-unchecked.start", "verify")
def same_start(keys: dict[str, Any], api_key: str) -> dict[str, Any]:
    """A column of 13 characters."""
    for entry in keys["api_keys"]:
        if entry["api_key"][:13] == api_key[:13]:
            return dict(entry)
    raise Refused("api_key_unknown")


@BUGS.piece("entry_of", "api-key-unchecked", "verify events")
def any_api_key(keys: dict[str, Any], api_key: str) -> dict[str, Any]:
    """The only tenant there is."""
    return dict(keys["api_keys"][0])


def every_secret(vector: dict[str, Any], entry: dict[str, Any]) -> list[str]:
    """The key id is not looked at."""
    return list(entry["secrets"])


@BUGS.piece("known", "key-id-ignored", "verify replay events")
def all_secrets(vector: dict[str, Any], found: Found) -> list[str]:
    """Every secret is tried, whatever the key id says."""
    return known(vector, {word: value for word, value in found.items() if word != "key_id"})


BUGS.put("key-id-ignored", "verify replay events", usable=every_secret)


def all_entries(vector: dict[str, Any]) -> list[str]:
    """The secrets of everybody."""
    return [secret for entry in vector["keys"]["api_keys"] for secret in entry["secrets"]]


@BUGS.piece("known", "key-id-unscoped", "verify events")
def anybody(vector: dict[str, Any], found: Found) -> list[str]:
    """Key ids are looked up in one table for all api keys."""
    secrets = known(vector, {word: value for word, value in found.items() if word != "key_id"})
    if "key_id" in found:
        secrets = [secret for secret in all_entries(vector) if key_id(secret) == found["key_id"]]
        if not secrets:
            raise Refused("key_id_unknown")
    return secrets


@BUGS.piece("usable", "key-id-unscoped", "verify events")
def anybody_signed(vector: dict[str, Any], entry: dict[str, Any]) -> list[str]:
    """The same, of events."""
    return [secret for secret in all_entries(vector) if vector["key_id"] in (None, key_id(secret))]


@BUGS.piece("known", "retired-taken", "verify")
def retired_too(vector: dict[str, Any], found: Found) -> list[str]:
    """A retired secret is a secret."""
    entry = entry_of(vector["keys"], found["api_key"])
    more = [*entry["secrets"], *(old["secret"] for old in entry.get("retired", []))]
    return known({**vector, "keys": {"api_keys": [{**entry, "secrets": more}]}}, found)


@BUGS.piece("known", "order-of-checks.signature-first", "verify")
def signature_first(vector: dict[str, Any], found: Found) -> list[str]:
    """Who is not signed in is not looked up."""
    if "signature" not in found:
        raise Refused("signature_missing")
    return known(vector, found)
