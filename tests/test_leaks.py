"""The watch over all tests can fail: what is planted in a frame, a log or a reply is found."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from leaks import EXPECTED, PACKAGE, Watch, check_error
from parties import BODY, Clock, reason, signer, verifier
from served import ask, serving
from serving_process import Served
from spec_page import API_KEY, SECRET
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from rp_signing import Reason, wire
from rp_signing.middleware.problem import Reply

HEADERS = signer(Clock()).sign(BODY)
MAC = bytes.fromhex(HEADERS[wire.SIGNATURE][7:])
PLANTED: list[Any] = [MAC, MAC.hex(), base64.b64encode(MAC), base64.urlsafe_b64encode(MAC), SECRET, API_KEY]


@pytest.fixture(autouse=True)
def expected() -> None:
    """A gate has expected `MAC`, and was sent another."""
    wrong = HEADERS | {wire.SIGNATURE: "sha256=" + "0" * 64}
    assert reason(verifier(Clock()).verify, wrong, BODY) is Reason.SIGNATURE_MISMATCH


def raised(code: str, file: str) -> Exception:
    """The error of some code that stands in this file."""
    try:
        exec(compile(code, file, "exec"), {})  # noqa: S102 - as if it were of the package
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def found(look: Any, *arguments: Any, **options: Any) -> bool:
    """Tell whether the watch raises."""
    try:
        look(*arguments, **options)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("planted", PLANTED, ids=repr)
def test_it_finds_them_in_an_error(planted: Any) -> None:
    """In a local variable of a frame of the package, in whatever spelling, and in the text wherever it was raised."""
    assert found(check_error, raised(f"expected = {planted!r}\nraise KeyError", f"{PACKAGE}/planted.py"))
    assert found(check_error, raised(f"raise KeyError({planted!r})", "elsewhere.py"))
    behind = "try:\n    raise KeyError({0!r})\nexcept KeyError as error:\n    raise ValueError from error"
    assert found(check_error, raised(behind.format(planted), "elsewhere.py"))
    assert not found(check_error, raised("expected = 'nothing'\nraise KeyError", f"{PACKAGE}/planted.py"))


@pytest.mark.parametrize("planted", PLANTED, ids=repr)
def test_it_finds_them_in_a_log_and_in_a_reply(planted: Any) -> None:
    """In the message, in a field, in an error that is logged with its frames; in a document."""
    watch = Watch()
    log = logging.Logger("planted")  # noqa: LOG001 - of this test alone
    log.addHandler(watch)
    log.info("%r", planted)
    log.info("a field", extra={"field": planted})
    assert found(log.info, "an error", exc_info=raised(f"mac = {planted!r}\nraise KeyError", f"{PACKAGE}/planted.py"))
    watch.reply(Reply(401, "application/problem+json", {"code": "signature_invalid", "detail": repr(planted)}))
    assert len(watch.found) == 3


def test_it_finds_what_is_as_long_as_a_mac_in_a_reply() -> None:
    """A digest that is not that of the body that came, in what a server answers."""
    documents = iter(
        [{"code": "signature_invalid", "detail": "1" * 64}, {"code": "x", "received": {"sha256": "1" * 64}}]
    )

    async def tells(_: Any) -> JSONResponse:
        return JSONResponse(next(documents), 401)

    with serving(Starlette(routes=[Route("/", tells, methods=["POST"])])) as url:
        assert found(ask, f"{url}/", BODY, HEADERS)
        assert not found(ask, f"{url}/", BODY, HEADERS)


def test_it_finds_them_in_what_a_server_of_its_own_writes() -> None:
    """A server in a process of its own is watched by its lines."""
    for text, wanted in ((MAC.hex(), True), (SECRET, True), ("nothing", False)):
        program = f"import sys; sys.stderr.write('{text}\\nlistening on http://127.0.0.1:1\\n')"
        with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
            assert found(Served, process) == wanted
            process.wait(60)


OTHER = "another-secret-of-the-keys-file-0001"


def prints(text: str, folder: Path, *words: str, stream: str = "out", body: bytes = b"") -> bool:
    """Tell whether the watch raises when the command prints this text."""
    entry = {"api_key": API_KEY, "secrets": [SECRET, OTHER]}
    (folder / "keys.json").write_text(json.dumps({"api_keys": [entry]}))
    command = folder / "rp-signing"
    command.write_text(f"#!{sys.executable}\nimport sys\nsys.std{stream}.write({text!r})\n")
    command.chmod(0o700)
    return found(subprocess.run, [command, *words], cwd=folder, input=body, capture_output=True)


@pytest.mark.parametrize("planted", [MAC.hex(), SECRET, API_KEY, OTHER])
@pytest.mark.parametrize("stream", ["out", "err"])
def test_it_finds_them_in_what_a_command_prints(planted: str, stream: str, tmp_path: Path) -> None:
    """On either stream of a command that ran to its end, keys of its keys file too; not what it is there for."""
    assert prints(planted, tmp_path, "events", "audit", "--keys", "keys.json", stream=stream)
    assert not prints("nothing", tmp_path, "events", "audit", "--keys", "keys.json", stream=stream)
    assert prints(planted, tmp_path, "sign", "--api-key", API_KEY, stream=stream) == (planted == SECRET)
    assert prints(planted, tmp_path, "keys", "add", "--keys", "keys.json", stream=stream) == (planted != OTHER)


def test_it_finds_the_mac_that_a_command_expected(tmp_path: Path) -> None:
    """The MAC that `verify` or `explain` computed in its own process is computed here again, and looked for."""
    EXPECTED.spellings.clear()
    wrong = HEADERS | {wire.SIGNATURE: "sha256=" + "0" * 64}
    (tmp_path / "headers").write_text("".join(f"{name}: {value}\n" for name, value in wrong.items()))
    words = ("verify", "--keys", "keys.json", "--headers", "headers", "--now", HEADERS[wire.TIMESTAMP])
    assert prints(MAC.hex(), tmp_path, *words, body=BODY)
    EXPECTED.spellings.clear()
    assert not prints(MAC.hex(), tmp_path, *words[:3], body=BODY)
