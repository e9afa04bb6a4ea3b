"""A door takes another keyring while it serves."""

from __future__ import annotations

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rp_signing import Keyring, MemoryNonceStore
from rp_signing.middleware.asgi import VerifyRequests as VerifyASGI
from rp_signing.middleware.wsgi import VerifyRequests as VerifyWSGI
from rp_signing.testing import API_KEY, OTHER_SECRET, SECRET, signed_request

BEFORE, BOTH, AFTER = (Keyring.of({API_KEY: secrets}) for secrets in (SECRET, [OTHER_SECRET, SECRET], OTHER_SECRET))
OLD, NEW = SECRET, OTHER_SECRET


class OverASGI:
    """An ASGI door, as a server calls it."""

    def __init__(self, keyring: Keyring) -> None:
        self.door = VerifyASGI(self._app, keyring, nonces=MemoryNonceStore(born=0))

    @staticmethod
    async def _app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def send(self, secret: str) -> int:
        """Send a request that this secret signed; gives the status."""
        sent, said = signed_request({}, secret=secret), []
        headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers]

        async def receive() -> Any:
            return {"type": "http.request", "body": sent.body}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {"type": "http", "http_version": "1.1", "method": "POST", "headers": headers}
        asyncio.run(self.door(scope, receive, send))
        return int(said[0]["status"])


class OverWSGI:
    """A WSGI door, as a server calls it."""

    def __init__(self, keyring: Keyring) -> None:
        self.door = VerifyWSGI(self._app, keyring, nonces=MemoryNonceStore(born=0))

    @staticmethod
    def _app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return []

    def send(self, secret: str) -> int:
        """Send a request that this secret signed; gives the status."""
        sent, said = signed_request({}, secret=secret), []
        environ = {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(sent.body), "CONTENT_LENGTH": str(len(sent.body))}
        for name, value in sent.headers:
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        self.door(environ, lambda status, _: said.append(status))
        return int(said[0][:3])


@pytest.fixture(params=[OverASGI, OverWSGI])
def over(request: pytest.FixtureRequest) -> Any:
    """Each door in its turn."""
    return request.param


def test_another_keyring_counts_from_the_next_request_on(over: Any) -> None:
    """Rotation without a restart: the next secret is added, then the old one taken away; what is no keyring is not."""
    place = over(BEFORE)
    assert (place.send(OLD), place.send(NEW)) == (200, 401)
    place.door.use(BOTH)
    assert (place.send(OLD), place.send(NEW)) == (200, 200)
    place.door.use(AFTER)
    with pytest.raises(TypeError, match="keyring"):
        place.door.use({API_KEY: OLD})
    assert (place.send(OLD), place.send(NEW)) == (401, 200)


def test_no_request_sees_half_a_keyring(over: Any) -> None:
    """Requests by a secret that is in the keyring before and after are all taken, while it is changed."""
    place, over_now = over(BOTH), threading.Event()

    def change() -> int:
        times = 0
        while not over_now.is_set():
            place.door.use((AFTER, BOTH)[times % 2])
            times += 1
        return times

    with ThreadPoolExecutor(5) as pool:
        changing = pool.submit(change)
        statuses = set(pool.map(place.send, [NEW] * 200))
        over_now.set()
        assert changing.result() > 10
    assert statuses == {200}
