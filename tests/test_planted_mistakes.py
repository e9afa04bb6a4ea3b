"""Mistakes as a new user makes them, against `serve --dev`: the first thing that one looks at names the cause.

That is the exception, where a library of ours was called; the reply, where it says it all; else the server's terminal.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
from developing import Developing, developing
from mistaken_sender import Sender, canonical, sign_event
from mistakes import MISTAKES
from recorded import VARIABLES
from served import serving
from served_wsgi import serving_wsgi

from rp_signing import Keyring, MemoryNonceStore, RetainPixel, Signer, Verifier, canonicalize
from rp_signing.keys import secret_text

EVENT = {"type": "track", "userId": "user-123", "event": "Order Completed", "properties": {"total": 49.9}}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def dev() -> Iterator[Developing]:
    """The development server, as its user starts it."""
    with developing() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def raised(call: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    """What the exception says, as the last line of a traceback does."""
    with pytest.raises(Exception, match=r"\w") as caught:
        call(*arguments, **options)
    return f"{caught.type.__name__}: {caught.value}"


def track(dev: Developing, **options: Any) -> str:
    """What an SDK says that was set up in a wrong way."""

    def send() -> None:
        given = {"api_key": dev.api_key, "secret": dev.secret, "base_url": dev.served.url, **options}
        with RetainPixel(**given) as client:
            client.track(user_id="user-123", event="Order Completed", properties={"total": 49.9})

    return raised(send)


def shown(dev: Developing, headers: dict[str, str], body: bytes, **how: Any) -> str:
    """What the reply says, and what the terminal of the server shows of a request."""
    before = len(dev.served.log)
    answer = httpx.post(f"{dev.served.url}/v1/track", headers=headers | JSON, **(how or {"content": body}))
    assert answer.status_code >= 400
    dev.served.wait_for("cause", times=1 + sum("cause" in line for line in dev.served.log[:before]))
    told = answer.json()
    return f"{told['code']}: {told['detail']}\n" + "".join(dev.served.log[before:])


def by_hand(dev: Developing, mistake: Callable[[Sender], Any]) -> tuple[dict[str, str], bytes]:
    """What a sender sends that was written by hand from SPEC.md, with one mistake."""
    event = {**EVENT, "messageId": "by-hand-refused"}
    event["integrity_signature"] = sign_event(event, key=dev.secret.encode(), api_key=dev.api_key)
    sender = Sender(event)
    sender.now, sender.secret = int(time.time()), dev.secret
    sender.api_key = sender.signed_api_key = dev.api_key
    mistake(sender)
    headers, body = sender.send()
    return dict(headers), body


def secret_from_a_file(dev: Developing, folder: Path) -> str:
    """The secret was saved by an editor, and read with the newline at its end."""
    (folder / "secret").write_text(dev.secret + "\n")
    return track(dev, secret=(folder / "secret").read_text())


def keys_exchanged(dev: Developing, _: Path) -> str:
    """Api key and secret were pasted into each other's place."""
    return track(dev, api_key=dev.secret, secret=dev.api_key)


def variable_unset(dev: Developing, _: Path) -> str:
    """The variable is set in another shell than the one that runs."""
    return track(dev, secret=os.environ.get("RETAINPIXEL_HMAC_SECRET"))


def secret_of_another_environment(dev: Developing, _: Path) -> str:
    """The secret is that of staging."""
    return track(dev, secret=secret_text(b"s" * 32, live=False))


def clock_behind(dev: Developing, _: Path) -> str:
    """The machine's clock is seven minutes behind."""
    return track(dev, clock=lambda: time.time() - 417)


def route_in_the_url(dev: Developing, _: Path) -> str:
    """The base URL was copied with the route in it."""
    return track(dev, base_url=dev.served.url + "/v1/track")


def gateway_that_rewrites(dev: Developing, _: Path) -> str:
    """A gateway on the way parses JSON, and writes it anew."""

    async def gateway(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": message["type"] + ".complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = json.dumps(json.loads((await receive())["body"])).encode()
        headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
        async with httpx.AsyncClient() as client:
            answer = await client.post(dev.served.url + scope["path"], headers=headers, content=body)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.headers.raw})
        await send({"type": "http.response.body", "body": answer.content})

    with serving(gateway) as url:
        return track(dev, base_url=url)


def signed_something_else(dev: Developing, _: Path) -> str:
    """`json.dumps` was signed, and the HTTP client wrote the JSON its own way."""
    event = json.loads(dev.event(messageId="signed-something-else"))
    headers = Signer(api_key=dev.api_key, secret=dev.secret).sign(json.dumps(event).encode())
    return shown(dev, headers, b"", json=event)


def milliseconds(dev: Developing, _: Path) -> str:
    """The timestamp is what `Date.now()` gives."""
    return shown(dev, *by_hand(dev, lambda sender: setattr(sender, "now", sender.now * 1000)))


def mac_in_base64(dev: Developing, _: Path) -> str:
    """The MAC is written in base64, as other schemes have it."""
    return shown(dev, *by_hand(dev, MISTAKES["mac_base64"].make))


def secret_decoded(dev: Developing, _: Path) -> str:
    """The secret looks like base64, so it was decoded."""
    return shown(dev, *by_hand(dev, MISTAKES["secret_base64_decoded"].make))


def final_newline_in_the_lines(dev: Developing, _: Path) -> str:
    """Each of the eight lines was written with a newline after it, the last one too."""
    return shown(dev, *by_hand(dev, MISTAKES["lines_final_newline"].make))


def parsed_body_verified(dev: Developing, _: Path) -> str:
    """The receiver's handler verifies what its framework has parsed."""
    app, seen = flask.Flask(__name__), []
    verifier = Verifier(Keyring.of({dev.api_key: dev.secret}), nonces=MemoryNonceStore(born=0))

    @app.post("/hook")
    def hook() -> str:
        verifier.verify(flask.request.headers, flask.request.json)
        return ""

    app.register_error_handler(TypeError, lambda error: (seen.append(f"TypeError: {error}"), ("", 500))[1])
    body = canonicalize(EVENT)
    with serving_wsgi(app) as url:
        headers = Signer(api_key=dev.api_key, secret=dev.secret).sign(body)
        assert httpx.post(f"{url}/hook", headers=headers | JSON, content=body).status_code == 500
    return seen[0]


PLANTED: dict[Callable[[Developing, Path], str], str] = {
    secret_from_a_file: r"ValueError: secret=: the secret ends in a newline; strip it where it is read",
    keys_exchanged: r"ValueError: api_key=: the api key is a secret .* the two were exchanged",
    variable_unset: r"ValueError: secret= is None: is the environment variable RETAINPIXEL_HMAC_SECRET set\?",
    secret_of_another_environment: r"WrongSecret: .* \(ours [0-9a-f]{16}, theirs unknown\)",
    clock_behind: r"ClockSkew: the own clock differs .* by \+41[678] s \(\+: the own clock is behind\)",
    route_in_the_url: r"ValueError: base_url= must be like .*; the route at its end .*; leave it out",
    gateway_that_rewrites: r"BodyAltered: the body was altered on its way: sent \d+ bytes, received \d+",
    signed_something_else: r"cause  signed_json_dumps  What was signed is what Python's json.dumps writes",
    milliseconds: r"^timestamp_unit: .*milliseconds",
    mac_in_base64: r"cause  mac_base64  The MAC was sent in base64",
    secret_decoded: r"cause  secret_base64_decoded  The secret was base64-decoded",
    final_newline_in_the_lines: r"cause  lines_final_newline  The signing input ended in a newline",
    parsed_body_verified: r"TypeError: the body is dict, not bytes: .*request.get_data\(\) in Flask",
}


@pytest.mark.parametrize("mistake", PLANTED, ids=lambda mistake: mistake.__name__)
def test_the_first_thing_one_looks_at_names_the_cause(
    mistake: Callable[[Developing, Path], str], dev: Developing, tmp_path: Path
) -> None:
    """More than ten mistakes, each named by the exception, the reply or the terminal that its maker sees first."""
    assert len(PLANTED) >= 10
    assert re.search(PLANTED[mistake], mistake(dev, tmp_path))


def test_without_a_mistake_the_same_senders_are_taken(dev: Developing) -> None:
    """The SDK, the signer beside an HTTP client, and the sender by hand: the mistakes are all that was wrong."""
    with RetainPixel(api_key=dev.api_key, secret=dev.secret, base_url=dev.served.url) as client:
        assert client.track(user_id="user-123", event="Order Completed").stored == 1
    assert dev.send(dev.event(messageId="sent")).status == 202
    event = {**EVENT, "messageId": "by-hand"}
    event["integrity_signature"] = sign_event(event, key=dev.secret.encode(), api_key=dev.api_key)
    assert dev.send(canonical(event)).status == 202
