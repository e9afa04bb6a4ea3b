"""How a vector file is put together, and the few keys that all suites share."""

from __future__ import annotations

import base64
import datetime
import json
import zlib
from decimal import Decimal
from typing import Any

from second_json import Refused
from second_number import double
from vector_flags import FLAGS

Json = dict[str, Any]


def checksummed(prefix: str, seed: int) -> str:
    """A secret as `keygen` makes it, of 32 bytes that count up from seed."""
    random = bytes((seed + i) % 256 for i in range(32))
    text = prefix + base64.urlsafe_b64encode(random).decode().rstrip("=")
    return f"{text}{zlib.crc32(text.encode()):08x}"


API, OTHER_API, LIVE_API = "rpx_test_demo", "rpx_test_other", "rpx_live_AbC-_0123456789"
NEW, OLD, THIRD, FOURTH, RETIRED, STRANGER = (checksummed("rps_test_", i) for i in range(6))
LIVE = checksummed("rps_live_", 64)
OTHER = checksummed("rps_test_", 100)
UNTIL = 1795000000
KEYS: Json = {
    "api_keys": [
        {
            "api_key": API,
            "secrets": [NEW, OLD],
            "retired": [{"secret": RETIRED, "until": UNTIL}],
        },
        {"api_key": OTHER_API, "secrets": [OTHER]},
        {"api_key": LIVE_API, "secrets": [LIVE]},
    ]
}
ALONE: Json = {"api_keys": [{"api_key": API, "secrets": [NEW]}]}
TIME, NONCE = "1795424400", "AAECAwQFBgcICQoLDA0ODw"
FOREIGN = {
    "date": datetime.date(2026, 11, 23), "decimal": Decimal("1.10"), "bytes": b"bytes", "set": {1},
}  # fmt: skip
STRANGERS_CODE = {"key_id_unknown": "signature_invalid", "signature_mismatch": "signature_invalid"}


def hexed(data: str | bytes) -> str:
    """Bytes, or the UTF-8 of a text, as hex."""
    return (data.encode() if isinstance(data, str) else data).hex()


def times(*parts: tuple[str | bytes, int]) -> Json:
    """Long bytes, said shortly: each part repeated."""
    return {"repeat": [[hexed(part), count] for part, count in parts]}


def octets(said: str | Json) -> bytes:
    """The bytes that a vector says, in one of the two ways."""
    if isinstance(said, str):
        return bytes.fromhex(said)
    return b"".join(bytes.fromhex(part) * count for part, count in said["repeat"])


def value_of(said: Any) -> Any:
    """The value that a vector says with kinds, where JSON text cannot say it."""
    if not isinstance(said, dict):
        return said
    ((kind, inner),) = said.items()
    if kind == "object":
        return {value_of(name): value_of(item) for name, item in inner}
    if kind == "array":
        return [value_of(item) for item in inner]
    if kind in ("arrays", "objects"):
        value: Any = [] if kind == "arrays" else {}
        for _ in range(inner - 1):
            value = [value] if kind == "arrays" else {"a": value}
        return value
    simple = {
        "int": int,
        "double": double,
        "utf16": lambda text: bytes.fromhex(text).decode("utf-16-be", "surrogatepass"),
        "foreign": FOREIGN.__getitem__,
    }
    return simple[kind](inner)


def refused(reason: str, pointer: str | None = None) -> Json:
    """What a verifier or reader has to answer."""
    code = STRANGERS_CODE.get(reason, reason)
    return {"refused": reason, "public_code": code, "pointer": pointer}


def outcome(action: Any, *arguments: Any) -> Any:
    """What the second implementation answers: (reason, pointer), or its result."""
    try:
        return action(*arguments)
    except Refused as fault:
        return fault.reason, fault.pointer


class Suite:
    """One file of vectors."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.vectors: list[Json] = []

    def add(self, identity: str, tags: str, flags: str, comment: str, expect: Json | None, **said: Any) -> None:
        """One vector; tags and flags are separated by spaces."""
        vector = {"id": identity, "tags": tags.split(), "flags": flags.split(), "comment": comment}
        vector |= said
        if expect is not None:
            vector["expect"] = expect
        self.vectors.append(vector)

    def document(self) -> Json:
        """The whole file."""
        used = sorted({flag for vector in self.vectors for flag in vector["flags"]})
        notes = {flag: {"bug": FLAGS[flag][0], "cwe": FLAGS[flag][1]} for flag in used}
        head = {"suite": self.name, "format": 1, "spec": "RP1"}
        return {**head, "flags": notes, "vectors": self.vectors}


def pretty(value: Any, indent: int = 0) -> str:
    """JSON of which a short array or object stands on one line."""
    line = json.dumps(value, ensure_ascii=True)
    if not isinstance(value, dict | list) or not value or len(line) + indent <= 100:
        return line
    space = " " * (indent + 2)
    if isinstance(value, dict):
        inner = [f"{space}{json.dumps(k)}: {pretty(v, indent + 2)}" for k, v in value.items()]
    else:
        inner = [space + pretty(item, indent + 2) for item in value]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return opening + "\n" + ",\n".join(inner) + "\n" + " " * indent + closing
