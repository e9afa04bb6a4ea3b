"""Bugs of keys, signing input and MAC: SPEC.md §5 and §8."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import io
import re
from binascii import Error as NotBase64
from contextlib import suppress
from typing import Any

from broken_bug import Bugs
from second_json import Refused, canonical, read
from second_keys import checksum, secret_of
from second_wire import GRAMMAR, digest, eight_lines, joined, key_id, mac

BUGS = Bugs()
SIGNING = "signing-input sign verify events replay"
LEFT_OUT = (
    "version-left-out", "purpose-left-out", "api-key-outside-input", "key-id-outside-input",
    "timestamp-outside-input", "nonce-left-out", "length-left-out", "input-otherwise.digest",
)  # fmt: skip


def without_line(number: int) -> Any:
    """The lines without one of them."""

    def lines(*words: Any) -> list[str]:
        made = eight_lines(*words)
        return made[:number] + made[number + 1 :]

    return lines


for _number, _name in enumerate(LEFT_OUT):
    BUGS.put(_name, SIGNING, eight_lines=without_line(_number))
BUGS.put("id-otherwise.api-key", "keys sign verify", api_key_id=lambda text: digest(text.encode())[:16])
BUGS.put("id-otherwise.key", "keys sign verify", key_id=lambda secret: digest(secret.encode())[:16])
BUGS.put("oldest-signs", "sign", newest=lambda secrets: secrets[-1])
BUGS.put("empty-body-signed", "sign", not_empty=lambda body: None)
BUGS.put("weak-secret.short", "keys", SHORTEST_SECRET=16)
BUGS.put("weak-secret.characters", "keys", characters=lambda secret: None)
BUGS.put("checksum-ignored", "keys", checksum=lambda secret: None)
BUGS.put("checksum-ignored.length-alone", "keys", MADE=re.compile(r"rps_(?:live|test)_[A-Za-z0-9_-]+"))
BUGS.put("checksum-ignored.case", "keys", checksum=lambda secret: checksum(secret[:-8] + secret[-8:].lower()))
BUGS.put("credentials-swapped", "keys", swapped=lambda text, prefix, rule: None)
BUGS.put("live-and-test-mixed", "keys", beside=lambda api_key, secret: None)
BUGS.put("secrets-miscounted.5", "keys", MOST_SECRETS=5)
BUGS.put("secrets-miscounted.2", "keys", MOST_SECRETS=2)
BUGS.put("api-key-grammar", "keys verify", GRAMMAR={**GRAMMAR, "api_key": r"rpx_[a-z]+_\S+"})
BUGS.put("api-key-grammar.case", "keys verify", GRAMMAR={**GRAMMAR, "api_key": f"(?i:{GRAMMAR['api_key']})"})


@BUGS.piece("joined", "input-otherwise.line-end", SIGNING)
def ended(lines: list[str]) -> bytes:
    """Each line ends with LF, the last one too."""
    return joined(lines) + b"\n"


@BUGS.piece("joined", "input-otherwise.carriage-returns", SIGNING)
def carriage_returns(lines: list[str]) -> bytes:
    """Lines end as HTTP's do."""
    return "\r\n".join(lines).encode()


@BUGS.piece("eight_lines", "input-otherwise.upper-case", SIGNING)
def upper_case_digest(*words: Any) -> list[str]:
    """The digest in upper-case hex."""
    *lines, last = eight_lines(*words)
    return [*lines, last.upper()]


@BUGS.piece("eight_lines", "input-otherwise.body", SIGNING)
def body_itself(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> list[str]:
    """The body in the place of its digest."""
    return [*eight_lines(purpose, api, key, timestamp, nonce, data)[:7], data.decode("latin-1")]


@BUGS.piece("eight_lines", "timestamp-32-bit", "signing-input verify")
def thirty_two_bits(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> list[str]:
    """Seconds in a signed 32-bit integer."""
    seconds = timestamp if timestamp == "-" else str(ctypes.c_int32(int(timestamp)).value)
    return eight_lines(purpose, api, key, seconds, nonce, data)


@BUGS.piece("eight_lines", "length-in-characters", "signing-input sign verify events")
def characters(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> list[str]:
    """The length of the text."""
    lines = eight_lines(purpose, api, key, timestamp, nonce, data)
    return [*lines[:6], str(len(data.decode("utf-8", "replace"))), lines[7]]


@BUGS.piece("eight_lines", "digest-of-text", "signing-input verify")
def text_mode(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> list[str]:
    """The body was read as text, with the line ends of the house."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="replace").read()
    return eight_lines(purpose, api, key, timestamp, nonce, text.encode())


@BUGS.piece("eight_lines", "digest-of-text.replaced", "signing-input verify")
def decoded_and_encoded(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> list[str]:
    """The body was decoded and encoded again."""
    return eight_lines(purpose, api, key, timestamp, nonce, data.decode("utf-8", "replace").encode())


@BUGS.piece("eight_lines", "digest-of-canonical", "signing-input sign verify")
def of_canonical(purpose: str, api: str, key: str, timestamp: str, nonce: str, data: bytes) -> list[str]:
    """What is hashed is what the framework parsed, written again."""
    with suppress(Refused):
        data = canonical(read(data))
    return eight_lines(purpose, api, key, timestamp, nonce, data)


@BUGS.piece("hmac_sha256", "hmac-wrong", "hmac sign keys")
def cut_key(key: bytes, data: bytes) -> bytes:
    """An HMAC by hand that cuts long keys instead of hashing them."""
    block = key[:64].ljust(64, b"\0")
    inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in block) + data).digest()
    return hashlib.sha256(bytes(octet ^ 0x5C for octet in block) + inner).digest()


@BUGS.piece("hmac_sha256", "hmac-wrong.plain-hash", "hmac sign keys")
def plain_hash(key: bytes, data: bytes) -> bytes:
    """A hash of key and data is no HMAC."""
    return hashlib.sha256(key + data).digest()


@BUGS.piece("key_bytes", "secret-decoded.base64", "keys sign")
def from_base64(secret: str) -> bytes:
    """A secret that looks like base64 is decoded."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except NotBase64:
        return secret.encode()


@BUGS.piece("key_bytes", "secret-decoded.hex", "keys sign")
def from_hex(secret: str) -> bytes:
    """A secret that looks like hex is decoded."""
    try:
        return bytes.fromhex(secret)
    except ValueError:
        return secret.encode()


@BUGS.piece("key_bytes", "secret-decoded.prefix", "keys sign verify")
def without_prefix(secret: str) -> bytes:
    """The prefix is taken for a label."""
    return secret.removeprefix("rps_test_").removeprefix("rps_live_").encode()


@BUGS.piece("secret_of", "secret-trimmed", "keys")
def trimmed(text: str) -> str:
    """White space around a secret is taken away."""
    return secret_of(text.strip())


@BUGS.piece("secret_of", "secret-trimmed.newline", "keys")
def without_newline(text: str) -> str:
    """A line end at the end is taken away."""
    return secret_of(text.rstrip("\r\n"))


@BUGS.piece("attempt", "body-alone-signed", "verify replay")
def body_alone(found: dict[str, str], secrets: list[str], body: bytes) -> tuple[str, bytes]:
    """The MAC of the body, as most webhooks have it."""
    for secret in secrets:
        if found["signature"] == "sha256=" + mac(secret, body):
            return secret, body
    raise Refused("signature_mismatch")


@BUGS.piece("key_id", "id-otherwise.long", "keys sign verify")
def long_id(secret: str) -> str:
    """32 digits in the place of 16."""
    return key_id(secret) + mac(secret, b"rp1-key-id")[16:32]
