"""The adapters that are handed out: the one in Node passes, the one for the shell is believed by a real endpoint."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ingested import Endpoint, endpoint, signed, track
from node import ADAPTER, CANONICALISER, FOLDER, node
from soak_agreement import NUMBERS, TEXTS, Kind, compare
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, canonicalize
from rp_signing.cli.commands import commands
from rp_signing.conformance.outcome import Status
from rp_signing.conformance.trial import Trial
from rp_signing.conformance.vectors import load_vectors

SCRIPT = FOLDER.parent / "shell" / "sign.sh"
SHELLS = [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)]
ODD, LONG = r"""!"#$%&'()*+,-./0\060%s:;<=>?@[\]^_`{|}~""", "s" * 200
SECRETS = {"checksummed": SECRET, "odd": ODD, "longer-than-a-block": LONG}
EVENT = track("m-1", properties={"total": 49.9, "größe": "XL", "%s\\n": "\U0001f600 $HOME `id` %d\t"})


def test_the_implementation_in_node_passes_all_vectors() -> None:
    """The second implementation skips nothing, passes every vector of every suite, and the command ends with 0."""
    done = CliRunner().invoke(commands, ["conform", "--json", "--", node(), str(ADAPTER)])
    found = json.loads(done.stdout)
    assert found["counts"] == {"passed": len(load_vectors()), "failed": 0, "skipped": 0, "crashed": 0}
    assert (found["level"], done.exit_code) == ("full", 0)


@pytest.mark.parametrize(("folder", "most"), [("node", 300), ("shell", 30)])
def test_an_adapter_is_short(folder: str, most: int) -> None:
    """All of RP1 takes 300 lines, a request from the shell 30, and people can read them."""
    files = [file for file in FOLDER.with_name(folder).iterdir() if file.is_file()]
    written = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert 0 < len(written) <= most
    assert max(map(len, written)) <= 120


# The bug that is put in: the flag of the vectors that hunt it, what stands there, and what a mistaken hand writes.
SPOILT = [
    ("code-point-order", "names.sort()", "names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))"),
    ("duplicate-taken", "if (name in object)", "if (name === null)"),
    ("surrogate-replaced", "return string.isWellFormed() ? string :", "return true ? string.toWellFormed() :"),
    ("big-integer-rounded", "const exact = fraction", "const exact = true || fraction"),
    (
        "mac-prefix-compared",
        "bytes(signature.slice(7)), bytes(mac)",
        "bytes(signature.slice(7, 23)), bytes(mac.slice(0, 16))",
    ),
    ("window-off-by-one", "< now - past", "<= now - past"),
    ("no-future-bound", "> now + future", "> now + future + 1e9"),
    ("forgets-early", "now > second + past", "now >= second + past"),
    ("member-included", "canonicalize(event) && canonicalize(content)", "canonicalize(event)"),
    ("length-left-out", "...lines, length, digest", "...lines, digest"),
    ("event-unsigned-taken", "refuse('event_signature_missing')", "return { key_id: keyId('s'.repeat(32)) }"),
    ("first-header-wins", "({ length }) => length > 1", "({ length }) => length > 9"),
]


@pytest.mark.parametrize(("flag", "right", "wrong"), SPOILT, ids=[flag for flag, _, _ in SPOILT])
def test_a_bug_in_node_is_caught(flag: str, right: str, wrong: str, tmp_path: Path) -> None:
    """A bug that is put into the second implementation fails a vector that hunts it."""
    sources = {file: file.read_text(encoding="utf-8") for file in (ADAPTER, CANONICALISER)}
    assert sum(source.count(right) for source in sources.values()) == 1
    for file, source in sources.items():
        tmp_path.joinpath(file.name).write_text(source.replace(right, wrong), encoding="utf-8")
    hunting = [vector for vector in load_vectors() if flag in vector["flags"]]
    with Trial([node(), str(tmp_path / ADAPTER.name)], timeout=10) as trial:
        outcomes = [trial.judge(vector) for vector in hunting]
    assert Status.FAILED in {outcome.status for outcome in outcomes}


@pytest.mark.parametrize(("kind", "agreed", "differing"), [
    (TEXTS, {"a": [1]}, {"\ue000": 1, "\U0001f600": 2}), (NUMBERS, 0.1, 1e-7)
], ids=["documents", "doubles"])  # fmt: skip
def test_a_difference_is_named(kind: Kind, agreed: Any, differing: Any) -> None:
    """Where Node and Python write other bytes, the row is broken, and says of which value and how."""
    bent = kind._replace(written=lambda values: kind.written(values).replace(b"1e-7", b"1e-07").replace(b"2", b"3"))
    told: list[int] = []
    row = compare(bent, "values", [agreed] * kind.block + [agreed, differing, agreed], kind.block + 3, told.append)
    assert not row.held
    assert row.seen.startswith(f"{differing!r}: Node ")
    assert told == [kind.block]


@pytest.fixture
def secret_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with the secret, and a line end that is no part of it."""
    path = tmp_path / "secret"
    path.write_text(SECRETS[getattr(request, "param", "checksummed")] + "\n", encoding="ascii")
    return path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Endpoint]:
    """An endpoint that goes by the real time, as the script does, and knows all these secrets."""
    keyring = Keyring.of({API_KEY: list(SECRETS.values())})
    with endpoint(tmp_path, clock=time.time, keyring=keyring) as serving:
        yield serving


def run(shell: str, url: str, secret_file: Path, body: bytes, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the script as a person does."""
    command = [str(shutil.which(shell)), str(SCRIPT), url, API_KEY, str(secret_file)]
    return subprocess.run(command, input=body, capture_output=True, timeout=60, check=False, **options)


def test_the_machine_has_what_the_script_needs() -> None:
    """`curl` and `openssl` are there, and more than one shell: without them nothing here would be shown."""
    assert shutil.which("curl")
    assert shutil.which("openssl")
    assert SHELLS


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("secret_file", SECRETS, indirect=True)
def test_an_event_from_the_shell_is_stored_as_high(shell: str, secret_file: Path, served: Endpoint) -> None:
    """Thirty lines of shell sign an event and its request so that the real endpoint trusts them."""
    done = run(shell, f"{served.url}/v1/track", secret_file, canonicalize(EVENT) + b"\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["stored"] == 1
    [row] = served.store.scan()
    assert (row.trust, json.loads(row.content)) == ("high", EVENT)


def test_a_batch_that_is_signed_already_is_sent_as_it_is(secret_file: Path, served: Endpoint) -> None:
    """Events that were signed elsewhere go out in a request that the shell signs."""
    batch = {"batch": [signed(track(f"m-{number}")) for number in range(3)]}
    done = run("sh", f"{served.url}/v1/batch", secret_file, json.dumps(batch, indent=1).encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert [row.trust for row in served.store.scan()] == ["high"] * 3


def test_a_refusal_reaches_the_shell(secret_file: Path, served: Endpoint) -> None:
    """What the endpoint says against a request is printed, and the script fails."""
    secret_file.write_text("x" * 32, encoding="ascii")
    done = run("sh", f"{served.url}/v1/track", secret_file, canonicalize(EVENT))
    assert done.returncode == 22  # curl's code for an HTTP error
    assert json.loads(done.stdout)["code"] == "signature_invalid"
    assert list(served.store.scan()) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_no_process_is_told_the_secret(shell: str, secret_file: Path, served: Endpoint, tmp_path: Path) -> None:
    """The secret is in no argument and no environment of any program that the script starts; curl has no api key."""
    folder, told = tmp_path / "bin", tmp_path / "told"
    folder.mkdir()
    for name in ("cat", "curl", "cut", "date", "od", "openssl", "printf", "sed", "tr"):
        stand_in = folder / name
        stand_in.write_text(f'#!/bin/sh\n{{ echo "{name} $*"; env; }} >>"{told}"\nexec {shutil.which(name)} "$@"\n')
        stand_in.chmod(0o755)
    path = {"PATH": f"{folder}:/usr/bin:/bin"}
    done = run(shell, f"{served.url}/v1/track", secret_file, canonicalize(EVENT), env=path)
    assert (done.returncode, done.stderr) == (0, b"")
    heard = told.read_text(encoding="utf-8")
    assert {"curl", "openssl", "od"} <= {line.split()[0] for line in heard.splitlines() if line}
    assert "printf" not in {line.split()[0] for line in heard.splitlines() if line}
    assert SECRET not in heard
    assert SECRET.encode().hex() not in heard.replace(" ", "")
    assert API_KEY not in heard
