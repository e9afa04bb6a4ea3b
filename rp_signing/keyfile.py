"""The keys file: which api keys a server takes, and where their secrets are kept (SPEC §8)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from .canonical import parse
from .errors import CanonicalizationError
from .keys import ApiKey, Keyring, RetiredSecret, Secret, forgetting

__all__ = ["MAX_BYTES", "keyring_of", "load_keyring", "read_document", "read_secret"]

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of a keys file that are read at the most: some 80,000 api keys."""

_MAX_SECRET_BYTES = 4096
_LAST_NEWLINE = re.compile(rb"\r?\n\Z")


def load_keyring(path: str | os.PathLike[str]) -> Keyring:
    """Read a keys file.

    Args:
        path: the file; a relative ``{"file": …}`` in it starts from its folder.

    Raises:
        ValueError: it cannot be read, or breaks a rule of SPEC §8; the message names the file, the entry and the
            rule, and never holds a key or a secret.
    """
    path = Path(path)
    try:
        return keyring_of(_parsed(_read(path, MAX_BYTES)), path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_document(path: str | os.PathLike[str]) -> Any:
    """Give a keys file's content, parsed and not judged.

    Raises:
        ValueError: it cannot be read, or is no JSON.
    """
    path = Path(path)
    try:
        return _parsed(_read(path, MAX_BYTES))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_secret(path: str | os.PathLike[str]) -> Secret:
    """Read a secret from a file of its own: UTF-8; one line end after it is not part of it.

    Raises:
        ValueError: it cannot be read, or breaks a rule of SPEC §8; the message names the file, and never holds the
            secret.
    """
    path = Path(path)
    try:
        return Secret(_secret_text(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


@forgetting
def keyring_of(document: Any, directory: str | os.PathLike[str] | None = None) -> Keyring:
    """Make a keyring from a keys file's content, already parsed.

    Args:
        document: the JSON object.
        directory: where a relative ``{"file": …}`` starts from; the working directory when None.

    Raises:
        ValueError: as in `load_keyring`, without the file's name.
    """
    members = _members(document, "the keys file", required=("api_keys",))
    entries: dict[str, ApiKey] = {}
    for index, item in enumerate(_list(members["api_keys"], "api_keys")):
        place = f"api_keys[{index}]"
        api_key, entry = _entry(item, place, Path(directory or "."))
        if api_key in entries:
            raise ValueError(f"{place}: this api key has an entry already")
        entries[api_key] = entry
    return Keyring(entries)


def _entry(item: Any, place: str, directory: Path) -> tuple[str, ApiKey]:
    members = _members(item, place, required=("api_key",), optional=("secrets", "retired", "require_signature"))
    secrets = [
        _secret(source, f"{place}.secrets[{index}]", directory)
        for index, source in enumerate(_list(members.get("secrets", []), f"{place}.secrets"))
    ]
    retired = [
        _retired(source, f"{place}.retired[{index}]", directory)
        for index, source in enumerate(_list(members.get("retired", []), f"{place}.retired"))
    ]
    require_signature = members.get("require_signature")
    if "require_signature" in members and type(require_signature) is not bool:
        raise ValueError(f"{place}.require_signature: must be true or false")
    api_key = members["api_key"]
    try:
        return api_key, ApiKey(api_key, secrets, retired=retired, require_signature=require_signature)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}") from None


def _retired(item: Any, place: str, directory: Path) -> RetiredSecret:
    members = _members(item, place, required=("secret", "until"))
    secret = _secret(members["secret"], f"{place}.secret", directory)
    try:
        return RetiredSecret(secret, members["until"])
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _secret(source: Any, place: str, directory: Path) -> Secret:
    """Take a secret from where it is kept: the file itself, the environment, or a file of its own."""
    try:
        return Secret(_text(source, directory) if isinstance(source, dict) else source)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}") from None


def _text(source: dict[str, Any], directory: Path) -> str:
    members = _members(source, "a secret's source", optional=("env", "file"))
    if len(members) != 1 or not isinstance(name := next(iter(members.values())), str):
        raise ValueError('a secret is a string, {"env": "NAME"} or {"file": "path"}')
    if "env" in members:
        if name not in os.environ:
            raise ValueError(f"the environment variable {_shown(name)} is not set")
        return os.environ[name]
    path = directory / name
    try:
        return _secret_text(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _secret_text(path: Path) -> str:
    try:
        return _LAST_NEWLINE.sub(b"", _read(path, _MAX_SECRET_BYTES)).decode()
    except UnicodeDecodeError:
        raise ValueError("it holds no text") from None


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    if len(content) > limit:
        raise ValueError(f"it is longer than {limit:,} bytes")
    return content


def _parsed(content: bytes) -> Any:
    try:
        return parse(content, MAX_BYTES)
    except CanonicalizationError as error:
        place = "/".join(_shown(name) for name in (error.pointer or "").split("/"))
        raise ValueError(f"{error.reason}: {error.detail}{place and f' (at {place})'}") from None


def _members(value: Any, place: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{place}: must be a JSON object")
    for name in value:
        if name not in required + optional:
            raise ValueError(f"{place}: no member {_shown(name)} is known; there are {', '.join(required + optional)}")
    for name in required:
        if name not in value:
            raise ValueError(f"{place}: the member {name} is missing")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{place}: must be a JSON array")
    return value


def _shown(name: str) -> str:
    """Write a name that was found in the file, unless it could be a key or a secret in the wrong place."""
    return name if len(name) < 32 and not name.startswith(("rps_", "rpx_")) else "…"
