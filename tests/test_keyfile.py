"""The keys file of SPEC §8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from parties import LIVE_API_KEY, OLD, OTHER, OTHER_API_KEY, UNSIGNED_API_KEY
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, Secret
from rp_signing.keyfile import keyring_of, load_keyring


def written(folder: Path, document: Any) -> Path:
    """A keys file with this content."""
    path = folder / "keys.json"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return path


def one(**members: Any) -> dict[str, Any]:
    """A keys file of one entry."""
    return {"api_keys": [{"api_key": API_KEY, **members}]}


def entry_of(keyring: Keyring, api_key: str = API_KEY) -> Any:
    """What the keyring knows of an api key."""
    entry = keyring.find(api_key)
    assert entry is not None
    return entry


def complaint(folder: Path, document: Any) -> str:
    """What is said of a file that is refused, with neither a key nor a secret in it."""
    with pytest.raises(ValueError, match=r"keys\.json: ") as caught:
        load_keyring(written(folder, document))
    said = str(caught.value).removeprefix(f"{folder / 'keys.json'}: ")
    assert not [text for text in (API_KEY, LIVE_API_KEY, SECRET, OLD, OTHER) if text in said]
    return said


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    """Active secrets come newest first, retired ones with their end, and unsigned requests where it is said."""
    document = {
        "api_keys": [
            {"api_key": API_KEY, "secrets": [SECRET, OLD], "retired": [{"secret": OTHER, "until": 1790000000}]},
            {"api_key": OTHER_API_KEY, "secrets": [OTHER], "require_signature": False},
            {"api_key": UNSIGNED_API_KEY},
        ]
    }
    keyring = load_keyring(written(tmp_path, document))
    entry = entry_of(keyring)
    assert list(entry.secrets) == [Secret(SECRET).key_id, Secret(OLD).key_id]
    assert entry.retired[Secret(OTHER).key_id].until == 1790000000
    assert len(keyring) == 3
    required = [entry_of(keyring, key).require_signature for key in (API_KEY, OTHER_API_KEY, UNSIGNED_API_KEY)]
    assert required == [True, False, False]


def test_a_secret_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret named by an environment variable is taken exactly as it stands there."""
    monkeypatch.setenv("RP_TEST_SECRET", OLD)
    keyring = load_keyring(written(tmp_path, one(secrets=[{"env": "RP_TEST_SECRET"}])))
    assert list(entry_of(keyring).secrets) == [Secret(OLD).key_id]
    monkeypatch.setenv("RP_TEST_SECRET", OLD + "\n")
    assert "ends in a newline" in complaint(tmp_path, one(secrets=[{"env": "RP_TEST_SECRET"}]))
    monkeypatch.delenv("RP_TEST_SECRET")
    assert complaint(tmp_path, one(secrets=[{"env": "RP_TEST_SECRET"}])) == (
        "api_keys[0].secrets[0]: the environment variable RP_TEST_SECRET is not set"
    )


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_secret_may_come_from_a_file_beside(tmp_path: Path, end: bytes) -> None:
    """A secret's file is found from the keys file's folder, and its one newline at the end is not part of it."""
    (tmp_path / "old").write_bytes(OLD.encode() + end)
    retired = [{"secret": {"file": str(tmp_path / "old")}, "until": 5}]
    keyring = load_keyring(written(tmp_path, one(secrets=[{"file": "old"}])))
    assert list(entry_of(keyring).secrets) == [Secret(OLD).key_id]
    keyring = load_keyring(written(tmp_path, one(secrets=[SECRET], retired=retired)))
    assert list(entry_of(keyring).retired) == [Secret(OLD).key_id]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (OLD.encode() + b"\n\n", "ends in a newline"),
        (b"", "is empty"),
        (b" " + OLD.encode(), "holds a space"),
        (b"\xff" * 40, "holds no text"),
        (b"x" * 5000, "is longer than"),
        (None, "No such file"),
    ],
)
def test_a_secret_s_file_is_read_strictly(tmp_path: Path, content: bytes | None, rule: str) -> None:
    """More than one newline, no content, or no file at all is a fault that names its place."""
    if content is not None:
        (tmp_path / "old").write_bytes(content)
    said = complaint(tmp_path, one(secrets=[SECRET, {"file": "old"}]))
    assert said.startswith("api_keys[0].secrets[1]: ")
    assert rule in said


@pytest.mark.parametrize(
    ("document", "place", "rule"),
    [
        (b"{", "payload_not_json", "line 1"),
        (b'{"api_keys": [], "api_keys": []}', "payload_duplicate_key", "/api_keys"),
        ([], "the keys file", "must be a JSON object"),
        ({}, "the keys file", "api_keys is missing"),
        ({"api_keys": {}}, "api_keys", "must be a JSON array"),
        ({"api_keys": [], "apikeys": []}, "the keys file", "no member apikeys"),
        ({"api_keys": [7]}, "api_keys[0]", "must be a JSON object"),
        ({"api_keys": [{}]}, "api_keys[0]", "api_key is missing"),
        (one(secret=[SECRET]), "api_keys[0]", "no member secret is known; there are api_key, secrets"),
        (one(**{SECRET: 1}), "api_keys[0]", "no member … is known"),
        (one(**{OLD: 1}), "api_keys[0]", "no member … is known"),
        (one(secrets=SECRET), "api_keys[0].secrets", "must be a JSON array"),
        (one(secrets=[SECRET[:-1]]), "api_keys[0].secrets[0]", "truncated or mistyped"),
        (one(secrets=[OLD, ""]), "api_keys[0].secrets[1]", "is empty"),
        (one(secrets=[API_KEY]), "api_keys[0].secrets[0]", "is an api key"),
        (one(secrets=[7]), "api_keys[0].secrets[0]", "must be a str, not int"),
        (one(secrets=[{}]), "api_keys[0].secrets[0]", '{"env": "NAME"}'),
        (one(secrets=[{"env": "A", "file": "b"}]), "api_keys[0].secrets[0]", '{"env": "NAME"}'),
        (one(secrets=[{"env": 7}]), "api_keys[0].secrets[0]", '{"env": "NAME"}'),
        (one(secrets=[{"vault": "x"}]), "api_keys[0].secrets[0]", "no member vault"),
        (one(secrets=[OLD, OLD]), "api_keys[0]", "stands twice"),
        (one(secrets=[OLD, SECRET, OTHER, OLD + "2", OLD + "3"]), "api_keys[0]", "at most 4"),
        (one(secrets=[OLD], retired=[{"secret": OLD, "until": 5}]), "api_keys[0]", "both active and retired"),
        (one(retired=[{"secret": OLD}]), "api_keys[0].retired[0]", "until is missing"),
        (one(retired=[{"secret": OLD, "until": "5"}]), "api_keys[0].retired[0]", "whole Unix seconds"),
        (one(retired=[{"secret": "short", "until": 5}]), "api_keys[0].retired[0].secret", "32 to 256"),
        (one(require_signature="no"), "api_keys[0].require_signature", "true or false"),
        (one(require_signature=None), "api_keys[0].require_signature", "true or false"),
        (one(require_signature=True), "api_keys[0]", "no active secret"),
        ({"api_keys": [{"api_key": SECRET}]}, "api_keys[0]", "is a secret"),
        ({"api_keys": [{"api_key": 7}]}, "api_keys[0]", "must be a str"),
        ({"api_keys": [{"api_key": LIVE_API_KEY, "secrets": [SECRET]}]}, "api_keys[0]", "test secret beside a live"),
        ({"api_keys": [{"api_key": API_KEY}, {"api_key": API_KEY}]}, "api_keys[1]", "has an entry already"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, document: Any, place: str, rule: str) -> None:
    """Whatever is wrong with a keys file, the message names file, entry and rule, and shows no secret."""
    said = complaint(tmp_path, document)
    assert said.startswith(f"{place}: ")
    assert rule in said


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A keys file that is not there is a ValueError like every other fault of it."""
    with pytest.raises(ValueError, match="No such file"):
        load_keyring(tmp_path / "none.json")


def test_a_document_can_be_read_without_a_file() -> None:
    """A document that is parsed already gives the same keyring."""
    assert list(entry_of(keyring_of(one(secrets=[SECRET]))).secrets) == [Secret(SECRET).key_id]
