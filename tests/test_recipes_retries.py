"""The recipes of docs/recipes/retries.md run as they stand, against an endpoint whose store fails now and then."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina
from celery.contrib.testing.worker import start_worker
from fastapi.testclient import TestClient
from recorded import VARIABLES
from served import serving

from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keys import Keyring
from rp_signing.sdk import NotDelivered, RetainPixel

API_KEY, SECRET = "rpx_test_recipes", "s" * 40
PAGE = (Path(__file__).parent.parent / "docs/recipes/retries.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.*?)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
EVENT: dict[str, Any] = {"type": "track", "user_id": "u", "event": "E"}


class Failing:
    """An endpoint before which something stores the events and loses the answer, as often as it is told to."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.times = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Go on; answer 503 though all is stored."""
        failing = scope["type"] == "http" and self.times > 0
        self.times -= failing

        async def losing(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {"type": message["type"], "status": 503, "headers": [(b"retry-after", b"0")]}
            else:
                message = {**message, "body": b""}
            await send(message)

        await self.inner(scope, receive, losing if failing else send)


class Place:
    """What a recipe runs against."""

    def __init__(self, app: Failing, store: SQLiteEventStore, client: RetainPixel) -> None:
        self.app = app
        self.store = store
        self.client = client

    def recipe(self, title: str) -> dict[str, Any]:
        """Run a recipe's code; gives its names."""
        names: dict[str, Any] = {"client": self.client}
        exec(compile(RECIPES[title], title, "exec"), names)  # noqa: S102 - the page's own code
        return names


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An endpoint, its store and a client."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    store = SQLiteEventStore(tmp_path / "events.db")
    app = Failing(Ingest(Keyring.of({API_KEY: [SECRET]}), store))
    with serving(app) as url, RetainPixel(api_key=API_KEY, secret=SECRET, base_url=url) as client:
        yield Place(app, store, client)
    store.close()


def test_the_page_has_these_recipes() -> None:
    """Each recipe has a test below."""
    assert list(RECIPES) == ["stamina", "Celery", "FastAPI background task", "A plain thread", "An outbox table"]


def test_stamina(place: Place) -> None:
    """Two answers are lost; the event is stored once, and what is refused for good is not sent again."""
    track = place.recipe("stamina")["track"]
    place.app.times = 2
    with stamina.set_testing(True, attempts=5):
        assert track(user_id="u", event="E").duplicates == 1
    assert len(place.store) == 1
    with pytest.raises(NotDelivered):
        track(user_id="u", event="")


def test_celery(place: Place) -> None:
    """A real worker over a broker in memory tries again until the answer comes."""
    names = place.recipe("Celery")
    app = names["app"]
    app.conf.update(broker_url="memory://", result_backend="cache+memory://", task_always_eager=False)
    place.app.times = 2
    with start_worker(app, perform_ping_check=False, pool="solo"):
        names["enqueue"]([EVENT, EVENT])
        _until(lambda: place.app.times == 0 and len(place.store) == 2)
    assert len(place.store) == 2


def test_fastapi(place: Place) -> None:
    """The request is answered; its event is stored once though an answer was lost."""
    names = place.recipe("FastAPI background task")
    place.app.times = 1
    with TestClient(names["api"]) as web:
        assert web.post("/orders").json() == {"ok": True}
    assert len(place.store) == 1
    assert place.app.times == 0


def test_a_thread(place: Place) -> None:
    """All that was put is stored once when close() returns."""
    background = place.recipe("A plain thread")["Background"](place.client)
    place.app.times = 1
    for _ in range(5):
        background.put(**EVENT)
    _until(lambda: place.app.times == 0 and len(place.store) >= 1)
    background.close()
    assert background.failed == []
    assert len(place.store) == 5
    with pytest.raises(RuntimeError):
        background.put(**EVENT)


def test_an_outbox(place: Place, tmp_path: Path) -> None:
    """What is recorded is sent after answers were lost, stored once; what is refused stays, with its fault."""
    names = place.recipe("An outbox table")
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute(names["OUTBOX"])
    with connection:
        for _ in range(3):
            names["record"](connection, EVENT)
        connection.execute("INSERT INTO outbox (event) VALUES ('{}')")
    place.app.times = 2
    assert [names["deliver_once"](connection) for _ in range(4)] == [0, 0, 0, None]
    assert len(place.store) == 3
    ((fault,),) = connection.execute("SELECT fault FROM outbox").fetchall()
    assert "event_invalid" in fault
    connection.close()


def _until(done: Any) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        threading.Event().wait(0.01)
