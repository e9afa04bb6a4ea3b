"""The demo, run whole, as a person runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from rp_signing import Reason

ROOT = Path(__file__).resolve().parent.parent
EXPECTED = (
    ("track, signed", "stored, trust high"),
    ("identify, signed", "stored, trust high"),
    ("group, signed", "stored, trust high"),
    ("batch of 240, signed", "stored, trust high"),
    ("unsigned", "stored, trust standard"),
    ("tampered", Reason.SIGNATURE_MISMATCH),
    ("replayed", Reason.REPLAYED),
    ("stale", Reason.TIMESTAMP_EXPIRED),
    ("signature taken off", Reason.SIGNATURE_MISSING),
    ("another secret", Reason.KEY_ID_UNKNOWN),
)


def demo(folder: Path, events: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with a file of events."""
    command = [sys.executable, "-c", "from rp_signing.cli import main; main()", "demo", "--events", events]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)


def test_the_demo_shows_what_became_of_each(tmp_path: Path) -> None:
    """Every request of the demo ends as it must, the rows and the audit are shown, and it ends with 0."""
    made = subprocess.run([sys.executable, ROOT / "tests/write_corpus.py"], capture_output=True, check=True)
    (tmp_path / "corpus.jsonl").write_bytes(made.stdout)
    done = demo(tmp_path, "corpus.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for sent, became in EXPECTED:
        assert [line for line in lines if sent in line and became in line], (sent, became, done.stdout)
    assert "12 of 245" in done.stdout
    assert "Every high row verifies." in done.stdout
    assert "rp-signing events audit --keys keys.json --data ." in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("content", "said"), [('{"type":"track"}\n[1]\n', "line 2: it is no JSON object"), ("{\n", "line 1: ")]
)
def test_what_is_no_event_is_refused_before_anything_starts(tmp_path: Path, content: str, said: str) -> None:
    """A file of events is read first: a line that is none is named, and no endpoint was started for it."""
    (tmp_path / "events.jsonl").write_text(content)
    done = demo(tmp_path, "events.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"events.jsonl, {said}" in done.stderr
