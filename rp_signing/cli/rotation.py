"""Edits of a keys file: each one judged as a server would, and then written whole or not at all (SPEC §8)."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..keyfile import keyring_of, read_document
from ..keys import ApiKey, Keyring

__all__ = ["KeysFile"]


class KeysFile:
    """A keys file that is being edited.

    Args:
        path: the file; where there is none, an edit makes it. A link is followed, so that it stays one.

    Attributes:
        keyring: what the file says.

    Raises:
        ValueError: it cannot be read, or breaks a rule of SPEC §8.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._document: Any = read_document(self._path) if self._path.exists() else {"api_keys": []}
        self.keyring: Keyring = self._judged()

    def add_api_key(self, api_key: str, secret: str) -> None:
        """Add an api key with its first secret, and write the file."""
        self._document["api_keys"].append({"api_key": api_key, "secrets": [secret]})
        self._write()

    def add_secret(self, api_key_id: str, secret: str) -> None:
        """Add the next secret of an api key, as the newest, and write the file.

        Raises:
            ValueError: the api key is not in the file, or has as many secrets as it may have.
        """
        entry = self._entry(api_key_id)
        entry["secrets"] = [secret, *entry.get("secrets", [])]
        self._write()

    def retire(self, key_id: str, until: int) -> str:
        """Take a secret from the active ones to the retired, and write the file.

        Args:
            key_id: 16 hex digits.
            until: Unix seconds; what was received later no longer verifies at rest.

        Returns:
            The api key id that it is of.

        Raises:
            ValueError: the secret is not active, or is the only one of its api key.
        """
        owner = self.owner(key_id)
        entry = self._entry(owner.api_key_id)
        if len(owner.secrets) == 1:
            raise ValueError(
                f"{key_id} is the only active secret of api key {owner.api_key_id}, which without one would take "
                "unsigned requests; add the next secret first"
            )
        # The keyring has the secrets in the order of the file.
        secret = entry["secrets"].pop(list(owner.secrets).index(key_id))
        entry["retired"] = [*entry.get("retired", []), {"secret": secret, "until": until}]
        self._write()
        return owner.api_key_id

    def owner(self, key_id: str) -> ApiKey:
        """Give the api key whose active secret this is."""
        for entry in self.keyring:
            if key_id in entry.secrets:
                return entry  # type: ignore[no-any-return]
        if any(key_id in entry.retired for entry in self.keyring):
            raise ValueError(f"{key_id} is retired already")
        raise ValueError(f"no secret in {self._path} has key id {key_id}; `rp-signing keys status` shows them")

    def _entry(self, api_key_id: str) -> dict[str, Any]:
        for document, entry in zip(self._document["api_keys"], self.keyring, strict=True):
            if entry.api_key_id == api_key_id:
                return document  # type: ignore[no-any-return]
        raise ValueError(f"no api key in {self._path} has api key id {api_key_id}; `rp-signing keys status` shows them")

    def _judged(self) -> Keyring:
        try:
            return keyring_of(self._document, self._path.parent)
        except ValueError as error:
            raise ValueError(f"{self._path}: {error}") from None

    def _write(self) -> None:
        """Write a new file beside the old one and put it in its place: a reader sees one or the other, whole."""
        self.keyring = self._judged()
        draft = self._path.with_name(self._path.name + ".new")
        try:
            # Whoever edits at the same time fails here, instead of losing the other's edit.
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ValueError(f"{draft} exists: another edit is under way, or died; look, and remove it") from None
        except OSError as error:
            raise ValueError(f"{draft} cannot be made: {error.strerror}") from None
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(self._document, file, indent=2, ensure_ascii=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        _sync(self._path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
