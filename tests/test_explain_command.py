"""`rp-signing explain`, run as a process: what it prints for people and for programs, and with which code it ends."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from event_mistakes import event_after
from mistaken_sender import API_KEY, NOW, OTHER_KEY, OTHER_SECRET, RICH, SECOND, SECRET, Sender, canonical
from mistakes import MISTAKES
from serving_process import COMMAND

from rp_signing import Keyring

ORDERED = (
    "version", "purpose", "api key id", "key id", "timestamp", "nonce", "length", "digest",
)  # fmt: skip


class Explaining:
    """A folder with a keys file, and the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        entries = [{"api_key": API_KEY, "secrets": [SECRET, SECOND]}, {"api_key": OTHER_KEY, "secrets": [OTHER_SECRET]}]
        (folder / "keys.json").write_text(json.dumps({"api_keys": entries}))

    def run(self, *options: str, body: bytes = b"", columns: int = 80) -> subprocess.CompletedProcess[str]:
        """Run it; nothing that it prints may hold a key."""
        words = [*COMMAND, "explain", "--keys", "keys.json", *options]
        environment = {"COLUMNS": str(columns), "PATH": "", "PYTHONUTF8": "1"}
        done = subprocess.run(words, cwd=self.folder, input=body, capture_output=True, timeout=60, env=environment)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert [key for key in (API_KEY, OTHER_KEY, SECRET, SECOND, OTHER_SECRET) if key in out + err] == []
        assert "Traceback" not in err
        return subprocess.CompletedProcess(words, done.returncode, out, err)

    def request(self, *mistakes: str, options: tuple[str, ...] = (), **how: Any) -> subprocess.CompletedProcess[str]:
        """Explain a request after these mistakes."""
        sender = Sender(RICH)
        for mistake in mistakes:
            MISTAKES[mistake].make(sender)
        headers, body = sender.send()
        (self.folder / "headers").write_text("".join(f"{name}: {value}\n" for name, value in headers))
        return self.run("--headers", "headers", "--now", str(NOW), *options, body=body, **how)

    def document(self, *mistakes: str) -> tuple[int, dict[str, Any]]:
        """The exit code, and what is printed with --json."""
        done = self.request(*mistakes, options=("--json",))
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def explaining(tmp_path: Path) -> Explaining:
    """The command, in a folder of its own."""
    return Explaining(tmp_path)


def test_what_verifies_ends_with_0(explaining: Explaining) -> None:
    """As `verify` would; there is no cause, and that a replay would verify as well is said."""
    done = explaining.request()
    assert (done.returncode, "refused as replayed verifies" in " ".join(done.stdout.split())) == (0, True)
    code, document = explaining.document()
    assert (code, document["verified"], document["reason"], document["causes"]) == (0, True, None, [])


@pytest.mark.parametrize("mistake", ["secret_newline", "body_newline_added", "mac_base64", "timestamp_expired"])
def test_programs_read_the_mistake_first(mistake: str, explaining: Explaining) -> None:
    """One JSON document: the first of `causes` is the mistake; exit code and reason are those of `verify`."""
    code, document = explaining.document(mistake)
    assert code == 1
    assert document.keys() == {"verified", "reason", "detail", "causes", "signing_input", "stopped"}
    [first] = document["causes"]
    assert (first["cause"], document["verified"], document["stopped"]) == (mistake, False, False)
    assert first.keys() == {"cause", "detail"}
    assert document["signing_input"].keys() == {"received", "signed"}
    judged = subprocess.run(
        [*COMMAND, "verify", "--keys", "keys.json", "--headers", "headers", "--now", str(NOW), "--json"],
        cwd=explaining.folder,
        input=Sender(RICH).text + (b"\n" if mistake == "body_newline_added" else b""),
        capture_output=True,
        timeout=60,
    )
    assert judged.returncode == code
    assert json.loads(judged.stdout)["reason"] == document["reason"]


def test_two_mistakes_are_two_causes(explaining: Explaining) -> None:
    """Both are in the list."""
    code, document = explaining.document("secret_quoted", "body_newline_added")
    assert code == 1
    assert {cause["cause"] for cause in document["causes"]} == {"secret_quoted", "body_newline_added"}


@pytest.mark.parametrize("columns", [80, 120])
def test_both_signing_inputs_stand_side_by_side(columns: int, explaining: Explaining) -> None:
    """Eight lines each, within the width of the terminal, and those that differ are marked, no others."""
    done = explaining.request("body_newline_added", columns=columns)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert any(line.split() == ["signing", "input", "here", "what", "was", "signed"] for line in lines)
    rows = lines[-len(ORDERED) :]
    assert [row[2:].startswith(name) for row, name in zip(rows, ORDERED, strict=True)] == [True] * 8
    assert [name for row, name in zip(rows, ORDERED, strict=True) if row.startswith("≠")] == ["length", "digest"]
    assert "cause    body_newline_added" in done.stdout


def test_of_two_mistakes_it_is_said_that_both_were_made(explaining: Explaining) -> None:
    """Two causes are no choice between two: it says that each has to be mended, and of one alone it does not."""
    done = explaining.request("reserialized_json_dumps", "secret_newline")
    assert "2 mistakes at once; each has to be mended." in done.stdout
    assert done.stdout.count("cause    ") == 2
    assert "at once" not in explaining.request("secret_newline").stdout


def test_a_request_without_a_signature_says_what_to_do(explaining: Explaining) -> None:
    """The cause is more than the refusal once again: where the secret belongs, and who may have dropped the headers."""
    said = " ".join(explaining.request("signature_missing").stdout.split())
    assert (
        "cause signature_missing No signature header came. Give the sender its secret (RETAINPIXEL_HMAC_SECRET)" in said
    )


def test_where_nothing_matches_it_is_said(explaining: Explaining) -> None:
    """No cause is made up; the active key ids are named, to be compared, and that the search was stopped."""
    sender = Sender(RICH)
    sender.key.append(lambda _: b"a-secret-that-nobody-here-has-seen-0001")
    headers, body = sender.send()
    (explaining.folder / "headers").write_text("".join(f"{name}: {value}\n" for name, value in headers))
    done = explaining.run("--headers", "headers", "--now", str(NOW), body=body)
    said = " ".join(done.stdout.split())
    entry = Keyring.of({API_KEY: [SECRET, SECOND]}).find(API_KEY)
    assert entry
    assert (
        f"Nothing matched of all that is known by name. Active secrets of this api key: {', '.join(entry.secrets)}"
        in said
    )
    assert "else the secret was another than its key id says" in said
    assert "Stopped looking after" in said
    assert json.loads(explaining.run("--headers", "headers", "--json", body=body).stdout)["causes"] == []


def test_where_the_key_id_is_right_the_body_is_suspected(explaining: Explaining) -> None:
    """A body that is another one altogether: under a key id that is active here nobody is sent to look for a secret."""
    headers, _ = Sender(RICH).send()
    lines = "".join(f"{name}: {value}\n" for name, value in headers)
    for written, is_active in ((lines, True), (re.sub("(?im)^(x-rp-key-id): .*", r"\1: " + "0" * 16, lines), False)):
        (explaining.folder / "headers").write_text(written)
        done = explaining.run("--headers", "headers", "--now", str(NOW), body=b'{"a":"another"}')
        said = " ".join(done.stdout.split())
        assert ("the body or a header is not what was signed" in said) is is_active
        assert ("signed with a secret that is not in the keys file" in said) is not is_active


def test_an_event_is_explained_by_its_own_signature(explaining: Explaining) -> None:
    """--event: the signature that was signed along with it, and of a batch the first event that is refused."""
    (explaining.folder / "headers").write_text(f"X-RP-Api-Key: {API_KEY}\n")
    options = ("--event", "--headers", "headers", "--json")
    done = explaining.run(*options, body=canonical(event_after("event_signature_signed")))
    document = json.loads(done.stdout)
    assert (done.returncode, document["reason"]) == (1, "event_signature_mismatch")
    assert [cause["cause"] for cause in document["causes"]] == ["event_signature_signed"]
    good = Sender(RICH).send_event()
    assert explaining.run(*options, body=canonical(good)).returncode == 0
    batch = canonical({"batch": [good, event_after("secret_newline"), event_after("lines_crlf")]})
    document = json.loads(explaining.run(*options, body=batch).stdout)
    assert [cause["cause"] for cause in document["causes"]] == ["secret_newline"]
    assert document["detail"].startswith("event 1 of the batch: ")


def test_a_body_that_is_no_json_is_its_own_cause(explaining: Explaining) -> None:
    """With --event, a text that cannot be read is refused with its reason, as `verify` does."""
    done = explaining.run("--event", "--json", body=b"{")
    document = json.loads(done.stdout)
    assert (done.returncode, document["verified"]) == (1, False)
    assert [cause["cause"] for cause in document["causes"]] == ["payload_not_json"]


@pytest.mark.parametrize(
    ("options", "said"),
    [((), "give the request's --headers, or --event"), (("--headers", "nowhere"), "nowhere")],
)
def test_wrong_use_ends_with_2(options: tuple[str, ...], said: str, explaining: Explaining) -> None:
    """What is missing is said."""
    done = explaining.run(*options)
    assert (done.returncode, said in done.stderr) == (2, True)
