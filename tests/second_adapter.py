"""An adapter over the second implementation, as the README of the vectors describes: python tests/second_adapter.py.

Each piece is a function or a constant of a second_*.py that the others call by its name. `exchanged` puts another one
in its place, wherever it is called: so a program with a bug is this one and one small piece.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import IO, Any

import second_event_signature
import second_events
import second_json
import second_keys
import second_number
import second_replay
import second_wire
from vector_suite import value_of

MODULES: list[ModuleType] = [
    second_number, second_json, second_wire, second_event_signature, second_events, second_keys, second_replay,
]  # fmt: skip
Json = dict[str, Any]


@contextmanager
def exchanged(pieces: dict[str, Any]) -> Iterator[None]:
    """Run with other pieces, by name; `Reader.once` is a method of a class."""
    before: list[tuple[Any, str, Any]] = []
    for path, piece in pieces.items():
        owner, _, name = path.rpartition(".")
        places: list[Any] = [vars(module)[owner] for module in MODULES if owner in vars(module)] if owner else MODULES
        found = [(place, name, vars(place)[name]) for place in places if name in vars(place)]
        if not found:
            raise LookupError(f"no piece is called {path}")
        before += found
        for place, _, _ in found:
            setattr(place, name, piece)
    try:
        yield
    finally:
        for place, name, old in reversed(before):
            setattr(place, name, old)


def canonical(line: Json) -> Json:
    """A value to its canonical form."""
    if "text" in line:
        value = second_json.read(bytes.fromhex(line["text"]))
    else:
        value = second_number.double(line["ieee754"]) if "ieee754" in line else value_of(line["value"])
    return {"canonical": second_json.canonical(value).hex()}


def parse(line: Json) -> Json:
    """Strict reading."""
    value = second_json.read(bytes.fromhex(line["text"]), line["limit"])
    return {"canonical": second_json.canonical(value).hex()}


def hmac(line: Json) -> Json:
    """HMAC-SHA256 alone."""
    made = second_wire.hmac_sha256(bytes.fromhex(line["key"]), bytes.fromhex(line["data"]))
    return {"mac": made[: line["mac_bytes"]].hex()}


def signing_input(line: Json) -> Json:
    """The eight lines and their MAC."""
    fields, covered = line["fields"], bytes.fromhex(line["covered"])
    names = ("purpose", "api_key_id", "key_id", "timestamp", "nonce")
    made = second_wire.signing_input(*(fields[name] for name in names), covered)
    mac = second_wire.mac(line["secret"], made)
    return {"length": len(covered), "digest": second_wire.digest(covered), "signing_input": made.hex(), "mac": mac}


def sign(line: Json) -> Json:
    """A signed request."""
    secret = second_wire.newest(line["secrets"])
    body = bytes.fromhex(line["body"])
    second_wire.not_empty(body)
    ids = (second_wire.api_key_id(line["api_key"]), second_wire.key_id(secret))
    made = second_wire.signing_input("request", *ids, line["timestamp"], line["nonce"], body)
    words = (line["api_key"], secret, line["timestamp"], line["nonce"])
    return {
        "headers": second_wire.signed_headers(*words, body),
        "signing_input": made.hex(),
        "mac": second_wire.mac(secret, made),
    }


def sign_event(line: Json) -> Json:
    """A signed event."""
    event = second_json.read(bytes.fromhex(line["event"]))
    second_event_signature.unsigned(event)
    signed = second_event_signature.signed_event(event, line["api_key"], line["secret"])
    return {
        "integrity_signature": signed["integrity_signature"],
        "canonical": second_event_signature.covered_bytes(event).hex(),
        "signing_input": second_event_signature.event_input(event, line["api_key"], line["secret"]).hex(),
        "signed": second_json.canonical(signed).hex(),
    }


def verify_event(line: Json) -> Json:
    """An event and its signature."""
    said = value_of(line["value"]) if "value" in line else second_json.read(bytes.fromhex(line["event"]))
    return {"key_id": second_event_signature.verified_event(line, said)}


def ingest(line: Json) -> Json:
    """The events of a payload; `errors` where some of them are wrong."""
    found = second_events.events_of(line, bytes.fromhex(line["payload"]))
    wrong = second_events.ingested(line, found)
    if wrong:
        told = [
            {"index": i, "reason": second_wire.public_code(reason), "pointer": pointer} for i, reason, pointer in wrong
        ]
        return {"errors": told, "refused": wrong[0][1], "public_code": second_wire.public_code(wrong[0][1])}
    return {"events": len(found)}


def events(line: Json) -> Json:
    """What a line of the suite events asks for."""
    return {"sign_event": sign_event, "verify_event": verify_event, "ingest": ingest}[line["do"]](line)


def verify(line: Json) -> Json:
    """Steps 1 to 9."""
    return second_wire.gate(line, bytes.fromhex(line["body"]))


SUITES: dict[str, Callable[[Json], Json]] = {
    "canonical": canonical, "parse": parse, "hmac": hmac, "keys": lambda line: second_keys.configured(line),
    "signing-input": signing_input, "sign": sign, "verify": verify, "events": events,
}  # fmt: skip


def answer(line: Json) -> Json:
    """The answer to one line."""
    if line.get("do") == "hello":
        return {"protocol": 1, "name": "second", "version": "1", "suites": [*SUITES, "replay"]}
    head = {"n": line["n"]}
    try:
        if line["suite"] == "replay":
            return head | {"steps": second_replay.played(line, forgets=True)}
        found = SUITES[line["suite"]](line)
    except second_keys.Misconfigured as fault:
        return head | {"refused": "configuration", "rule": fault.reason}
    except second_json.Refused as fault:
        if fault.reason in ("already_signed", "empty_body"):
            return head | {"refused": "usage", "rule": fault.reason}
        return head | {
            "refused": fault.reason,
            "public_code": second_wire.public_code(fault.reason),
            "pointer": fault.pointer,
        }
    return head | found if "refused" in found else head | {"ok": found}


def serve(asked: IO[str], told: IO[str]) -> None:
    """Answer line by line, until there is no more."""
    for line in asked:
        told.write(json.dumps(answer(json.loads(line))) + "\n")
        told.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
