"""Known faults of the packages that the lock names: what pip-audit answers, what the index says, what pip reports.

pip-audit asks for each release by itself, which not every mirror of an index can answer. What each index has is a page
of every project, and on it the known faults of the newest release. Where nobody answers, nothing is claimed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import requests
from packaging.version import Version
from pip._internal.models.index import PyPI
from soak_part import Row

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
BIN = Path(sys.executable).parent
AT_ONCE = 4
WANTED = "no known fault"
CONTROL = ("pycrypto", "2.6.1")
"""The last release of a package that nobody keeps, with known faults: an index that names none of them names none."""
Package = tuple[str, str]
"""Name and version."""


class Answer(NamedTuple):
    """What is known of a package.

    Attributes:
        package: name and version.
        faults: their ids; None: nobody could be asked.
        why: where nobody could.
    """

    package: Package
    faults: list[str] | None
    why: str = ""


def locked(lock: Path = LOCK) -> list[Package]:
    """The packages that a lock names."""
    return re.findall(r"^([a-z0-9.\-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)


def by_pip_audit(lock: Path = LOCK) -> list[Answer]:
    """What pip-audit answers."""
    options = ["--disable-pip", "--require-hashes", "--progress-spinner=off", "-f", "json"]
    command = [BIN / "pip-audit", "-r", lock, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return []
    return [
        Answer((one["name"], one["version"]), [fault["id"] for fault in one["vulns"]])
        for one in answers
        if "vulns" in one
    ]


def index() -> str:
    """Where pip's index keeps the pages of its projects, as pip is set up on this machine."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    simple = os.environ.get("PIP_INDEX_URL") or told or PyPI.simple_url
    return simple.rstrip("/").removesuffix("/simple") + "/pypi"


def by_the_index(packages: Iterable[Package]) -> list[Answer]:
    """What the index says of each on the page of its project."""
    pages = index()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda package: _of_page(package, pages), packages))


def _of_page(package: Package, pages: str) -> Answer:
    name, version = package
    try:
        answer = requests.get(f"{pages}/{name}/json", timeout=20)
        answer.raise_for_status()
        page = answer.json()
        newest = Version(page["info"]["version"])
        faults = [fault["id"] for fault in page["vulnerabilities"] if not fault.get("withdrawn")]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return Answer(package, None, "no page")
    if newest != Version(version):
        return Answer(package, None, "not the newest")
    return Answer(package, faults)


def withdrawn(lock: Path = LOCK) -> tuple[int, list[str]] | None:
    """How many packages would be installed here, and which of them were withdrawn; None: nobody answers."""
    options = ["--dry-run", "--ignore-installed", "--no-deps", "--require-hashes", "--quiet", "--report", "-"]
    command = [sys.executable, "-m", "pip", "install", *options, "-r", lock]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        return None
    found: list[Any] = json.loads(done.stdout)["install"]
    return len(found), [one["metadata"]["name"] for one in found if one["is_yanked"]]


def rows(lock: Path = LOCK) -> list[Row]:
    """Ask all three."""
    packages, today = locked(lock), datetime.now(UTC).date().isoformat()
    answered = by_pip_audit(lock)
    asked = {answer.package for answer in answered}
    control, *told = by_the_index([CONTROL, *(package for package in packages if package not in asked)])
    known = [answer for answer in told if answer.faults is not None]
    unknown = [answer for answer in told if answer.faults is None]
    found = [_row(f"pip-audit of the lock, {today}", answered, len(packages))]
    if not control.faults:
        known, unknown = [], told
    elif told:
        work = f"control of the index's pages: faults of {' '.join(CONTROL)}"
        found.append(Row(work, "some", f"{len(control.faults)}", held=True))
    if told:
        found.append(_row(f"faults of the newest releases, on the index's own pages of {today}", known, len(told)))
    if unknown:
        old = sum(answer.why == "not the newest" for answer in unknown)
        seen = f"{len(unknown)} not asked: of {old} there is a newer release"
        found.append(Row("the other packages of the lock", WANTED, seen, held=None))
    gone = withdrawn(lock)
    work = f"withdrawn releases among what is installed here, by pip's report of {today}"
    seen = f"of {gone[0]}: {', '.join(gone[1]) or 'none'}" if gone else "not asked: no index can be reached"
    return [*found, Row(work, "none", seen, held=None if gone is None else not gone[1])]


def _row(work: str, answers: list[Answer], of: int) -> Row:
    faults = [f"{answer.package[0]} {fault}" for answer in answers for fault in answer.faults or []]
    if not answers:
        return Row(work, WANTED, "not asked: it gets no answer here", held=None)
    return Row(work, WANTED, f"{len(answers)} of {of} asked: {', '.join(faults) or 'none'}", held=not faults)
