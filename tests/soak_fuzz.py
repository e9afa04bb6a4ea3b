"""Fuzzing: atheris, from the inputs in ``fuzz_corpus``, a third of the time for each target."""

import re
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz import CORPUS, TARGETS, inputs
from soak_part import Advance, Part, Row

FUZZ = Path(__file__).with_name("fuzz.py")
DONE = re.compile(r"Done (\d+) runs")


def run(seconds: int, advance: Advance) -> list[Row]:
    """Fuzz every target; what is found is added to its file, so that it is tried ever after."""
    each = max(1, seconds // len(TARGETS))
    rows = []
    for number, target in enumerate(TARGETS):
        with TemporaryDirectory() as folder:
            rows.append(_fuzz(target, each, Path(folder)))
        advance(each if number + 1 < len(TARGETS) else seconds - number * each)
    return rows


def _fuzz(target: str, seconds: int, folder: Path) -> Row:
    known, found = folder / "known", folder / "found"
    for place in (known, found):
        place.mkdir()
    for number, given in enumerate(inputs(target)):
        (known / str(number)).write_bytes(given)
    command = [sys.executable, str(FUZZ), target, str(known), f"-max_total_time={seconds}", "-max_len=2000"]
    command += [f"-artifact_prefix={found}/", "-print_final_stats=1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    stop = threading.Timer(2 * seconds + 60, process.kill)
    stop.start()
    try:
        _, told = process.communicate()
    finally:
        stop.cancel()
        process.kill()
    findings = [file.read_bytes() for file in sorted(found.iterdir())]
    with (CORPUS / f"{target}.hex").open("a", encoding="ascii") as kept:
        kept.writelines(f"{finding.hex()}\n" for finding in findings)
    tried = DONE.search(told)
    seen = f"{int(tried[1]):,} tried, nothing found" if tried and not process.returncode else told[-1500:]
    return Row(f"{target}, {seconds} s of atheris", "nothing found", seen, bool(tried) and process.returncode == 0)


PARTS = [Part("fuzz", "no bytes break parse, the reading of headers, or verify", 180, 3, run, "seconds")]
