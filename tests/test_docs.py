"""The pages: their code runs, their errors are the catalogue's, and the site reads without a network."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ingested import DOCUMENT, JSON, Endpoint, endpoint, signed, track
from parties import OTHER
from served import Answer, ask
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, Reason, canonicalize, grammar, wire
from rp_signing.events import ROUTES

DOCS = Path(__file__).resolve().parent.parent / "docs"
ERRORS = (DOCS / "errors.md").read_text(encoding="utf-8")
OPENAPI = yaml.safe_load((DOCS / "openapi.yaml").read_text(encoding="utf-8"))
GUIDES = ("rotation", "proxies", "queues", "stores", "observing")
LIBRARY_ALONE = (Reason.KEY_NOT_STRING, Reason.VALUE_NOT_JSON)


def blocks(page: str) -> list[str]:
    """The Python of a page."""
    return re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)


async def nothing(*_: Any) -> None:
    """An application that answers nothing."""


@pytest.mark.parametrize("page", GUIDES)
def test_the_code_of_a_guide_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of a guide runs after the one before it, with keys that fit together."""
    monkeypatch.chdir(tmp_path)
    defined: dict[str, Any] = {"api_key": API_KEY, "secret": SECRET, "next_secret": OTHER, "app": nothing}
    assert blocks(page)
    for code in blocks(page):
        exec(compile(code, f"{page}.md", "exec"), defined)  # noqa: S102 - our own page


def test_the_guides_show_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """What the blocks print is what the text around them promises."""
    monkeypatch.chdir(tmp_path)
    for page, said in (
        ("rotation", f"{next(iter(Keyring.of({API_KEY: [SECRET]}).find(API_KEY).secrets))}\n"),  # type: ignore[union-attr]
        ("proxies", "True {'b': 1, 'a': 'Grüße'}\n"),
        ("queues", "{'event': 'Order Completed'}\n"),
        ("stores", "{}\n[]\n"),
    ):
        exec(blocks(page)[0], {"api_key": API_KEY, "secret": SECRET, "next_secret": OTHER})  # noqa: S102 - our own page
        assert said in capsys.readouterr().out.replace("1.0", "1")


def test_the_first_page_sends_and_receives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The quick start's sender is stored with trust high, and its receiver is made as it stands."""
    sender, receiver = blocks("index")
    with endpoint(tmp_path, keyring=Keyring.of({API_KEY: [SECRET]}), clock=time.time) as served:
        exec(sender, {"api_key": API_KEY, "secret": SECRET, "endpoint": served.url})  # noqa: S102 - our own page
    assert capsys.readouterr().out == "high 1\n"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys.json").write_bytes(canonicalize(DOCUMENT))
    exec(receiver, {"app": nothing})  # noqa: S102 - our own page


def test_the_tests_of_the_testing_page_pass(tmp_path: Path) -> None:
    """Its blocks are tests, and pytest runs them as they stand; the first with a client of a real application."""
    client = (
        "import pytest\nfrom starlette.applications import Starlette\nfrom starlette.responses import Response\n"
        "from starlette.routing import Route\nfrom starlette.testclient import TestClient\n"
        "from rp_signing import MemoryNonceStore\nfrom rp_signing.middleware.asgi import VerifyRequests\n"
        "from rp_signing.testing import keyring\n\n@pytest.fixture\ndef client():\n"
        "    inner = Starlette(routes=[Route('/hook', lambda _: Response(), methods=['POST'])])\n"
        "    return TestClient(VerifyRequests(inner, keyring(), nonces=MemoryNonceStore(born=0)))\n\n"
    )
    (tmp_path / "test_page.py").write_text(client + "\n\n".join(blocks("testing")))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "3 passed" in run.stdout, run.stdout + run.stderr


def test_every_error_has_its_place() -> None:
    """The page has each reason of the catalogue once, in its order, with summary, public code, cause and cure."""
    sections = re.findall(r"^### `(\w+)`\n\n(.*?)(?=^##|\Z)", ERRORS, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in sections] == [reason.value for reason in Reason]
    for reason, (_, text) in zip(Reason, sections, strict=True):
        flat = " ".join(text.split())
        assert flat.startswith(reason.summary)
        assert (f"A stranger is told `{reason.public_code}`." in flat) == (reason.public_code != reason.value)
        assert re.search(r"Cause: .{20,} Cure: .{20,}", flat), reason


def test_every_error_stands_under_its_status() -> None:
    """The headings of the page are the statuses of the catalogue."""
    for heading, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", ERRORS, re.DOTALL | re.MULTILINE):
        names = re.findall(r"^### `(\w+)`", text, re.MULTILINE)
        statuses = {Reason(name).status for name in names}
        alone = [name for name in names if Reason(name) in LIBRARY_ALONE]
        assert names
        assert alone == names if heading == "In the library alone" else {int(heading[:3])} == statuses


def test_openapi_has_the_routes_headers_statuses_and_codes_of_the_library() -> None:
    """Nothing of the description is typed that the library says otherwise."""
    assert set(OPENAPI["paths"]) == {f"/v1/{route}" for route in (*ROUTES, "check")}
    codes = OPENAPI["components"]["schemas"]["Code"]["enum"]
    assert codes == list(dict.fromkeys(reason.public_code for reason in Reason))
    statuses = {str(reason.status) for reason in Reason} | {"202"}
    assert {status for path in OPENAPI["paths"].values() for status in path["post"]["responses"]} == statuses
    rules = {
        wire.API_KEY: grammar.API_KEY, wire.KEY_ID: grammar.KEY_ID, wire.TIMESTAMP: grammar.TIMESTAMP,
        wire.NONCE: grammar.NONCE, wire.SIGNATURE: grammar.SIGNATURE,
    }  # fmt: skip
    described = {each["name"]: each["schema"]["pattern"] for each in OPENAPI["components"]["parameters"].values()}
    assert described.keys() == rules.keys()
    for name, pattern in described.items():
        for text in (API_KEY, "0123456789abcdef", "1795424400", "A" * 22, "sha256=" + "0" * 64, "A" * 65, ""):
            assert bool(re.search(pattern, text)) == rules[name].matches(text), (name, text)


def validator(schema: str) -> Any:
    """What judges a document by one of the description's schemas."""
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **OPENAPI})


def test_what_the_endpoint_answers_is_as_described(tmp_path: Path) -> None:
    """Receipts and refusals of a running endpoint are what the description says, and so are the events it takes."""
    with endpoint(tmp_path) as served:
        for route in ("track", "check"):
            validator("Receipt").validate(served.send(route, signed(track())).document)
        validator("Track").validate(signed(track()))
        for answer in refusals(served):
            validator("Problem").validate(answer.document)
            described = OPENAPI["paths"]["/v1/track"]["post"]["responses"]
            assert str(answer.status) in described
            assert ("retry-after" in answer.headers) == ("RefusedForNow" in described[str(answer.status)]["$ref"])
    assert not validator("Track").is_valid({**track(), "trust": "high"})


def refusals(served: Endpoint) -> list[Answer]:
    """One refusal of each kind that can be had in a moment."""
    url, body = f"{served.url}/v1/track", canonicalize(signed(track("m-2")))
    return [
        ask(url, body, served.headers(body), "PUT"),
        ask(f"{served.url}/v1/nowhere", body, served.headers(body)),
        ask(url, body, JSON),
        ask(url, body + b" ", served.headers(body)),
        ask(url, b'{"a":1,"a":1}', served.headers(b'{"a":1,"a":1}')),
        served.send("track", track()),
        served.send("batch", {"batch": [signed(track("m-3")), track("m-4"), {}]}),
        served.send("track", signed(track("m-1", event="Another"))),
    ]


class Loads(HTMLParser):
    """Collects what a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one tag."""
        wanted = {"link": "href", "script": "src", "img": "src", "iframe": "src"}.get(tag)
        self.urls += [value for name, value in attrs if name == wanted and value]


def test_the_site_is_built_without_a_warning_and_needs_no_network(tmp_path: Path) -> None:
    """`make docs` passes, every page is in it, and none loads anything from elsewhere."""
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "--quiet",
        "--fail-on-warning",
        "-d",
        tmp_path / "trees",
        DOCS,
        tmp_path / "site",
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    pages = {path.relative_to(tmp_path / "site").with_suffix("") for path in (tmp_path / "site").rglob("*.html")}
    assert {
        path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md") if "_build" not in path.parts
    } <= pages
    for path in (tmp_path / "site").rglob("*.html"):
        loads = Loads()
        loads.feed(path.read_text(encoding="utf-8"))
        assert [url for url in loads.urls if "//" in url] == [], path
    stores = (tmp_path / "site/stores.html").read_text(encoding="utf-8")
    assert '<span class="column">because</span>' in stores
    assert "_static/pages.css" in stores
    errors = (tmp_path / "site/errors.html").read_text(encoding="utf-8")
    assert [reason for reason in Reason if f'id="{reason.public_code}"' not in errors] == []
    causes = (tmp_path / "site/causes.html").read_text(encoding="utf-8")
    assert "with <em>prefix</em> in front of it" in causes
    assert re.findall(r"\{\w+[:}]", causes) == []
    assert "Verifies signed requests" in (tmp_path / "site/api.html").read_text(encoding="utf-8")
