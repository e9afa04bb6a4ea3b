"""Supply chain: what is built is the same each time, holds no test, and every package that is installed is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import audit
from soak_part import Advance, Part, Row

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SBOM = ROOT / "build" / "sbom.json"
AUDITED_FROM = 3
"""Builds from which the audit runs too: asking takes longer than all the rest."""

BUILT_FROM = (
    "rp_signing",
    "tests",
    "benchmarks",
    "pyproject.toml",
    "Makefile",
    "requirements.lock",
    "requirements-bench.lock",
    "LICENSE",
)


def build(folder: Path, turn: int) -> Path:
    """Build wheel and sdist in a fresh copy, with another time zone, umask and date of each file at every turn."""
    source, built = folder / f"source-{turn}", folder / f"built-{turn}"
    source.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in (*BUILT_FROM, *(file.name for file in ROOT.glob("*.md"))):
        here, there = ROOT / name, source / name
        if here.is_dir():
            shutil.copytree(here, there, ignore=unwanted)
        else:
            shutil.copyfile(here, there)
    for file in source.rglob("*.py"):
        os.utime(file, (10**9 + turn * 10**6, 10**9 + turn * 10**6))
    environment = {**os.environ, "TZ": ("UTC", "Asia/Tokyo", "America/Lima")[turn % 3], "PYTHONHASHSEED": str(turn)}
    subprocess.run(
        [BIN / "hatchling", "build", "--directory", built],
        cwd=source, env=environment, umask=(0o022, 0o077)[turn % 2], check=True, capture_output=True,
    )  # fmt: skip
    return built


def digests(built: Path) -> dict[str, str]:
    """SHA-256 of what was built, by file name."""
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in sorted(built.iterdir())}


def locked() -> set[str]:
    """The packages that the lock names, ``name==version``."""
    return {"==".join(package) for package in audit.locked()}


def named() -> set[str]:
    """The packages that the bill of materials names, after writing it."""
    SBOM.parent.mkdir(exist_ok=True)
    command = [BIN / "cyclonedx-py", "requirements", audit.LOCK, "--output-reproducible", "--of", "JSON", "-o", SBOM]
    subprocess.run(command, check=True, capture_output=True)
    parts = json.loads(SBOM.read_text(encoding="utf-8"))["components"]
    return {f"{part['name']}=={part['version']}" for part in parts}


def run(count: int, advance: Advance) -> list[Row]:
    """Build so many times, look into what was built, write the bill of materials, and audit."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        seen = []
        for turn in range(count):
            seen.append(digests(build(folder, turn)))
            advance(1)
        first = folder / "built-0"
        (wheel,), (sdist,) = first.glob("*.whl"), first.glob("*.tar.gz")
        inside = zipfile.ZipFile(wheel).namelist()
        with tarfile.open(sdist) as archive:
            sources = archive.getnames()
        checked = subprocess.run(
            [BIN / "check-wheel-contents", wheel], cwd=ROOT, capture_output=True, text=True, check=False
        )
    tests = [path for path in inside if not path.startswith(("rp_signing/", "rp_signing-")) or "test_" in path]
    alike = sum(one == seen[0] for one in seen)
    return [
        Row(f"wheel and sdist, built {count} times", "the same bytes", f"{alike} of {count} alike", alike == count),
        Row("files in the wheel", "no test", f"{len(inside)} files, {len(tests)} tests", not tests),
        Row(
            "files in the sdist", "with tests", f"{len(sources)} files", any("/tests/test_" in path for path in sources)
        ),
        Row("check-wheel-contents", "OK", checked.stdout.strip().rpartition(": ")[2], checked.returncode == 0),
        Row(
            "bill of materials (CycloneDX)",
            f"{len(locked())} packages",
            f"{len(named())} packages",
            named() == locked(),
        ),
        *(audit.rows() if count >= AUDITED_FROM else []),
    ]


PARTS = [
    Part("supply", "what is installed is named, and what is built is the same each time", 4, 2, run, "builds"),
]
