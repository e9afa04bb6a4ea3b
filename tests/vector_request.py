"""How a vector of request verification is put together."""

from __future__ import annotations

from typing import Any

from second_json import canonical, read
from second_wire import NAMES, api_key_id, gate, key_id, mac, signed_headers, signing_input
from vector_suite import API, NEW, NONCE, OLD, TIME, Json, Suite, hexed, octets, outcome, refused

BODY = '{"event":"Order Completed","messageId":"m-1","type":"track","userId":"user-123"}'
GOOD = signed_headers(API, NEW, TIME, NONCE, BODY.encode())
TWO: Json = {"api_keys": [{"api_key": API, "secrets": [NEW, OLD]}]}
JSON_TYPE = ["Content-Type", "application/json"]
WORDS = {name.lower(): word for word, name in NAMES.items()}


POINTED = ("payload_duplicate_key", "payload_surrogate", "payload_number_range")
BEYOND_STEP_6 = ("signature_mismatch", "timestamp_expired", "timestamp_future", "payload_n",
    "payload_d", "payload_s")  # fmt: skip


def short(name: str) -> str:
    """How a header is called in an id: `key-id`."""
    return name.removeprefix("X-RP-").lower()


def replaced(name: str, value: str, headers: Any = GOOD) -> Any:
    """The headers with another value in one of them."""
    return [[found, value if found == name else old] for found, old in headers]


def without(*names: str) -> Any:
    """The headers without some."""
    return [pair for pair in GOOD if pair[0] not in names]


def intermediate(vector: Json, body: bytes) -> Json | None:
    """Signing input and MAC under the secret that the key id names, or the one that verifies."""
    found = {WORDS[name.lower()]: value for name, value in vector["headers"] if name.lower() in WORDS}
    entries = {entry["api_key"]: entry["secrets"] for entry in vector["keys"]["api_keys"]}
    named = found.get("key_id")
    fitting = [k for k in entries[found["api_key"]] if named in (None, key_id(k))]
    api = api_key_id(found["api_key"])
    line = signing_input("request", api, named or "-", found["timestamp"], found["nonce"], body)
    macs = [mac(secret, line) for secret in fitting]
    right = [one for one in macs if "sha256=" + one == found["signature"]]
    return {"signing_input": hexed(line), "mac": (right or macs)[0]}


def vector(s: Suite, name: str, tags: str, flags: str, comment: str, reason: str | None,
    body: Any = BODY, **said: Any) -> None:  # fmt: skip
    """One request; reason None: it is verified."""
    whole: Json = {"keys": TWO, "now": TIME, "past": 300, "future": 60, "max_body": 1_048_576,
        "accept_reserialized": False, "headers": [JSON_TYPE, *GOOD]} | said  # fmt: skip
    whole["body"] = body if isinstance(body, dict) else hexed(body)
    data = octets(whole["body"])
    result = outcome(gate, whole, data)
    if isinstance(result, dict):
        assert reason is None, name
        expect: Json = {"ok": result}
        if result["reserialized"]:
            data = canonical(read(data))
    else:
        assert result[0] == reason, (name, result)
        expect = refused(reason, result[1] if reason in POINTED else None)
    if reason is None or reason.startswith(BEYOND_STEP_6):
        expect["intermediate"] = intermediate(whole, data)
    s.add(f"verify-{name}", f"{tags} VER-2", flags, comment, expect, **whole)
