"""`client.check()`: the set-up is proved before the first event, and nothing is stored; and what a bug report needs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from served import serving
from test_sdk_ingest import API_KEY, OPEN_KEY, OTHER, SECRET, Meddling, Place, altered, place

from rp_signing import Keyring
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.sdk import (
    AsyncRetainPixel,
    BodyAltered,
    ClockSkew,
    NotDelivered,
    RequestRefused,
    RetainPixel,
    SignatureRemoved,
    WrongSecret,
)
from rp_signing.testing import RecordingClient

__all__ = ["place"]


def client(place: Place, **settings: Any) -> RetainPixel:
    """A client whose set-up is right but for what is given."""
    return RetainPixel(**{"api_key": API_KEY, "secret": SECRET, "base_url": place.url} | settings)


def rows(place: Place) -> list[int]:
    """How many events, requests and nonces are stored."""
    tables = ("rp_event", "rp_request", "rp_nonce")
    return [place.store._database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608


def test_a_set_up_that_is_right_is_told_so(place: Place) -> None:
    """The receipt has the trust that events would get and the clocks' difference; no row is written, ever so often."""
    with client(place) as sender:
        receipts = [sender.check() for _ in range(2)]
    assert {(receipt.trust, receipt.stored, tuple(receipt.message_ids)) for receipt in receipts} == {("high", 0, ())}
    assert abs(receipts[0].skew) <= 2
    with RetainPixel(api_key=OPEN_KEY, base_url=place.url) as unsigned:
        assert unsigned.check().trust == "standard"
    assert rows(place) == [0, 0, 0]


def test_it_can_be_awaited(place: Place) -> None:
    """The same for asyncio."""

    async def check() -> str:
        async with AsyncRetainPixel(api_key=API_KEY, secret=SECRET, base_url=place.url) as sender:
            return (await sender.check()).trust

    assert asyncio.run(check()) == "high"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"secret": OTHER}, WrongSecret),
        ({"api_key": "rpx_test_nobody"}, RequestRefused),
        ({"clock": lambda: 1_000_000_000}, ClockSkew),
        (
            {"transport": Meddling(lambda request: altered(request, request.content.replace(b"0.1", b"0.10")))},
            BodyAltered,
        ),
        (
            {"api_key": OPEN_KEY, "transport": Meddling(lambda request: altered(request, strip=True))},
            SignatureRemoved,
        ),
    ],
)
def test_what_is_wrong_is_named(place: Place, settings: dict[str, Any], error: type[NotDelivered]) -> None:
    """Wrong secret, unknown api key, a clock far off, a body rewritten, a signature taken off: each has its error."""
    with client(place, **settings) as sender, pytest.raises(error):
        sender.check()
    assert rows(place) == [0, 0, 0]


def test_another_address_is_named(place: Place) -> None:
    """A base URL with a path too many leads to a route that is none."""
    with client(place, base_url=f"{place.url}/api") as sender, pytest.raises(RequestRefused, match="route_unknown"):
        sender.check()


def test_a_check_is_no_event() -> None:
    """A recording client records none."""
    recording = RecordingClient()
    assert recording.check().stored == 0
    assert recording.sent == []


def test_a_bug_report_has_the_versions() -> None:
    """`python -m rp_signing` names each part and its version, without an extra being needed."""
    code = (
        "import sys, runpy\n"
        "for name in ('click', 'rich', 'httpx2', 'pydantic'): sys.modules[name] = None\n"
        "runpy.run_module('rp_signing', run_name='__main__')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = dict(line.split(maxsplit=1) for line in run.stdout.splitlines())
    assert lines["cryptography"][0].isdigit()
    assert {"rp-signing", "orjson", "Python", "SQLite", "platform"} <= set(lines)


def test_an_error_links_to_its_page(tmp_path: Path) -> None:
    """Where the endpoint publishes a page of errors, problem document and exception lead to the error's place on it."""
    page = "https://docs.example/errors.html"
    store = SQLiteEventStore(tmp_path / "events.db")
    with (
        serving(Ingest(Keyring.of({API_KEY: [SECRET]}), store, errors_url=page)) as url,
        RetainPixel(api_key=API_KEY, secret=OTHER, base_url=url) as sender,
        pytest.raises(WrongSecret) as caught,
    ):
        sender.check()
    store.close()
    assert caught.value.page == f"{page}#signature_invalid"


def test_an_error_without_a_page_links_nowhere(place: Place) -> None:
    """A URN is no link."""
    with client(place, secret=OTHER) as sender, pytest.raises(WrongSecret) as caught:
        sender.check()
    assert caught.value.page is None
