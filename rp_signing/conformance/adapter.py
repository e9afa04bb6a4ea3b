"""The reference adapter, over this library: ``python -m rp_signing.conformance.adapter``.

README.md of this folder says what is asked and what is answered.
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import json
import re
import struct
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import IO, Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from .. import wire
from ..canonical import canonicalize, parse
from ..errors import CanonicalizationError, Reason, VerificationError
from ..events import EventFault, EventsRefused, events_of, judge_events
from ..keyfile import keyring_of
from ..keys import ApiKey, Keyring, Secret
from ..signing import Signer, event_signing_input, sign_event, verify_event
from ..stores.memory import MemoryNonceStore
from ..verifier import Verifier
from .driver import PROTOCOL

__all__ = ["answer", "serve"]

Json = dict[str, Any]
_NO_LIMIT = sys.maxsize
_FOREIGN = {"date": datetime.date(2026, 11, 23), "decimal": decimal.Decimal(1), "bytes": b"", "set": set[int]()}
# What a message of configuration says, and after it the secret → the rule. The first that fits counts.
_RULES = (
    ("is an api key", "api_key_as_secret"), ("is a secret", "secret_as_api_key"),
    ("api key must be", "api_key_grammar"), ("is empty", "empty"), ("ends in a newline", "newline"),
    (r"(?s)(space|not printable ASCII).*[\0-\x1f\x7f]", "control"), ("holds a space", "space"),
    ("not printable ASCII", "non_ascii"), ("another length", "length"), ("wrong checksum", "checksum"),
    (r" [12]?\d characters; it must| 3[01] characters; it must", "short"), ("characters; it must", "long"),
    ("keys of one kind", "live_and_test"), ("active secrets; an api key has at most", "secret_count"),
)  # fmt: skip


class _Misuse(Exception):
    """The library raised what it raises when it is configured or called in a wrong way."""

    def __init__(self, reason: str, rule: str) -> None:
        super().__init__(reason, rule)
        self.answer = {"refused": reason, "rule": rule}


def serve(lines: IO[bytes], answers: IO[bytes]) -> None:
    """Answer every line of a stream, until it ends."""
    for line in lines:
        answers.write(json.dumps(answer(json.loads(line))).encode("ascii") + b"\n")
        answers.flush()


def answer(asked: Json) -> Json:
    """Answer one question, of whatever suite."""
    if asked.get("do") == "hello":
        suites = list(_SUITES)
        return {"protocol": PROTOCOL, "name": "rp-signing (Python)", "version": version("rp-signing"), "suites": suites}
    try:
        told = {"steps": _replay(asked)} if asked["suite"] == "replay" else {"ok": _SUITES[asked["suite"]](asked)}
    except _Misuse as error:
        told = error.answer
    except EventsRefused as error:
        faults = [
            {"index": one.index, "reason": one.reason.public_code, "pointer": one.pointer} for one in error.errors
        ]
        told = {"refused": error.reason, "public_code": error.public_code, "errors": faults}
    except (CanonicalizationError, VerificationError) as error:
        told = {"refused": error.reason, "public_code": error.reason.public_code, "pointer": error.pointer}
    return {"n": asked["n"], **told}


def _canonical(asked: Json) -> Json:
    if "text" in asked:
        value = parse(bytes.fromhex(asked["text"]), _NO_LIMIT)
    else:
        value = _value({"double": asked["ieee754"]} if "ieee754" in asked else asked["value"])
    return {"canonical": canonicalize(value).hex()}


def _value(said: Any) -> Any:
    """Make the value that JSON text cannot say."""
    if not isinstance(said, dict):
        return said
    ((kind, inner),) = said.items()
    if kind in ("arrays", "objects"):
        value: Any = [] if kind == "arrays" else {}
        for _ in range(inner - 1):
            value = [value] if kind == "arrays" else {"a": value}
        return value
    kinds: dict[str, Callable[[Any], Any]] = {
        "int": int,
        "double": lambda bits: struct.unpack(">d", bytes.fromhex(bits))[0],
        "utf16": lambda units: bytes.fromhex(units).decode("utf-16-be", "surrogatepass"),
        "array": lambda items: [_value(item) for item in items],
        "object": lambda members: {_value(name): _value(item) for name, item in members},
        "foreign": _FOREIGN.__getitem__,
    }
    return kinds[kind](inner)


def _parse(asked: Json) -> Json:
    limit = _NO_LIMIT if asked["limit"] is None else asked["limit"]
    return {"canonical": canonicalize(parse(bytes.fromhex(asked["text"]), limit)).hex()}


def _hmac(asked: Json) -> Json:
    # RFC 4231 has keys that are no text of a secret; the HMAC behind a secret is what is tried.
    secret = Secret("0" * 32)
    secret.keyed = HMAC(bytes.fromhex(asked["key"]), SHA256()).copy
    return {"mac": secret.mac(bytes.fromhex(asked["data"]))[: asked["mac_bytes"]].hex()}


def _keys(asked: Json) -> Json:
    try:
        if "keys" in asked:
            return {"api_keys": [_entry(one) for one in keyring_of(asked["keys"])]}
        if "api_key" not in asked:
            secret = Secret(asked["secret"])
            return {"key_id": secret.key_id, "live": secret.live}
        entry = ApiKey(asked["api_key"], [asked["secret"]] if "secret" in asked else [])
    except ValueError as error:
        raise _Misuse("configuration", _rule_of(f"{error} {asked.get('secret', '')}")) from None
    told = {"api_key_id": entry.api_key_id, "live": entry.live}
    return {**told, "key_id": next(iter(entry.secrets))} if entry.secrets else told


def _entry(entry: ApiKey) -> Json:
    return {"api_key_id": entry.api_key_id, "key_ids": list(entry.secrets), "retired": list(entry.retired)}


def _rule_of(message: str) -> str:
    return next((rule for said, rule in _RULES if re.search(said, message)), "unknown")


def _signing_input(asked: Json) -> Json:
    covered, fields = bytes.fromhex(asked["covered"]), asked["fields"]
    key_id = None if fields["key_id"] == "-" else fields["key_id"]
    length, digest = len(covered), hashlib.sha256(covered).hexdigest()
    lines = wire.signing_input(**{**fields, "key_id": key_id}, length=length, digest=digest)
    mac = Secret(asked["secret"]).mac(lines).hex()
    return {"length": length, "digest": digest, "signing_input": lines.hex(), "mac": mac}


def _sign(asked: Json) -> Json:
    signer = Signer(
        api_key=asked["api_key"],
        secret=asked["secrets"][0],
        clock=lambda: int(asked["timestamp"]),
        nonce=lambda: asked["nonce"],
    )
    try:
        headers = signer.sign(bytes.fromhex(asked["body"]))
    except ValueError:
        raise _Misuse("usage", "empty_body") from None
    return {"headers": [list(pair) for pair in headers.items()]}


def _seconds(now: str) -> float:
    return float(now) if "." in now else int(now)


def _verify(asked: Json) -> Json:
    verifier = Verifier(
        keyring_of(asked["keys"]),
        nonces=MemoryNonceStore(born=0),
        clock=lambda: _seconds(asked["now"]),
        **{name: asked[name] for name in ("past", "future", "max_body", "accept_reserialized")},
    )
    claim = verifier.verify([tuple(pair) for pair in asked["headers"]], bytes.fromhex(asked["body"])).claim
    names = ("api_key_id", "key_id", "nonce", "length", "digest", "reserialized", "live")
    told = {name: getattr(claim, name) for name in names} | {"timestamp": str(claim.timestamp)}
    return {**told, "signing_input": claim.signing_input().hex()}


def _events(asked: Json) -> Json:
    return {"sign_event": _sign_event, "verify_event": _verify_event, "ingest": _ingest}[asked["do"]](asked)


def _sign_event(asked: Json) -> Json:
    event, secret = parse(bytes.fromhex(asked["event"])), Secret(asked["secret"])
    try:
        signed = sign_event(event, api_key=asked["api_key"], secret=secret)
    except ValueError:
        raise _Misuse("usage", "already_signed") from None
    covered = canonicalize(event)
    lines = event_signing_input(covered, ApiKey(asked["api_key"]).api_key_id, secret.key_id)
    told = {"integrity_signature": signed[wire.SIGNATURE_MEMBER], "signed": canonicalize(signed).hex()}
    return {**told, "canonical": covered.hex(), "signing_input": lines.hex(), "mac": secret.mac(lines).hex()}


def _verify_event(asked: Json) -> Json:
    event = _value(asked["value"]) if "value" in asked else parse(bytes.fromhex(asked["event"]))
    rest = {name: asked[name] for name in ("api_key", "key_id", "at_rest", "received_at")}
    return {"key_id": verify_event(event, keyring=keyring_of(asked["keys"]), **rest)}


def _ingest(asked: Json) -> Json:
    """Judge events as an endpoint does: the rules first, then the signature of each event that keeps them."""
    events = events_of(asked["route"], parse(bytes.fromhex(asked["payload"])))
    faults = judge_events(asked["route"], events)
    broken = {fault.index for fault in faults}
    keyring = keyring_of(asked["keys"]) if asked["signed"] else None
    for index, event in enumerate(events):
        if index not in broken:
            faults += _faults_of_signature(index, event, keyring, asked.get("api_key", ""))
    if faults:
        raise EventsRefused(sorted(faults, key=lambda fault: fault.index))
    return {"events": len(events)}


def _faults_of_signature(index: int, event: Json, keyring: Keyring | None, api_key: str) -> list[EventFault]:
    if keyring is None:
        if wire.SIGNATURE_MEMBER not in event:
            return []
        pointer = "/" + wire.SIGNATURE_MEMBER
        return [EventFault(index, Reason.SIGNATURE_MISSING, pointer, "the event is signed, and the request is not")]
    try:
        verify_event(event, keyring=keyring, api_key=api_key)
    except VerificationError as error:
        return [EventFault(index, error.reason, error.pointer or "", error.detail)]
    return []


def _replay(asked: Json) -> list[str]:
    """Play a script against one verifier, whose keys and store may be exchanged on the way."""
    nonces, keyring, told = MemoryNonceStore(born=asked["born"]), keyring_of(asked["keys"]), []
    for step in asked["steps"]:
        if step["do"] == "restart":
            nonces = MemoryNonceStore(born=step["born"])
        elif step["do"] == "keys":
            keyring = keyring_of(step["keys"])
        else:
            request, now = asked["requests"][step["request"]], _seconds(step["now"])
            window = {"past": asked["past"], "future": asked["future"]}
            verifier = Verifier(keyring, nonces=nonces, clock=lambda now=now: now, **window)  # type: ignore[misc]
            try:
                verifier.verify([tuple(pair) for pair in request["headers"]], bytes.fromhex(request["body"]))
                told.append("accepted")
            except VerificationError as error:
                told.append(error.reason.value)
    return told


_SUITES: dict[str, Callable[[Json], Any]] = {
    "canonical": _canonical,
    "parse": _parse,
    "hmac": _hmac,
    "keys": _keys,
    "signing-input": _signing_input,
    "sign": _sign,
    "verify": _verify,
    "events": _events,
    "replay": _replay,
}


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
