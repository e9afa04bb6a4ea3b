"""README's promises: its code runs, and prints what it says it prints."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

from code_blocks import blocks_of
from ingested import endpoint

import rp_signing

ROOT = Path(rp_signing.__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = [block.code for block in blocks_of("README.md", "python")]


def printed(*code: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_the_first_example_prints_what_it_says() -> None:
    """The first block runs as it stands, in at most 25 lines, refusals and all."""
    [output] = blocks_of("README.md", "text")
    assert len(PYTHON[0].splitlines()) <= 25
    assert printed(PYTHON[0]) == output.code
    assert "signature_mismatch" in output.code


def test_the_sdk_example_sends_an_event(tmp_path: Path) -> None:
    """The second block sends an event to a real endpoint, which stores it with trust high."""
    keys = re.search(r"^API_KEY, SECRET = (.*)$", PYTHON[0], re.MULTILINE)
    assert keys
    api_key, secret = ast.literal_eval(f"({keys[1]})")
    keyring = rp_signing.Keyring.of({api_key: [secret]})
    with endpoint(tmp_path, keyring=keyring, clock=time.time) as served:
        settings = f"API_KEY, SECRET = {keys[1]}\nENDPOINT = {served.url!r}"
        assert printed(settings, PYTHON[1]) == "high 1\n"


def test_the_shell_signer_is_short() -> None:
    """What the README shows of a shell has at most 30 lines, to be read at a glance."""
    assert len(blocks_of("README.md", "sh")[-1].code.splitlines()) <= 30


def test_the_links_of_the_readme_lead_somewhere() -> None:
    """Each relative link is a file of the repository."""
    links = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert len(links) >= 6
    assert [link for link in links if not (ROOT / link).exists()] == []
