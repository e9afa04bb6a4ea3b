"""The code blocks of all pages: what is typed in a shell is typed, what is data is read, and none is left unchecked."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from abnf import ParseError, Rule
from code_blocks import ROOT, Block, blocks, blocks_of
from parties import LIVE_API_KEY
from shell_reader import BIN, Reader, reading
from spec_page import API_KEY, SECRET

from rp_signing import Reason, Signer, VerificationError, grammar, wire
from rp_signing.conformance import adapter
from rp_signing.conformance.vectors import question
from rp_signing.keyfile import keyring_of
from rp_signing.keys import secret_text

# How many blocks of a language a page has, and the test that runs or reads them. SPEC's indented ones make up the
# request of its first section, which spec_page.py takes apart and most tests are made of.
CHECKED = {
    ("CONTRIBUTING.md", "sh"): (5, "test_code_blocks.py::test_what_contributors_are_told_to_type_is_there"),
    ("CONTRIBUTING.md", "python"): (1, "test_code_blocks.py::test_the_example_of_a_test_is_one"),
    ("README.md", "python"): (2, "test_readme.py::test_the_first_example_prints_what_it_says"),
    ("README.md", "text"): (1, "test_readme.py::test_the_first_example_prints_what_it_says"),
    ("README.md", "sh"): (6, "test_code_blocks.py::test_what_the_readme_shows_can_be_typed"),
    ("SPEC.md", ""): (7, "test_signing.py::test_the_request_of_the_spec"),
    ("SPEC.md", "abnf"): (1, "test_code_blocks.py::test_the_grammar_of_the_spec_is_that_of_the_library"),
    ("SPEC.md", "json"): (1, "test_code_blocks.py::test_the_keys_file_of_the_spec_is_one"),
    ("docs/api.md", "{eval-rst}"): (6, "test_docs.py::test_the_site_is_built_without_a_warning_and_needs_no_network"),
    ("docs/index.md", "{toctree}"): (2, "test_docs.py::test_the_site_is_built_without_a_warning_and_needs_no_network"),
    ("docs/index.md", "python"): (2, "test_docs.py::test_the_first_page_sends_and_receives"),
    ("docs/index.md", "sh"): (2, "test_code_blocks.py::test_what_the_first_page_shows_can_be_typed"),
    ("docs/observing.md", "python"): (2, "test_docs.py::test_the_code_of_a_guide_runs"),
    ("docs/openapi.md", "{literalinclude}"): (1, "test_docs.py::test_what_the_endpoint_answers_is_as_described"),
    ("docs/proxies.md", "python"): (1, "test_docs.py::test_the_code_of_a_guide_runs"),
    ("docs/proxies.md", "sh"): (1, "test_code_blocks.py::test_what_the_page_of_proxies_shows_can_be_typed"),
    ("docs/queues.md", "python"): (1, "test_docs.py::test_the_code_of_a_guide_runs"),
    ("docs/recipes/receiving.md", "python"): (8, "test_recipes_receiving.py::test_every_recipe_is_run"),
    ("docs/recipes/retries.md", "python"): (5, "test_recipes_retries.py::test_the_page_has_these_recipes"),
    ("docs/recipes/sending.md", "python"): (3, "test_hooks.py::test_the_recipes_send_what_is_taken"),
    ("docs/rotation.md", "python"): (1, "test_docs.py::test_the_code_of_a_guide_runs"),
    ("docs/rotation.md", "sh"): (1, "test_code_blocks.py::test_a_rotation_goes_as_it_is_shown"),
    ("docs/security.md", "sh"): (1, "test_code_blocks.py::test_what_the_page_of_the_proofs_shows_can_be_typed"),
    ("docs/spec.md", "{include}"): (1, "test_docs.py::test_the_site_is_built_without_a_warning_and_needs_no_network"),
    ("docs/stores.md", "python"): (1, "test_docs.py::test_the_code_of_a_guide_runs"),
    ("docs/testing.md", "python"): (3, "test_docs.py::test_the_tests_of_the_testing_page_pass"),
    ("docs/writing-an-sdk.md", "{include}"): (
        1, "test_docs.py::test_the_site_is_built_without_a_warning_and_needs_no_network"),
    ("rp_signing/conformance/README.md", "json"): (2, "test_code_blocks.py::test_an_adapter_says_hello_as_it_is_shown"),
    ("rp_signing/conformance/README.md", "python"): (1, "test_code_blocks.py::test_the_loop_over_the_vectors_runs"),
    ("rp_signing/conformance/README.md", "sh"): (1, "test_code_blocks.py::test_the_vectors_judge_as_it_is_shown"),
    ("rp_signing/conformance/README.md", "text"): (2, "test_code_blocks.py::test_the_files_of_the_vectors_are_there"),
}  # fmt: skip


def test_no_code_block_is_left_unchecked() -> None:
    """Each block of each page has a test that runs or reads it; a new one is missed here."""
    assert Counter((block.page, block.language) for block in blocks()) == {
        place: count for place, (count, _) in CHECKED.items()
    }
    for file, _, name in {test.partition("::") for _, test in CHECKED.values()}:
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return folder


def lines(block: Block) -> list[str]:
    """The lines of a shell block, those joined that a backslash parts."""
    return block.code.replace("\\\n", " ").splitlines()


def type_all(reader: Reader, block: Block) -> str:
    """Type a block; give what all of it printed."""
    return "\n".join(map(reader.type, lines(block)))


def know_the_keys(reader: Reader) -> None:
    """Write what the keys file holds in the place of what stands for it."""
    entry = reader.keys()
    (reader.folder / "secret").write_text(entry["secrets"][0])
    reader.placeholders |= {"K": entry["api_key"], "F": "secret"}


def test_what_the_readme_shows_can_be_typed(tmp_path: Path, wheels: Path) -> None:
    """From nothing to a refusal that is explained: every command of the README, in its order, in one folder."""
    make, install, receive, mismatch, conform, sign = blocks_of("README.md", "sh")
    with reading(tmp_path, wheels) as reader:
        assert "rp-signing demo" in type_all(reader, make)
        assert "does not provide the extra" not in type_all(reader, install)
        assert (tmp_path / "installed/rp_signing/__init__.py").exists()
        add, serve, *look = lines(receive)
        reader.type(add), reader.type(serve)
        know_the_keys(reader)
        api_key, secret = reader.placeholders["K"], reader.keys()["secrets"][0]
        given = {"API_KEY": api_key, "SECRET": secret, "ENDPOINT": reader.servers[0].url}
        exec(blocks_of("README.md", "python")[1].code, given)  # noqa: S102 - our own page
        listed, audited = map(reader.type, look)
        assert "Order Completed" in listed
        assert "Every high row verifies" in audited
        signer = Signer(api_key=api_key, secret=secret)
        (tmp_path / "refused.headers").write_text("".join(f"{a}: {b}\n" for a, b in signer.sign(b"{}\n").items()))
        (tmp_path / "refused.body").write_bytes(b"{}")
        explain, doctor, dev = lines(mismatch)
        assert "body_newline_lost" in reader.type(explain, exit_code=1)
        assert "Requests arrive as they were sent." in reader.type(doctor)
        assert "Keys to throw away" in reader.type(dev)
        assert "1,130" in type_all(reader, conform)
    assert sign.code == (ROOT / "rp_signing/conformance/adapters/shell/sign.sh").read_text(encoding="utf-8")


def test_what_the_first_page_shows_can_be_typed(tmp_path: Path, wheels: Path) -> None:
    """Both blocks of the quick start run as they stand."""
    sender, receiver = blocks_of("docs/index.md", "sh")
    with reading(tmp_path, wheels) as reader:
        assert "does not provide the extra" not in type_all(reader, sender) + type_all(reader, receiver)


def serve(reader: Reader) -> None:
    """Make keys, and a server that takes them."""
    reader.type("rp-signing keys add --keys keys.json --test")
    reader.type("rp-signing serve --keys keys.json --data data/")
    know_the_keys(reader)


def test_what_the_page_of_proxies_shows_can_be_typed(tmp_path: Path, wheels: Path) -> None:
    """The doctor finds a way on which nothing stands fine."""
    [block] = blocks_of("docs/proxies.md", "sh")
    with reading(tmp_path, wheels) as reader:
        serve(reader)
        assert "Requests arrive as they were sent." in type_all(reader, block)


def test_a_rotation_goes_as_it_is_shown(tmp_path: Path, wheels: Path) -> None:
    """The four commands replace a secret under a running server, and leave the next one as the only active one."""
    [block] = blocks_of("docs/rotation.md", "sh")
    with reading(tmp_path, wheels) as reader:
        serve(reader)
        [entry] = keyring_of(json.loads((tmp_path / "keys.json").read_text()))
        [old] = entry.secrets
        reader.placeholders |= {"API_KEY_ID": entry.api_key_id, "KEY_ID": old}
        type_all(reader, block)
        reader.servers[0].wait_for("read again: 1 api keys")
        [entry] = keyring_of(json.loads((tmp_path / "keys.json").read_text()))
    assert old not in entry.secrets
    assert old in entry.retired
    assert len(entry.secrets) == 1


def test_what_the_page_of_the_proofs_shows_can_be_typed(tmp_path: Path, wheels: Path) -> None:
    """Every target is one, and `make soak` every part that is named."""
    [block] = blocks_of("docs/security.md", "sh")
    with reading(tmp_path, wheels) as reader:
        type_all(reader, block)
    parts = re.findall(r"PART=(\w+)", block.code)
    assert parts
    assert [part for part in parts if not (ROOT / f"tests/soak_{part}.py").exists()] == []


def test_what_contributors_are_told_to_type_is_there(tmp_path: Path, wheels: Path) -> None:
    """Each target, script and option that CONTRIBUTING.md names exists; what writes into the checkout is not run."""
    with reading(tmp_path, wheels) as reader:
        for line in (line for block in blocks_of("CONTRIBUTING.md", "sh") for line in lines(block)):
            program, *words = line.partition("#")[0].split()
            if program == "make":
                reader.type(line)
            elif program == ".venv/bin/python":
                usage = (ROOT / words[0]).read_text(encoding="utf-8")
                assert [word for word in words if word.startswith("--") and word not in usage] == []
            else:
                assert program == ".venv/bin/uv"
                reader.type(f"uv {' '.join(words)} --help")  # which it answers when it knows the others


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


def test_the_vectors_judge_as_it_is_shown(tmp_path: Path, wheels: Path) -> None:
    """The command runs in the folder of the vectors as it stands."""
    [block] = blocks_of("rp_signing/conformance/README.md", "sh")
    with reading(ROOT / "rp_signing/conformance", wheels) as reader:
        assert "1,130" in type_all(reader, block)


def test_the_files_of_the_vectors_are_there() -> None:
    """What the folder is said to hold is in it, and the synopsis of the command is that of its help."""
    files, synopsis = blocks_of("rp_signing/conformance/README.md", "text")
    for line in files.code.splitlines():
        assert list((ROOT / "rp_signing/conformance").glob(line.split()[0])), line
    usage = subprocess.run([BIN / "rp-signing", "conform", "--help"], capture_output=True, text=True, check=True).stdout
    assert f"Usage: {synopsis.code.strip()}".lower() in " ".join(usage.split()).lower()
