"""Secrets that hide themselves, the public ids made from keys, and the keyring (SPEC §8)."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar
from zlib import crc32

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from . import grammar

__all__ = ["MAX_SECRETS", "ApiKey", "Keyring", "RetiredSecret", "Secret", "api_key_id", "api_key_text", "secret_text"]

MAX_SECRETS = 4
"""How many active secrets an api key has at the most (SPEC KEY-5)."""

_CHECKED = re.compile(r"rps_(live|test)_[A-Za-z0-9_-]{43}[0-9a-f]{8}")
_PRINTABLE = re.compile(r"[!-~]*")
_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def forgetting(make: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Decorate what takes keys: its errors keep no frame, whose locals an exception tracker would send."""

    @wraps(make)
    def forgets(*given: _Given.args, **named: _Given.kwargs) -> _Made:
        try:
            return make(*given, **named)
        except (TypeError, ValueError) as error:
            del given, named
            raise error.with_traceback(None) from None

    return forgets


class Secret:
    """The text that keys the HMAC (SPEC KEY-2, KEY-3, KEY-4). Its repr shows the key id alone.

    Args:
        text: 32 to 256 printable ASCII characters without spaces, used exactly as given; one that begins with
            ``rps_live_`` or ``rps_test_`` must have its checksum.

    Attributes:
        key_id: 16 hex digits; public.
        keyed: gives an HMAC-SHA256 that is keyed and has seen nothing yet, for one message.
        live: True or False by the prefix, None where the text has none.

    Raises:
        ValueError: the text breaks a rule; the message says which, and never holds the text.
        TypeError: the text is no str.
    """

    __slots__ = ("_text", "key_id", "keyed", "live")

    keyed: Callable[[], HMAC]
    key_id: str
    live: bool | None

    @forgetting
    def __init__(self, text: str) -> None:
        self._text = _checked_secret(text)
        # Keyed once, copied for each message: half the price of keying anew.
        self.keyed = HMAC(self._text.encode(), SHA256()).copy
        self.key_id = self.mac(b"rp1-key-id").hex()[:16]
        self.live = {"rps_live": True, "rps_test": False}.get(self._text[:8])

    def mac(self, message: bytes) -> bytes:
        """Give HMAC-SHA256 of a message, 32 bytes (SPEC INP-2)."""
        context = self.keyed()
        context.update(message)
        return context.finalize()

    def reveal(self) -> str:
        """Give the text itself, for writing it to where secrets are kept."""
        return self._text

    def __repr__(self) -> str:
        return f"<Secret {self.key_id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.key_id == self.key_id

    def __hash__(self) -> int:
        return hash(self.key_id)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is neither pickled nor copied; hand over where it is kept instead")


class RetiredSecret:
    """A secret that no longer passes the gate, and verifies at rest what was received until then (SPEC KEY-6).

    Attributes:
        secret: the `Secret`.
        until: Unix seconds (int); received at or before that, an event still verifies.
    """

    __slots__ = ("secret", "until")

    @forgetting
    def __init__(self, secret: Secret | str, until: int) -> None:
        if type(until) is not int or until < 0:
            raise ValueError("until must be whole Unix seconds (an int)")
        self.secret: Secret = _as_secret(secret)
        self.until: int = until

    def __repr__(self) -> str:
        return f"<RetiredSecret {self.secret.key_id} until {self.until}>"


class ApiKey:
    """What a verifier knows of one api key. Its repr shows ids alone.

    Args:
        api_key: its text (SPEC §4).
        secrets: the active ones, newest first, 0 to 4; a `Secret` or its text.
        retired: those that verify at rest only.
        require_signature: refuse unsigned requests; by default, if there is a secret.

    Attributes:
        api_key_id: 16 hex digits; public.
        live: True for ``rpx_live_``, False for ``rpx_test_``.
        secrets: key id → `Secret`, newest first.

    Raises:
        ValueError: a key or secret breaks a rule of SPEC §8; the message says which.
    """

    __slots__ = ("api_key_id", "live", "require_signature", "retired", "secrets")

    @forgetting
    def __init__(
        self,
        api_key: str,
        secrets: Iterable[Secret | str] = (),
        *,
        retired: Iterable[RetiredSecret] = (),
        require_signature: bool | None = None,
    ) -> None:
        _check_api_key(api_key)
        active = [_as_secret(secret) for secret in secrets]
        self.api_key_id: str = api_key_id(api_key)
        self.live: bool = api_key.startswith("rpx_live_")
        self.secrets: dict[str, Secret] = {secret.key_id: secret for secret in active}
        self.retired: dict[str, RetiredSecret] = {old.secret.key_id: old for old in retired}
        if len(active) > MAX_SECRETS:
            raise ValueError(f"{len(active)} active secrets; an api key has at most {MAX_SECRETS}, retire the oldest")
        if len(self.secrets) < len(active):
            raise ValueError("the same secret stands twice among the active ones")
        if not self.retired.keys().isdisjoint(self.secrets):
            raise ValueError("a secret is both active and retired; take it out of one of the two")
        for secret in active:
            if secret.live is not None and secret.live != self.live:
                kinds = ("live", "test") if secret.live else ("test", "live")
                raise ValueError("a {} secret beside a {} api key; take keys of one kind".format(*kinds))
        if require_signature and not active:
            raise ValueError("a signature is required, but there is no active secret")
        self.require_signature: bool = bool(active) if require_signature is None else require_signature

    def __repr__(self) -> str:
        return f"<ApiKey {self.api_key_id} secrets={list(self.secrets)} retired={list(self.retired)}>"


class Keyring:
    """The api keys that a verifier takes, each with its secrets. Its repr shows counts alone.

    `Keyring.of` makes one from plain data; `rp_signing.keyfile.load_keyring` from a keys file.

    Raises:
        ValueError: two entries share an api key, or an api key id.
    """

    __slots__ = ("_by_id", "_by_key")

    @forgetting
    def __init__(self, entries: Mapping[str, ApiKey]) -> None:
        self._by_key = dict(entries)
        self._by_id = {entry.api_key_id: entry for entry in self._by_key.values()}
        if len(self._by_id) < len(self._by_key):
            raise ValueError("two api keys share an api key id; make a new one")
        for text, entry in self._by_key.items():
            if api_key_id(text) != entry.api_key_id:
                raise ValueError("an entry stands under another api key than its own")

    @classmethod
    @forgetting
    def of(cls, keys: Mapping[str, Secret | str | Iterable[Secret | str]]) -> Keyring:
        """Make a keyring from api key → secrets, newest first (SPEC KEY-5).

        Raises:
            ValueError: a key or a secret breaks a rule of SPEC §8; the message says which.
        """
        if not isinstance(keys, Mapping):
            raise TypeError("keys must be a mapping, api key → its secrets, newest first")
        entries = {}
        for text, secrets in keys.items():
            try:
                entries[text] = ApiKey(text, (secrets,) if isinstance(secrets, (Secret, str)) else secrets)
            except (TypeError, ValueError) as error:
                raise type(error)(f"api key {len(entries) + 1}: {error}") from None
        return cls(entries)

    def find(self, api_key: object) -> ApiKey | None:
        """Give what is known of an api key, or None."""
        try:
            return self._by_key.get(api_key)  # type: ignore[call-overload,no-any-return]  # what is no str is not there
        except TypeError:
            return None

    def find_id(self, api_key_id: str) -> ApiKey | None:
        """Give what is known of the api key with this id (16 hex digits), or None."""
        return self._by_id.get(api_key_id)

    def __iter__(self) -> Any:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def __repr__(self) -> str:
        return f"<Keyring of {len(self)} api keys>"


def api_key_id(api_key: str) -> str:
    """Give the api key id, 16 hex digits (SPEC KEY-1)."""
    return hashlib.sha256(b"rp1-api-key\n" + api_key.encode()).hexdigest()[:16]


def secret_text(random: bytes, *, live: bool) -> str:
    """Write 32 random bytes as a secret with its checksum (SPEC KEY-4)."""
    if len(random) != 32:
        raise ValueError("a secret is made of 32 random bytes")
    body = f"rps_{'live' if live else 'test'}_" + urlsafe_b64encode(random).decode().rstrip("=")
    return f"{body}{crc32(body.encode()):08x}"


def api_key_text(random: bytes, *, live: bool) -> str:
    """Write 16 random bytes as an api key (SPEC §4)."""
    if len(random) != 16:
        raise ValueError("an api key is made of 16 random bytes")
    return f"rpx_{'live' if live else 'test'}_" + urlsafe_b64encode(random).decode().rstrip("=")


def _as_secret(secret: Secret | str) -> Secret:
    return secret if isinstance(secret, Secret) else Secret(secret)


def _checked_secret(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"the secret must be a str, not {type(text).__name__}")
    plain = str.__str__(text)  # a member of a str Enum prints as something else
    fault = _fault_of_secret(plain)
    if fault:
        raise ValueError(f"the secret {fault}")
    return plain


def _fault_of_secret(text: str) -> str | None:
    if not text:
        return "is empty; is the variable that holds it set?"
    if grammar.API_KEY.matches(text):
        return "is an api key (rpx_…); the two were exchanged"
    if text[-1] in "\r\n":
        return "ends in a newline; strip it where it is read"
    if any(character.isspace() for character in text):
        return "holds a space or a newline; it was copied with something around it"
    if not _PRINTABLE.fullmatch(text):
        return "holds a character that is not printable ASCII"
    if text.startswith(("rps_live_", "rps_test_")):
        if not _CHECKED.fullmatch(text):
            return "begins like a generated one but has another length or alphabet: truncated or mistyped"
        if f"{crc32(text[:-8].encode()):08x}" != text[-8:]:
            return "has a wrong checksum: truncated or mistyped"
    if not 32 <= len(text) <= 256:
        return f"has {len(text)} characters; it must have 32 to 256"
    return None


def _check_api_key(text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"the api key must be a str, not {type(text).__name__}")
    if text.startswith("rps_"):
        raise ValueError("the api key is a secret (rps_…); the two were exchanged")
    if not grammar.API_KEY.matches(text):
        raise ValueError(f"the api key must be {grammar.API_KEY.shape}")
