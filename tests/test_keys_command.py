"""`rp-signing keys`: rotation by commands, on the file that a server reads."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from event_store_kinds import KINDS, MAC, event, received
from parties import Clock
from served import ask
from serving_process import COMMAND, serving_process
from spec_page import API_KEY, API_KEY_ID, KEY_ID, SECRET

from rp_signing import Signer, canonicalize, sign_event
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keyfile import load_keyring
from rp_signing.replay import Claim, Window

NEXT = "the-next-secret-of-the-same-api-key-00001"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `rp-signing keys` in a folder."""
    words = [*COMMAND, "keys", *arguments, "--keys", "keys.json"]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder, timeout=60)


def answer(folder: Path, *arguments: str) -> Any:
    """What a command that has to succeed prints with --json."""
    done = run(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write(folder: Path, document: Any) -> Path:
    """Write the keys file."""
    path = folder / "keys.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the keys file of one api key, whose secret is kept in a file of its own, and a next one."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    write(tmp_path, {"api_keys": [{"api_key": API_KEY, "secrets": [NEXT, {"file": "secret"}]}]})
    return tmp_path


def store_evidence(folder: Path, key_id: str, seconds_ago: int) -> None:
    """Store one event that this key id verified so long ago."""
    now = int(time.time()) - seconds_ago
    (folder / "data").mkdir(exist_ok=True)
    store = SQLiteEventStore(folder / "data/events.db", Clock(now))
    claim = Claim(API_KEY_ID, key_id, now, f"{seconds_ago:022d}", 2, "0" * 64, key_id, MAC, False, False, Window())
    store.store(received(1, claim)._replace(received_at=now), [event(f"m-{seconds_ago}", "{}", MAC)])
    store.close()


def test_a_new_file_serves_what_is_signed_with_it(tmp_path: Path) -> None:
    """`keys add` makes the file, mode 0600; `serve` takes events that are signed with what it printed."""
    made = answer(tmp_path, "add", "--test")
    path = tmp_path / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made["api_key"].startswith("rpx_test_")
    with serving_process(tmp_path, "--data", "data") as served:
        payload = {"type": "track", "messageId": "m-1", "userId": "u", "event": "E"}
        keys = {"api_key": made["api_key"], "secret": made["secret"]}
        body = canonicalize(sign_event(payload, **keys))
        headers = Signer(**keys).sign(body) | {"Content-Type": "application/json"}
        assert ask(f"{served.url}/v1/track", body, headers).status == 202


def test_the_next_secret_becomes_the_newest(folder: Path) -> None:
    """`add --to` puts a secret of the api key's kind before the others and leaves the rest of the file as it was."""
    made = answer(folder, "add", "--to", API_KEY_ID)
    assert set(made) == {"secret", "api_key_id", "key_id"}
    assert made["secret"].startswith("rps_test_")
    document = json.loads((folder / "keys.json").read_text())
    assert document == {"api_keys": [{"api_key": API_KEY, "secrets": [made["secret"], NEXT, {"file": "secret"}]}]}
    assert next(iter(load_keyring(folder / "keys.json").find(API_KEY).secrets)) == made["key_id"]  # type: ignore[union-attr]


def test_another_api_key_stands_beside_the_first(folder: Path) -> None:
    """Without --to, a new api key with a secret of its own is added; live unless told otherwise."""
    made = answer(folder, "add")
    assert made["api_key"].startswith("rpx_live_")
    assert {entry.api_key_id for entry in load_keyring(folder / "keys.json")} == {API_KEY_ID, made["api_key_id"]}


def test_an_idle_secret_is_retired(folder: Path) -> None:
    """A secret that verified nothing for an hour no longer verifies requests, and stays for the audit."""
    store_evidence(folder, KEY_ID, 3700)
    before = int(time.time())
    retired = answer(folder, "retire", KEY_ID, "--data", "data")
    assert (retired["api_key_id"], retired["key_id"]) == (API_KEY_ID, KEY_ID)
    entry = load_keyring(folder / "keys.json").find(API_KEY)
    assert entry is not None
    assert list(entry.retired) == [KEY_ID]
    assert KEY_ID not in entry.secrets
    assert before <= entry.retired[KEY_ID].until <= time.time()
    again = run(folder, "retire", KEY_ID, "--data", "data")
    assert (again.returncode, "retired already" in again.stderr) == (1, True)


def test_a_secret_in_use_is_not_retired_unless_forced(folder: Path) -> None:
    """What verified within the last hour is refused, saying how long ago; --force retires it."""
    store_evidence(folder, KEY_ID, 3500)
    content = (folder / "keys.json").read_bytes()
    refused = run(folder, "retire", KEY_ID, "--data", "data")
    assert refused.returncode == 1
    assert "somebody still signs with it" in refused.stderr
    assert (folder / "keys.json").read_bytes() == content
    assert answer(folder, "retire", KEY_ID, "--data", "data", "--force")["key_id"] == KEY_ID


def test_who_does_not_know_is_told_to_look(folder: Path) -> None:
    """Without a place to look at, retiring needs --force."""
    refused = run(folder, "retire", KEY_ID)
    assert (refused.returncode, "--data DIR" in refused.stderr) == (2, True)
    assert run(folder, "retire", KEY_ID, "--force").returncode == 0


def test_the_last_secret_is_not_retired(folder: Path) -> None:
    """An api key without a secret would take unsigned requests: not even --force does that."""
    write(folder, {"api_keys": [{"api_key": API_KEY, "secrets": [SECRET]}]})
    refused = run(folder, "retire", KEY_ID, "--force")
    assert (refused.returncode, "add the next secret first" in refused.stderr) == (1, True)


def test_status_tells_what_each_key_is_for(folder: Path) -> None:
    """Newest, active, retired, with the time at which each last verified; ids only, never a key or a secret."""
    store_evidence(folder, KEY_ID, 7200)
    rows = answer(folder, "status", "--data", "data")
    assert [(row["key_id"], row["state"]) for row in rows][1] == (KEY_ID, "active")
    assert rows[0]["state"] == "newest"
    assert rows[0]["last_verified"] is None
    assert abs(time.time() - 7200 - rows[1]["last_verified"]) < 60
    table = run(folder, "status", "--data", "data").stdout
    assert "never" in table
    assert KEY_ID in table
    assert "unknown" in run(folder, "status").stdout
    assert answer(folder, "status")[1]["last_verified"] is None
    for hidden in (API_KEY, SECRET, NEXT):
        assert hidden not in table + json.dumps(rows)


def test_two_edits_at_once_lose_none(folder: Path) -> None:
    """While one edit is under way, another is refused; the file stays as it is."""
    content = (folder / "keys.json").read_bytes()
    (folder / "keys.json.new").touch()
    refused = run(folder, "add")
    assert (refused.returncode, "another edit is under way" in refused.stderr) == (1, True)
    assert (folder / "keys.json").read_bytes() == content


def test_an_edit_that_breaks_a_rule_changes_nothing(folder: Path) -> None:
    """A fifth active secret is refused with the rule, and neither file nor draft is left."""
    for _ in range(2):
        answer(folder, "add", "--to", API_KEY_ID)
    content = (folder / "keys.json").read_bytes()
    refused = run(folder, "add", "--to", API_KEY_ID)
    assert (refused.returncode, "at most 4" in refused.stderr) == (1, True)
    assert (folder / "keys.json").read_bytes() == content
    assert not (folder / "keys.json.new").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("retire", "rps_test_x", "--force"), 2, "16 hex digits"),
        (("retire", "0" * 16, "--force"), 1, "has key id 0000000000000000"),
        (("add", "--to", "0" * 16), 1, "has api key id 0000000000000000"),
        (("add", "--to", API_KEY_ID, "--test"), 2, "leave --test out"),
        (("retire", KEY_ID, "--data", "nowhere"), 2, "there is no events.db"),
        (("status", "--data", "nowhere"), 2, "there is no events.db"),
    ],
)
def test_a_mistake_is_named(folder: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """Wrong ids and places are refused in words, and no data folder is made by looking."""
    refused = run(folder, *arguments)
    assert (refused.returncode, said in refused.stderr) == (code, True), refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (folder / "nowhere").exists()


def test_a_file_that_is_none_is_left_alone(folder: Path) -> None:
    """What breaks a rule, or is no JSON, is named and not overwritten; of none it is said what makes it."""
    path = folder / "keys.json"
    for content, said in ((b'{"api_keys": 5}', "must be a JSON array"), (b"{", "payload_not_json")):
        path.write_bytes(content)
        refused = run(folder, "add")
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
        assert path.read_bytes() == content
    path.unlink()
    for arguments in (("status",), ("retire", KEY_ID, "--force"), ("add", "--to", API_KEY_ID)):
        missing = run(folder, *arguments)
        assert (missing.returncode, "keys.json does not exist; `rp-signing keys add" in missing.stderr) == (2, True)


def test_a_link_stays_a_link(folder: Path) -> None:
    """A keys file that is reached by a link is replaced where it lies."""
    (folder / "real").mkdir()
    (folder / "secret").rename(folder / "real/secret")
    (folder / "keys.json").rename(folder / "real/keys.json")
    os.symlink(folder / "real/keys.json", folder / "keys.json")
    made = answer(folder, "add", "--to", API_KEY_ID)
    assert (folder / "keys.json").is_symlink()
    assert made["secret"] in (folder / "real/keys.json").read_text()


@pytest.mark.parametrize("name", KINDS)
def test_every_event_store_knows_when_a_key_last_verified(name: str, tmp_path: Path) -> None:
    """The newest request of each key id counts; unsigned ones name none."""
    store = KINDS[name](tmp_path).opened(Clock())
    try:
        assert store.last_verified() == {}
        claim = Claim(API_KEY_ID, KEY_ID, 1795424400, "a" * 22, 2, "0" * 64, KEY_ID, MAC, False, False, Window())
        for number, offset in enumerate((5, 9, 7)):
            taken = received(number, claim._replace(nonce=f"{number:022d}"))._replace(received_at=1795424400 + offset)
            store.store(taken, [event(f"m-{number}", "{}", MAC)])
        store.store(received(4, None), [event("m-unsigned", "{}", None)])
        assert store.last_verified() == {KEY_ID: 1795424409}
    finally:
        store.close()
