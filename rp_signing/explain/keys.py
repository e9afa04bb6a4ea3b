"""Keys that are nearly right: which secret may have signed, and what was made of it before it did (SPEC §8).

No `Key` is a `Secret`, so none can get into a keyring and verify anything.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple, cast

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from ..keys import ApiKey, Keyring
from .causes import Cause, cause

__all__ = ["MAX_OTHERS", "Key", "Sent", "Source", "active", "others", "spoiled", "spoiled_twice", "unspoiled"]

MAX_OTHERS = 200
"""How many secrets of other api keys are tried at the most, where no key id says which one it was."""

_PREFIXES = ("rps_test_", "rps_live_", "whsec_", "Bearer ", "sha256=", "secret=", "SECRET=", "RP_SECRET=")
_UNSET = ("undefined", "null", "None", "nil", "[object Object]")


class Sent(NamedTuple):
    """What a sender said of its keys.

    Attributes:
        api_key: the text, or None.
        api_key_id: 16 hex digits, of the third line.
        live: which kind of api key, or None.
        key_id: 16 hex digits, or None where none was sent.
    """

    api_key: str | None
    api_key_id: str
    live: bool | None
    key_id: str | None

    def __repr__(self) -> str:
        return f"<Sent {self.api_key_id} {self.key_id}>"


class Source(NamedTuple):
    """A secret of the keyring, and the mistakes it takes for it to have signed.

    Attributes:
        causes: none for the one that should have signed.
        text: the secret.
        key_id: 16 hex digits.
        api_key_id: of the third line when it signed, or None for the one that was sent.
    """

    causes: tuple[Cause, ...]
    text: str
    key_id: str
    api_key_id: str | None = None

    def __repr__(self) -> str:
        return f"<Source {self.key_id}>"


class Key:
    """What may have keyed the HMAC. Its repr shows the key id alone.

    Attributes:
        causes: the mistakes that lead to it.
        raw: its bytes.
        fourth: the fourth line that goes with it, or None for the one that was sent.
        keyed: gives what takes one message and then gives its MAC.
    """

    __slots__ = ("_source", "causes", "fourth", "keyed", "raw")

    def __init__(self, causes: tuple[Cause, ...], key: bytes, source: Source) -> None:
        self.causes: tuple[Cause, ...] = causes
        self.raw: bytes = key
        self.keyed: Callable[[], Any] = HMAC(key, SHA256()).copy
        self._source = source
        self.fourth: str | None = None

    def mac(self, message: bytes) -> bytes:
        """Give what this key and its way of making a MAC give of a message, 32 bytes: HMAC-SHA256."""
        context = self.keyed()
        context.update(message)
        return cast("bytes", context.finalize())

    @property
    def api_key_id(self) -> str | None:
        """The third line that goes with it, or None for the one that was sent."""
        return self._source.api_key_id

    @property
    def key_id(self) -> str:
        """The id that its bytes have, 16 hex digits (SPEC KEY-2)."""
        return Key((), self.raw, self._source).mac(b"rp1-key-id").hex()[:16]

    def is_named(self, key_id: str) -> bool:
        """Tell whether a signer with this key could have sent this key id."""
        return key_id in (self._source.key_id, self.key_id, self.mac(b"rp1-key-id").hex()[:16])

    def named(self, key_id: str) -> Key:
        """Give the same key with a fourth line of its own, for an event, whose signer writes it."""
        key = copy(self)
        key.fourth = key_id
        return key

    def because(self, why: Cause) -> Key:
        """Give the same key with one more mistake before the others."""
        key = copy(self)
        key.causes = (why, *self.causes)
        return key

    def __repr__(self) -> str:
        return f"<Key {self.key_id}>"


Make = Callable[[Key, bytes], bytes]


def _misused(causes: tuple[Cause, ...], key: bytes, source: Source, make: Make) -> Key:
    """Give a key with which the MAC is made in another way."""
    misused = Key(causes, key, source)
    misused.keyed = partial(_Making, partial(make, Key(causes, key, source)))
    return misused


class _Making:
    """A MAC that is made in another way."""

    def __init__(self, make: Callable[[bytes], bytes]) -> None:
        self._make = make

    def update(self, message: bytes) -> None:
        """Take the message."""
        self._message = message

    def finalize(self) -> bytes:
        """Give what this way gives of it, 32 bytes."""
        return self._make(self._message)


def active(entry: ApiKey) -> list[Source]:
    """Give the active secrets of an api key, newest first."""
    return [Source((), secret.reveal(), key_id) for key_id, secret in entry.secrets.items()]


def others(keyring: Keyring, entry: ApiKey | None, sent: Sent) -> Iterator[Source]:
    """Give the secrets that should not have signed: retired ones first, then those of other api keys."""
    if entry is not None:
        usable = ", ".join(entry.secrets) or "none"
        for key_id, old in entry.retired.items():
            why = cause("secret_retired", key_id=key_id, until=old.until, active=usable)
            yield Source((why,), old.secret.reveal(), key_id)
    for other in keyring:
        if other is entry:
            continue
        secrets = {**other.secrets, **{key_id: old.secret for key_id, old in other.retired.items()}}
        for key_id, secret in secrets.items():
            text, ids = secret.reveal(), {"key_id": key_id, "api_key_id": other.api_key_id}
            if sent.live is not None and sent.live != other.live:
                mixed = cause("test_for_live" if sent.live else "live_for_test", **ids)
                yield Source((mixed,), text, key_id)
                yield Source((mixed,), text, key_id, other.api_key_id)
            else:
                hint = f"; the secret that signed is {key_id}, of api key {other.api_key_id}"
                unknown = cause("api_key_unknown", sent=sent.api_key_id, hint=hint)
                known = unknown if entry is None else cause("secret_of_other_api_key", **ids)
                yield Source((known,), text, key_id)
                elsewhere = cause("api_key_other", api_key_id=other.api_key_id, sent=sent.api_key_id)
                yield Source((elsewhere,), text, key_id, other.api_key_id)


def unspoiled(source: Source) -> Key:
    """Give the key that a secret is."""
    return Key(source.causes, source.text.encode(), source)


def spoiled(source: Source, api_key: str | None) -> Iterator[Key]:
    """Give every key that one more mistake may have made of a secret."""
    raw = source.text.encode()
    named = [(cause(name, **shown), key) for name, key, shown in _spellings(source.text, raw)]
    named.append((cause("key_id_as_secret"), source.key_id.encode()))
    if api_key is not None:
        named.append((cause("api_key_as_secret"), api_key.encode()))
    for why, key in named:
        yield Key((*source.causes, why), key, source)
    for name, make in _MAKES:
        yield _misused((*source.causes, cause(name)), raw, source, make)


def spoiled_twice(source: Source, api_key: str | None) -> Iterator[Key]:
    """Give every key that two more mistakes may have made of a secret."""
    raw = source.text.encode()
    texts = [(cause(name, **shown), key) for name, key, shown in _spellings(source.text, raw)]
    if api_key is not None:
        texts.append((cause("api_key_as_secret"), api_key.encode()))
    for why, key in texts:
        causes = (*source.causes, why)
        if key.isascii() and key:
            for name, again, shown in _spellings(key.decode(), key):
                if name != why.cause and again != raw:
                    yield Key((*causes, cause(name, **shown)), again, source)
        for name, make in _MAKES:
            yield _misused((*causes, cause(name)), key, source, make)


def _spellings(text: str, raw: bytes) -> Iterator[tuple[str, bytes, dict[str, object]]]:
    for name, key in (
        *(("secret_newline", raw + end) for end in (b"\n", b"\r\n", b"\r")),
        *(("secret_space", key) for key in (raw + b" ", b" " + raw, raw + b"\t")),
        *(("secret_quoted", quote + raw + quote) for quote in (b'"', b"'")),
        ("secret_bytes_repr", b"b'" + raw + b"'"),
        *(("secret_base64_decoded", key) for key in _base64(text)),
        *(("secret_hex_decoded", key) for key in _hex(text)),
        ("secret_base64_encoded", b64encode(raw)),
        ("secret_hex_encoded", raw.hex().encode()),
        ("secret_hashed", sha256(raw).digest()),
        ("secret_hashed", sha256(raw).hexdigest().encode()),
        ("secret_utf16", text.encode("utf-16-le")),
        ("secret_empty", b""),
    ):
        yield name, key, {}
    for prefix in _PREFIXES:
        yield "secret_prefix_added", prefix.encode() + raw, {"prefix": prefix}
    if text.startswith("rps_"):
        yield "secret_prefix_cut", raw[9:], {}
    for length in (len(raw) - 8, len(raw) - 1, 64, 32):
        if 0 < length < len(raw):
            yield "secret_truncated", raw[:length], {"length": length}
    for case, key in (("lower", raw.lower()), ("upper", raw.upper())):
        if key != raw:
            yield "secret_case", key, {"case": case}
    for word in _UNSET:
        yield "secret_unset", word.encode(), {"word": word}


def _base64(text: str) -> Iterator[bytes]:
    """Decode leniently, as most decoders do: other characters skipped, or those of base64url taken as well."""
    bare = re.sub(r"^rps_(?:live|test)_", "", text)
    cut = bare[:-8] if bare != text else bare
    for part in dict.fromkeys((text, bare, cut)):
        for alphabet in (part.replace("-", "+").replace("_", "/"), part):
            kept = re.sub(r"[^A-Za-z0-9+/]", "", alphabet)
            kept = kept[:-1] if len(kept) % 4 == 1 else kept
            yield a2b_base64(kept + "=" * (-len(kept) % 4))


def _hex(text: str) -> Iterator[bytes]:
    bare = re.sub(r"^rps_(?:live|test)_", "", text)
    for part in dict.fromkeys((text, bare)):
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", part):
            yield bytes.fromhex(part)


def _exchanged(key: Key, message: bytes) -> bytes:
    context = HMAC(message, SHA256())
    context.update(key.raw)
    return context.finalize()


_MAKES: tuple[tuple[str, Make], ...] = (
    ("hmac_arguments_swapped", _exchanged),
    ("hash_without_hmac", lambda key, message: sha256(key.raw + message).digest()),
    ("hash_without_hmac", lambda key, message: sha256(message + key.raw).digest()),
    ("hash_without_hmac", lambda key, message: sha256(key.raw + b"\n" + message).digest()),
    ("hash_without_hmac", lambda key, message: sha256(message + b"\n" + key.raw).digest()),
    ("signing_input_hashed", lambda key, message: key.mac(sha256(message).digest())),
    ("signing_input_hashed", lambda key, message: key.mac(sha256(message).hexdigest().encode())),
)
