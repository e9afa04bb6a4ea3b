"""Two applications behind the gate, for servers that import their application: what they were given, they say.

The environment says where the nonces and the list of what ran are kept: RP_TEST_FOLDER.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from parties import KEYS

from rp_signing import Keyring
from rp_signing.middleware.asgi import VerifyRequests as VerifyASGI
from rp_signing.middleware.wsgi import VerifyRequests as VerifyWSGI
from rp_signing.stores.sqlite import SQLiteNonceStore

LIMIT = 100_000
BODY_TIMEOUT = 0.5
FOLDER = Path(os.environ.get("RP_TEST_FOLDER", "."))


def seen(body: bytes, verified: Any) -> bytes:
    """What the application saw of a request; a line of it is kept, so that a test can count what ran."""
    document = {
        "sha256": sha256(body).hexdigest(),
        "length": len(body),
        "payload": verified.payload,
        "nonce": verified.nonce,
        "key_id": verified.key_id,
    }
    with (FOLDER / "ran").open("a") as ran:
        ran.write(verified.nonce + "\n")
    return json.dumps(document).encode()


async def plain_asgi(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that reads its body whole and answers what it saw."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    answer = seen(body, scope["rp_signing.verified"])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def plain_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """A WSGI application that reads as many bytes as are announced and answers what it saw."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    answer = seen(body, environ["rp_signing.verified"])
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def protected(door: Any, app: Any) -> Any:
    """The application behind a door, with the nonces that all workers share."""
    store = SQLiteNonceStore(FOLDER / "nonces.db", born=0)
    return door(app, Keyring.of(KEYS), nonces=store, max_body=LIMIT, body_timeout=BODY_TIMEOUT)


def asgi() -> Any:
    """Make the ASGI application."""
    return protected(VerifyASGI, plain_asgi)


def wsgi() -> Any:
    """Make the WSGI application."""
    return protected(VerifyWSGI, plain_wsgi)
