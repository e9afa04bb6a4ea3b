"""The code blocks of all pages: what is typed in a shell is typed, what is data is read, and none is left unchecked."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from code_blocks import ROOT, Block, blocks, blocks_of
from shell_reader import Reader, reading

from rp_signing import Signer
from rp_signing.keyfile import keyring_of

# How many blocks of a language a page has, and the test that runs or reads them. SPEC's indented ones make up the
# request of its first section, which spec_page.py takes apart and most tests are made of.
CHECKED = {
    ("CONTRIBUTING.md", "sh"): (5, "test_code_blocks.py::test_what_contributors_are_told_to_type_is_there"),
    ("CONTRIBUTING.md", "python"): (1, "test_data_blocks.py::test_the_example_of_a_test_is_one"),
    ("README.md", "python"): (2, "test_readme.py::test_the_first_example_prints_what_it_says"),
    ("README.md", "text"): (1, "test_readme.py::test_the_first_example_prints_what_it_says"),
    ("README.md", "sh"): (6, "test_code_blocks.py::test_what_the_readme_shows_can_be_typed"),
    ("SPEC.md", ""): (7, "test_signing.py::test_the_request_of_the_spec"),
    ("SPEC.md", "abnf"): (1, "test_data_blocks.py::test_the_grammar_of_the_spec_is_that_of_the_library"),
    ("SPEC.md", "json"): (1, "test_data_blocks.py::test_the_keys_file_of_the_spec_is_one"),
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
    ("rp_signing/conformance/README.md", "json"): (2, "test_data_blocks.py::test_an_adapter_says_hello_as_it_is_shown"),
    ("rp_signing/conformance/README.md", "python"): (1, "test_data_blocks.py::test_the_loop_over_the_vectors_runs"),
    ("rp_signing/conformance/README.md", "sh"): (1, "test_code_blocks.py::test_the_vectors_judge_as_it_is_shown"),
    ("rp_signing/conformance/README.md", "text"): (2, "test_data_blocks.py::test_the_files_of_the_vectors_are_there"),
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


def test_the_vectors_judge_as_it_is_shown(tmp_path: Path, wheels: Path) -> None:
    """The command runs in the folder of the vectors as it stands."""
    [block] = blocks_of("rp_signing/conformance/README.md", "sh")
    with reading(ROOT / "rp_signing/conformance", wheels) as reader:
        assert "1,130" in type_all(reader, block)
