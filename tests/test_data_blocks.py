"""The code blocks that are no commands: what each is an example of reads it, or runs it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from abnf import ParseError, Rule
from code_blocks import ROOT, blocks_of
from parties import LIVE_API_KEY
from shell_reader import BIN
from spec_page import API_KEY, SECRET

from rp_signing import Reason, Signer, VerificationError, grammar, wire
from rp_signing.conformance import adapter
from rp_signing.conformance.vectors import question
from rp_signing.keyfile import keyring_of
from rp_signing.keys import secret_text


def test_the_example_of_a_test_is_one() -> None:
    """The test that shows how tests speak is in the suite, with that sentence."""
    [block] = blocks_of("CONTRIBUTING.md", "python")
    [shown] = ast.parse(block.code).body
    assert isinstance(shown, ast.FunctionDef)
    tests = [
        node
        for node in ast.walk(ast.parse((ROOT / "tests/test_wire.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == shown.name
    ]
    assert [ast.get_docstring(test) for test in tests] == [ast.get_docstring(shown)]


def test_the_keys_file_of_the_spec_is_one() -> None:
    """Filled in, the example of SPEC §8 is a keys file that the library takes."""
    [block] = blocks_of("SPEC.md", "json")
    document = json.loads(block.code)
    [entry] = document["api_keys"]
    secrets = [secret_text(bytes([number]) * 32, live=True) for number in range(3)]
    entry |= {"api_key": LIVE_API_KEY, "secrets": secrets[:2]}
    entry["retired"][0]["secret"] = secrets[2]
    [made] = keyring_of(document)
    assert (len(made.secrets), len(made.retired), made.require_signature) == (2, 1, True)


def test_the_grammar_of_the_spec_is_that_of_the_library() -> None:
    """The ABNF of SPEC §4, read as RFC 5234 says, takes the values that the library takes and no others."""
    [block] = blocks_of("SPEC.md", "abnf")

    class Spec(Rule):
        """The rules of the page alone."""

    Spec.create("OWS = *( SP / HTAB )")  # RFC 9110 §5.6.3
    for rule in re.split(r"\n(?=\S)", block.code.strip()):
        Spec.create(rule.replace("\n", "\r\n") + "\r\n")
    fields = {
        "api-key": (grammar.API_KEY, API_KEY),
        "key-id": (grammar.KEY_ID, "0123456789abcdef"),
        "timestamp": (grammar.TIMESTAMP, "1795424400"),
        "nonce": (grammar.NONCE, "AAECAwQFBgcICQoLDA-_Dw"),
        "signature": (grammar.SIGNATURE, "sha256=" + "0123456789abcdef" * 4),
    }
    for name, (rule, good) in fields.items():
        spoiled = {good[:at] + octet + good[at + 1 :] for at in range(len(good)) for octet in "aZ0_-=+ /\n"}
        lengths = {good + "0" * more for more in (1, 42, 43, 107, 108, 120)} | {good[:-1], good[1:], "", good + "\n"}
        for text in {good, good.upper(), *spoiled, *lengths}:
            assert taken(Spec(name), text) == rule.matches(text), (name, text)
    for text in ("application/json", "Application/JSON", "application/json;charset=utf-8",
                 'application/json ; charset="UTF-8"', "application/json;charset=latin-1", "text/json",
                 "application/json;", "application/json; boundary=x"):  # fmt: skip
        assert taken(Spec("content-type"), text.lower()) == is_taken(text), text


def taken(rule: Any, text: str) -> bool:
    """Tell whether a text is of a rule, whole."""
    try:
        rule.parse_all(text)
    except ParseError:
        return False
    return True


def is_taken(media_type: str) -> bool:
    """Tell whether the gate takes a request with this Content-Type."""
    headers = Signer(api_key=API_KEY, secret=SECRET).sign(b"{}") | {"Content-Type": media_type}
    try:
        wire.read_headers(headers)
    except VerificationError as refused:
        return refused.reason is not Reason.MEDIA_TYPE_UNSUPPORTED
    return True


def test_an_adapter_says_hello_as_it_is_shown() -> None:
    """The first line is answered, and the answer that is shown has the members of a real one."""
    asked, shown = (json.loads(block.code) for block in blocks_of("rp_signing/conformance/README.md", "json"))
    answer = adapter.answer(asked)
    assert shown.keys() == answer.keys()
    assert shown["protocol"] == answer["protocol"]
    assert set(shown["suites"]) <= set(answer["suites"])


def test_the_loop_over_the_vectors_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop that is shown finds every vector of its suite right, with the library as what is tested."""
    monkeypatch.chdir(ROOT / "rp_signing/conformance")

    class Refused(Exception):
        def __init__(self, reason: str) -> None:
            self.reason = reason

    def my_verify(vector: dict[str, Any]) -> dict[str, Any]:
        answer = adapter.answer(question(vector, 1) | {"suite": "verify"})
        if "refused" in answer:
            raise Refused(answer["refused"])
        named = ("api_key_id", "key_id", "timestamp", "nonce", "length", "digest", "reserialized", "live")
        return {name: answer["ok"][name] for name in named}

    [block] = blocks_of("rp_signing/conformance/README.md", "python")
    defined: dict[str, Any] = {"json": json, "Path": Path, "my_verify": my_verify, "Refused": Refused}
    exec(compile(block.code, str(block), "exec"), defined)  # noqa: S102 - our own page
    assert defined["answer"]


def test_the_files_of_the_vectors_are_there() -> None:
    """What the folder is said to hold is in it, and the synopsis of the command is that of its help."""
    files, synopsis = blocks_of("rp_signing/conformance/README.md", "text")
    for line in files.code.splitlines():
        assert list((ROOT / "rp_signing/conformance").glob(line.split()[0])), line
    usage = subprocess.run([BIN / "rp-signing", "conform", "--help"], capture_output=True, text=True, check=True).stdout
    assert f"Usage: {synopsis.code.strip()}".lower() in " ".join(usage.split()).lower()
