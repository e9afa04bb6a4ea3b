"""What asks for known faults of packages is tried itself, against an index of these tests' own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import audit
import pytest

OLD = {"id": "PYSEC-1", "withdrawn": "2026-01-01T00:00:00Z"}
STANDING = {"id": "PYSEC-3", "withdrawn": None}
PAGES: dict[str, Any] = {
    "sound": {"info": {"version": "1.0"}, "vulnerabilities": [OLD]},
    "faulty": {"info": {"version": "2.0"}, "vulnerabilities": [OLD, {"id": "PYSEC-2"}, STANDING]},
    "older": {"info": {"version": "3.1"}, "vulnerabilities": []},
    "odd": ["no page"],
    "pycrypto": {"info": {"version": "2.6.1"}, "vulnerabilities": [{"id": "PYSEC-4"}]},
}  # fmt: skip
LOCK = "sound==1 \\\n    --hash=sha256:0\nfaulty==2.0 ; python_version > '3'\nolder==3.0\nodd==1.0\nlost==1.0\n"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An index with these pages, the one that pip is told of; a test may change them."""
    served = dict(PAGES)

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = served.get(self.path.removeprefix("/pypi/").removesuffix("/json"))
            self.send_response(404 if page is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(page).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of five packages."""
    (tmp_path / "lock").write_text(LOCK)
    return tmp_path / "lock"


@pytest.mark.usefixtures("pages")
def test_each_package_is_told_apart(lock: Path) -> None:
    """Faults of the newest release, but those that were taken back; nothing of an older one, or without a page."""
    told = {answer.package[0]: answer[1:] for answer in audit.by_the_index(audit.locked(lock))}
    assert told == {
        "sound": ([], ""),
        "faulty": (["PYSEC-2", "PYSEC-3"], ""),
        "older": (None, "not the newest"),
        "odd": (None, "no page"),
        "lost": (None, "no page"),
    }


def rows(
    lock: Path, monkeypatch: pytest.MonkeyPatch, *, answered: tuple[Any, ...] = ()
) -> list[tuple[str, bool | None]]:
    """What the rows say was seen, where pip-audit answers this and pip has no report."""
    monkeypatch.setattr(audit, "by_pip_audit", lambda _: list(answered))
    monkeypatch.setattr(audit, "withdrawn", lambda _: None)
    return [(row.seen, row.held) for row in audit.rows(lock)]


@pytest.mark.usefixtures("pages")
def test_a_fault_breaks_its_row(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked and what was not are two rows; who was not asked is never said to be sound."""
    assert rows(lock, monkeypatch) == [
        ("not asked: it gets no answer here", None),
        ("1", True),
        ("2 of 5 asked: faulty PYSEC-2, faulty PYSEC-3", False),
        ("3 not asked: of 1 there is a newer release", None),
        ("not asked: no index can be reached", None),
    ]


def test_an_index_that_names_no_faults_is_not_believed(
    pages: dict[str, Any], lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the index has no fault of a package that is known to have some, nothing that it says counts."""
    pages["pycrypto"] = {"info": {"version": "2.6.1"}, "vulnerabilities": []}
    assert [held for _, held in rows(lock, monkeypatch)] == [None] * 4


@pytest.mark.usefixtures("pages")
def test_pip_audit_comes_first(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip-audit answers is not asked of the index again."""
    every = tuple(audit.Answer(package, []) for package in audit.locked(lock))
    assert rows(lock, monkeypatch, answered=every)[:1] == [("5 of 5 asked: none", True)]
    assert len(rows(lock, monkeypatch, answered=every)) == 2


def test_the_lock_is_read_whole() -> None:
    """Every package of requirements.lock, which has its hashes beside it, is asked for."""
    text = audit.LOCK.read_text(encoding="utf-8")
    starts = [line for line in text.splitlines() if line[:1] not in ("", " ", "#")]
    assert [f"{name}=={version}" for name, version in audit.locked()] == [line.split(" ")[0] for line in starts]
