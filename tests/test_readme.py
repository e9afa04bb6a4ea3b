"""README's promises: its code runs, and prints what it says it prints."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

from ingested import endpoint

import rp_signing

ROOT = Path(rp_signing.__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
LANGUAGES = [language for language, _ in BLOCKS]


def printed(*code: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_the_first_example_prints_what_it_says() -> None:
    """The first block runs as it stands, in at most 25 lines, refusals and all."""
    assert LANGUAGES[:2] == ["python", "text"]
    code, output = BLOCKS[0][1], BLOCKS[1][1]
    assert len(code.splitlines()) <= 25
    assert printed(code) == output
    assert "signature_mismatch" in output


def test_the_sdk_example_sends_an_event(tmp_path: Path) -> None:
    """The second block sends an event to a real endpoint, which stores it with trust high."""
    keys = re.search(r"^API_KEY, SECRET = (.*)$", BLOCKS[0][1], re.MULTILINE)
    assert keys
    api_key, secret = ast.literal_eval(f"({keys[1]})")
    keyring = rp_signing.Keyring.of({api_key: [secret]})
    with endpoint(tmp_path, keyring=keyring, clock=time.time) as served:
        settings = f"API_KEY, SECRET = {keys[1]}\nENDPOINT = {served.url!r}"
        assert printed(settings, BLOCKS[2][1]) == "high 1\n"


def test_every_command_of_the_readme_is_one() -> None:
    """Each `rp-signing …` line names commands and options that `--help` knows."""
    lines = re.findall(r"^    rp-signing (.*?)(?:#|$|>)", README, re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        words = line.split()
        command = [word for word in words[:2] if not word.startswith("-")]
        main = "from rp_signing.cli import main; main()"
        usage = subprocess.run(
            [sys.executable, "-c", main, *command, "--help"], capture_output=True, text=True, check=True
        )
        assert all(word in usage.stdout for word in words if word.startswith("--")), line


def test_the_shell_signer_is_the_one_that_is_tested() -> None:
    """What the README shows is `sign.sh` as it stands, in at most 30 lines."""
    [shown] = [text for language, text in BLOCKS if language == "sh"]
    script = ROOT / "rp_signing/conformance/adapters/shell/sign.sh"
    assert shown == script.read_text(encoding="utf-8")
    assert len(shown.splitlines()) <= 30


def test_the_links_of_the_readme_lead_somewhere() -> None:
    """Each relative link is a file of the repository."""
    links = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert len(links) >= 6
    assert [link for link in links if not (ROOT / link).exists()] == []
