"""The library over every vector: what another implementation wrote down is what this one gives."""

import datetime
import decimal
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vector_suite import octets

from rp_signing import (
    CanonicalizationError,
    MemoryNonceStore,
    Secret,
    Signer,
    VerificationError,
    Verifier,
    canonicalize,
    parse,
    sign_event,
    verify_event,
    wire,
)
from rp_signing.events import EventsRefused, events_of, judge_events
from rp_signing.exact import write_exactly
from rp_signing.grammar import spell_mac
from rp_signing.keyfile import keyring_of
from rp_signing.keys import ApiKey
from rp_signing.stores.sqlite import SQLiteNonceStore

VECTORS = Path(__file__).resolve().parent.parent / "rp_signing" / "conformance" / "vectors"
SUITES = ("canonical", "parse", "hmac", "keys", "signing-input", "sign", "verify", "events", "replay")
FOREIGN = {"date": datetime.date(2026, 11, 23), "decimal": decimal.Decimal(1), "bytes": b"", "set": set[int]()}
# What a message of ours says of each rule of configuration.
RULES = {
    "api_key_as_secret": "is an api key", "api_key_grammar": "the api key must be", "checksum": "checksum|truncated",
    "control": "printable ASCII|space", "empty": "is empty", "length": "truncated", "live_and_test": "keys of one kind",
    "long": "must have 32 to 256", "newline": "newline", "non_ascii": "printable ASCII",
    "secret_as_api_key": "is a secret", "secret_count": "active secret", "short": "must have 32 to 256",
    "space": "space",
}  # fmt: skip


def vectors(suite: str) -> Any:
    """A parametrization by the vectors of one file; a file that is missing or empty fails the collection."""
    found = json.loads((VECTORS / f"{suite}.json").read_text(encoding="ascii"))["vectors"]
    if not found:
        raise ValueError(f"{suite}.json has no vectors")
    return pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["id"]) for vector in found])


def value_of(said: Any) -> Any:
    """The value that a vector says where JSON text cannot."""
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
        "utf16": lambda text: bytes.fromhex(text).decode("utf-16-be", "surrogatepass"),
        "array": lambda items: [value_of(item) for item in items],
        "object": lambda members: {value_of(name): value_of(item) for name, item in members},
        "foreign": FOREIGN.__getitem__,
    }
    return kinds[kind](inner)


def agree(vector: dict[str, Any], call: Callable[[], dict[str, Any]]) -> None:
    """What a call gives, or why it refuses, is what the vector expects."""
    expect = vector["expect"]
    try:
        given = call()
    except (CanonicalizationError, VerificationError) as error:
        pointer = None if expect.get("pointer") is None else error.pointer
        told = {"refused": error.reason, "public_code": error.reason.public_code, "pointer": pointer}
        assert {name: expect.get(name) for name in told} == told
    else:
        assert given == expect.get("ok", "refused")


def number_of_seconds(text: str) -> float:
    """A clock as a vector writes it."""
    return float(text) if "." in text else int(text)


def test_every_suite_is_run() -> None:
    """There is a test here for each file of vectors, and a file for each test."""
    assert {path.stem for path in VECTORS.iterdir()} == set(SUITES)


@vectors("canonical")
@pytest.mark.parametrize("write", [canonicalize, write_exactly])
def test_canonical(vector: dict[str, Any], write: Callable[[Any], bytes]) -> None:
    """A value has the canonical form of the vector, or its reason and place."""

    def call() -> dict[str, Any]:
        if "text" in vector:
            return {"canonical": write(parse(octets(vector["text"]))).hex()}
        value = value_of({"double": vector["ieee754"]} if "ieee754" in vector else vector["value"])
        return {"canonical": write(value).hex()}

    agree(vector, call)


@vectors("parse")
def test_parse(vector: dict[str, Any]) -> None:
    """A text is read as the vector says, or refused with its reason and place."""
    text, limit = octets(vector["text"]), vector["limit"]
    agree(vector, lambda: {"canonical": canonicalize(parse(text, 10**9 if limit is None else limit)).hex()})


@vectors("hmac")
def test_hmac(vector: dict[str, Any]) -> None:
    """A secret's MAC is that of RFC 4231; a key that is no text of a secret is set past the rules of secrets."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.hmac import HMAC

    secret = Secret("s" * 32)
    secret.keyed = HMAC(octets(vector["key"]), SHA256()).copy
    assert secret.mac(octets(vector["data"]))[: vector["mac_bytes"]].hex() == vector["expect"]["ok"]["mac"]


@vectors("keys")
def test_keys(vector: dict[str, Any]) -> None:
    """Ids are those of the vector, and what must not be configured is refused with a message that names the rule."""

    def call() -> dict[str, Any]:
        if "keys" in vector:
            entries = [
                {"api_key_id": one.api_key_id, "key_ids": list(one.secrets), "retired": list(one.retired)}
                for one in keyring_of(vector["keys"])
            ]
            return {"api_keys": entries}
        if "api_key" not in vector:
            secret = Secret(vector["secret"])
            return {"key_id": secret.key_id, "live": secret.live}
        entry = ApiKey(vector["api_key"], [vector["secret"]] if "secret" in vector else [])
        said = {"api_key_id": entry.api_key_id, "live": entry.live}
        return {**said, "key_id": next(iter(entry.secrets))} if "secret" in vector else said

    expect = vector["expect"]
    if "ok" in expect:
        given = call()
        assert {name: given[name] for name in expect["ok"]} == expect["ok"]
    else:
        with pytest.raises(ValueError, match=RULES[expect["rule"]]):
            call()


@vectors("signing-input")
def test_signing_input(vector: dict[str, Any]) -> None:
    """The eight lines and their MAC are those of the vector."""
    fields, ok = vector["fields"], vector["expect"]["ok"]
    key_id = None if fields["key_id"] == "-" else fields["key_id"]
    line = wire.signing_input(**{**fields, "key_id": key_id}, length=ok["length"], digest=ok["digest"])
    assert (line.hex(), len(octets(vector["covered"]))) == (ok["signing_input"], ok["length"])
    assert Secret(vector["secret"]).mac(line).hex() == ok["mac"]


@vectors("sign")
def test_sign(vector: dict[str, Any]) -> None:
    """The headers of a request are those of the vector."""
    signer = Signer(
        api_key=vector["api_key"],
        secret=vector["secrets"][0],
        clock=lambda: int(vector["timestamp"]),
        nonce=lambda: vector["nonce"],
    )
    if "refused" in vector["expect"]:
        with pytest.raises(ValueError, match="empty body"):
            signer.sign(octets(vector["body"]))
        return
    ok = vector["expect"]["ok"]
    assert sorted(signer.sign(octets(vector["body"])).items()) == sorted(map(tuple, ok["headers"]))
    assert dict(ok["headers"])[wire.SIGNATURE] == spell_mac(bytes.fromhex(ok["mac"]))


def shapes(pairs: list[list[str]]) -> list[Any]:
    """One set of headers in the shapes that servers give it."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    return [[tuple(pair) for pair in pairs], raw, [(name.lower(), value) for name, value in raw]]


@vectors("verify")
@pytest.mark.parametrize("shape", ["str", "bytes", "asgi"])
def test_verify(vector: dict[str, Any], shape: str) -> None:
    """A request is verified with every field of the vector, or refused with its reason, in every shape of headers."""
    headers = shapes(vector["headers"])[["str", "bytes", "asgi"].index(shape)]
    store = MemoryNonceStore(born=0)
    verifier = Verifier(
        keyring_of(vector["keys"]),
        nonces=store,
        clock=lambda: number_of_seconds(vector["now"]),
        **{name: vector[name] for name in ("past", "future", "max_body", "accept_reserialized")},
    )
    claims = []

    def call() -> dict[str, Any]:
        verified = verifier.verify(headers, octets(vector["body"]))
        claims.append(verified.claim)
        names = ("api_key_id", "key_id", "timestamp", "nonce", "length", "digest", "reserialized", "live")
        return {name: getattr(verified.claim, name) for name in names} | {"timestamp": str(verified.timestamp)}

    agree(vector, call)
    assert len(store) == len(claims) == ("ok" in vector["expect"])
    for claim in claims:
        assert claim.signing_input().hex() == vector["expect"]["intermediate"]["signing_input"]
        assert claim.signature == spell_mac(bytes.fromhex(vector["expect"]["intermediate"]["mac"]))


def sign(vector: dict[str, Any]) -> None:
    """A vector that signs an event."""
    event = parse(octets(vector["event"]))
    if "refused" in vector["expect"]:
        with pytest.raises(ValueError, match="already"):
            sign_event(event, api_key=vector["api_key"], secret=vector["secret"])
        return
    signed, ok = sign_event(event, api_key=vector["api_key"], secret=vector["secret"]), vector["expect"]["ok"]
    assert signed[wire.SIGNATURE_MEMBER] == ok["integrity_signature"] == spell_mac(bytes.fromhex(ok["mac"]))
    assert canonicalize(signed).hex() == ok["signed"]
    assert canonicalize(event).hex() == ok["canonical"]
    assert Secret(vector["secret"]).mac(bytes.fromhex(ok["signing_input"])).hex() == ok["mac"]


def verify(vector: dict[str, Any]) -> None:
    """A vector that verifies an event."""
    event = value_of(vector["value"]) if "value" in vector else parse(octets(vector["event"]))
    rest = {name: vector[name] for name in ("api_key", "key_id", "at_rest", "received_at")}
    agree(vector, lambda: {"key_id": verify_event(event, keyring=keyring_of(vector["keys"]), **rest)})


def ingest(vector: dict[str, Any]) -> None:
    """A vector that judges events as the endpoint does; signatures are looked at where each event keeps the rules."""
    route, expect = vector["route"], vector["expect"]
    try:
        events = events_of(route, parse(octets(vector["payload"])))
        faults = [(one.index, one.reason, one.pointer) for one in judge_events(route, events)]
    except VerificationError as error:
        told = error.errors[0].reason if isinstance(error, EventsRefused) else error.reason
        events, faults = [], [(0, told, None)]
    if "errors" not in expect and "refused" in expect:
        assert [told for _, told, _ in faults] == [expect["refused"]]
        return
    wanted = [(one["index"], one["reason"], one["pointer"]) for one in expect.get("errors", [])]
    signature = {"event_signature_missing", "event_signature_mismatch", "signature_missing"}
    wanted_of_members = [one for one in wanted if one[1] not in signature]
    assert [(index, reason.public_code, pointer) for index, reason, pointer in faults] == wanted_of_members
    if "ok" in expect:
        assert len(events) == expect["ok"]["events"]


@vectors("events")
def test_events(vector: dict[str, Any]) -> None:
    """An event is signed, verified or judged as the vector says."""
    {"sign_event": sign, "verify_event": verify, "ingest": ingest}[vector["do"]](vector)


@vectors("replay")
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_replay(vector: dict[str, Any], kind: str, tmp_path: Path) -> None:
    """Against each store, a script of sends, restarts and new keys is answered as the vector says."""
    opened: list[Any] = []

    def store(born: int) -> Any:
        opened.append(
            MemoryNonceStore(born=born)
            if kind == "memory"
            else SQLiteNonceStore(tmp_path / f"{len(opened)}.db", born=born)
        )
        return opened[-1]

    nonces, keyring, told = store(vector["born"]), keyring_of(vector["keys"]), []
    for step in vector["steps"]:
        if step["do"] == "restart":
            nonces = store(step["born"])
        elif step["do"] == "keys":
            keyring = keyring_of(step["keys"])
        else:
            request, now = vector["requests"][step["request"]], number_of_seconds(step["now"])
            gate = Verifier(
                keyring, nonces=nonces, past=vector["past"], future=vector["future"], clock=lambda now=now: now
            )
            answer = "accepted"
            try:
                gate.verify([tuple(pair) for pair in request["headers"]], octets(request["body"]))
            except VerificationError as error:
                answer = error.reason.value
            told.append((answer, answer in (step.get("expect_one_of") or [step["expect"]]), step))
    for one in opened if kind == "sqlite" else ():
        one.close()
    assert [one for one in told if not one[1]] == []
    assert told
