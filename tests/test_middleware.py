"""What both doors promise below the socket: the same rules, by plain calls of ASGI and WSGI."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from parties import BODY, KEYS, LIVE_API_KEY, NOW, OTHER, Clock, signer
from spec_page import API_KEY_ID, KEY_ID

from rp_signing import MemoryNonceStore, Reason, Verified
from rp_signing.keyfile import keyring_of
from rp_signing.middleware.asgi import VerifyRequests as VerifyASGI
from rp_signing.middleware.wsgi import VerifyRequests as VerifyWSGI
from rp_signing.observation import UNVERIFIED, Observation
from rp_signing.verifier import Unsigned

JSON = {"Content-Type": "application/json"}
KEYRING = keyring_of(
    {
        "api_keys": [
            {"api_key": api_key, "secrets": [secrets] if isinstance(secrets, str) else list(secrets)}
            for api_key, secrets in KEYS.items()
            if api_key != LIVE_API_KEY
        ]
        + [{"api_key": LIVE_API_KEY, "secrets": [OTHER], "require_signature": False}]
    }
)
UNSIGNED_HEADERS = JSON | {"X-RP-Api-Key": LIVE_API_KEY}


class Outcome(NamedTuple):
    """What came of a request.

    Attributes:
        status: the HTTP status.
        document: the reply's JSON.
        ran: what the application was given: the outcome, the body, its Content-Length; None where it did not run.
    """

    status: int
    document: Any
    ran: tuple[Any, bytes, str | None] | None


def over_asgi(headers: dict[str, str], body: bytes, method: str = "POST", **options: Any) -> Outcome:
    """Send a request through the ASGI door."""
    ran: list[tuple[Any, bytes, str | None]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        outcome = scope.get("rp_signing.verified") or scope.get("rp_signing.unsigned")
        message = await receive()
        lengths = [value.decode() for name, value in scope["headers"] if name == b"content-length"]
        ran.append((outcome, message["body"], *lengths))
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [*headers.items(), ("Content-Length", str(len(body)))]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": "/",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "rp_signing.verified": options.pop("forged", None),
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]
    sent: list[Any] = []
    asyncio.run(VerifyASGI(app, **defaults(options))(scope, receive, send))
    return Outcome(sent[0]["status"], json.loads(sent[1]["body"]), ran[0] if ran else None)


def over_wsgi(headers: dict[str, str], body: bytes, method: str = "POST", **options: Any) -> Outcome:
    """Send a request through the WSGI door."""
    ran: list[tuple[Any, bytes, str | None]] = []
    said: list[str] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        outcome = environ.get("rp_signing.verified") or environ.get("rp_signing.unsigned")
        ran.append((outcome, environ["wsgi.input"].read(), environ["CONTENT_LENGTH"]))
        start_response("200 OK", [])
        return [b"{}"]

    environ = {
        "REQUEST_METHOD": method,
        "wsgi.input": io.BytesIO(body + b"the next request"),
        "CONTENT_LENGTH": str(len(body)),
        "rp_signing.verified": options.pop("forged", None),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    door = VerifyWSGI(app, **defaults(options))
    answer = b"".join(door(environ, lambda status, _: said.append(status)))
    return Outcome(int(said[0][:3]), json.loads(answer), ran[0] if ran else None)


def defaults(options: dict[str, Any]) -> dict[str, Any]:
    """What every door of these tests is given unless told otherwise."""
    return {"keyring": KEYRING, "nonces": MemoryNonceStore(born=0), "clock": Clock()} | options


@pytest.fixture(params=[over_asgi, over_wsgi])
def send(request: pytest.FixtureRequest) -> Callable[..., Outcome]:
    """Each door in its turn."""
    over: Callable[..., Outcome] = request.param
    return over


def test_a_signed_request_runs_the_application(send: Callable[..., Outcome]) -> None:
    """The application has the `Verified` of its request, the very bytes, and their length."""
    outcome = send(signer(Clock()).sign(BODY) | JSON, BODY)
    assert outcome.status == 200
    assert outcome.ran is not None
    verified, body, length = outcome.ran
    assert isinstance(verified, Verified)
    assert (verified.api_key_id, body, length) == (API_KEY_ID, BODY, str(len(BODY)))


def test_a_refused_request_does_not_run_it(send: Callable[..., Outcome]) -> None:
    """Nothing of the application runs, and a verdict that somebody planted outside is not passed on."""
    headers = signer(Clock()).sign(BODY) | JSON
    for refused in (send(headers, BODY + b" "), send(headers, BODY, "GET"), send(UNSIGNED_HEADERS, BODY)):
        assert refused.ran is None
        assert refused.status in (401, 405)
    outcome = send(headers, BODY, forged="forged")
    assert outcome.ran is not None
    assert isinstance(outcome.ran[0], Verified)


def test_an_unsigned_request_passes_only_where_it_is_asked_for(send: Callable[..., Outcome]) -> None:
    """With accept_unsigned, an api key that requires no signature is enough, and the outcome says `Unsigned`."""
    assert send(UNSIGNED_HEADERS, BODY).document["code"] == "signature_missing"
    outcome = send(UNSIGNED_HEADERS, BODY, accept_unsigned=True, forged="forged")
    assert outcome.ran is not None
    assert isinstance(outcome.ran[0], Unsigned)
    assert outcome.ran[1] == BODY


def test_accept_unsigned_weakens_nothing_else(send: Callable[..., Outcome]) -> None:
    """A signature that is there has to hold, an api key may require one, and the body is read as strictly."""
    signed = signer(Clock(), OTHER, LIVE_API_KEY).sign(BODY) | JSON
    half = {name: value for name, value in signed.items() if name != "X-RP-Signature"}
    cases = [
        (signed, BODY + b" ", "signature_invalid"),
        (half, BODY, "header_malformed"),
        (JSON | {"X-RP-Api-Key": next(iter(KEYS))}, BODY, "signature_missing"),
        (UNSIGNED_HEADERS, b'{"a":1,"a":1}', "payload_duplicate_key"),
        (UNSIGNED_HEADERS, b"", "payload_not_json"),
    ]
    for headers, body, code in cases:
        refused = send(headers, body, accept_unsigned=True)
        assert (refused.document["code"], refused.ran) == (code, None)


def test_a_rewritten_body_reaches_the_application_in_its_canonical_form(send: Callable[..., Outcome]) -> None:
    """With accept_reserialized, the application reads what verified, with its length, not what came."""
    came = json.dumps(json.loads(BODY)).encode()
    headers = signer(Clock()).sign(BODY) | JSON
    assert send(headers, came).document["code"] == "signature_invalid"
    outcome = send(headers, came, accept_reserialized=True)
    assert outcome.ran is not None
    assert outcome.ran[0].reserialized
    assert outcome.ran[1:] == (BODY, str(len(BODY)))


def test_a_replay_is_refused(send: Callable[..., Outcome]) -> None:
    """The second copy meets the nonce of the first."""
    store, headers = MemoryNonceStore(born=0), signer(Clock()).sign(BODY) | JSON
    assert [send(headers, BODY, nonces=store).status for _ in range(3)] == [200, 409, 409]


def test_an_outage_of_the_store_refuses(send: Callable[..., Outcome]) -> None:
    """Where nonces cannot be claimed, nothing passes, and the answer says when to come again."""

    class Broken:
        def claim(self, *_: Any) -> Any:
            raise OSError("secret text")

        async def aclaim(self, *_: Any) -> Any:
            raise OSError("secret text")

    refused = send(signer(Clock()).sign(BODY) | JSON, BODY, nonces=Broken())
    assert (refused.status, refused.ran) == (503, None)
    assert refused.document["code"] == "replay_store_unavailable"
    assert "secret text" not in json.dumps(refused.document)


def test_a_body_over_the_limit_is_refused(send: Callable[..., Outcome]) -> None:
    """One byte more than max_body is refused before the signature is looked at; max_body itself passes."""
    headers = signer(Clock()).sign(BODY) | JSON
    assert send(headers, BODY, max_body=len(BODY) - 1).document["code"] == "payload_too_large"
    assert send(headers, BODY, max_body=len(BODY)).status == 200


def test_the_window_is_the_doors_to_set(send: Callable[..., Outcome]) -> None:
    """`past` and `future` hold to the second."""
    for offset, options in ((-10, {"past": 10}), (10, {"future": 10})):
        headers = signer(Clock(NOW + offset)).sign(BODY) | JSON
        assert send(headers, BODY, **options).status == 200
        tighter = {name: seconds - 1 for name, seconds in options.items()}
        assert send(headers, BODY, **tighter).status == 401


def test_the_exact_reason_is_logged_and_no_secret(
    send: Callable[..., Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the reason that a stranger is not told, and the request id of the reply."""
    headers = signer(Clock()).sign(BODY) | JSON
    refused = send(headers | {"X-RP-Key-Id": "0" * 16}, BODY)
    assert refused.document["code"] == "signature_invalid"
    [record] = [record for record in caplog.records if record.name == "rp_signing.middleware"]
    fields = vars(record)
    assert (fields["reason"], record.levelno) == ("key_id_unknown", logging.WARNING)
    assert fields["request_id"] == refused.document["request_id"]
    text = repr(fields) + json.dumps(refused.document)
    for secret in (*KEYS, OTHER, headers["X-RP-Signature"][7:]):
        assert secret not in text


def test_the_mac_that_was_expected_is_told_to_nobody(
    send: Callable[..., Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever sends a wrong signature learns the right one neither from the reply nor from the log."""
    headers = signer(Clock()).sign(BODY) | JSON
    expected = headers["X-RP-Signature"][7:]
    refused = send(headers | {"X-RP-Signature": "sha256=" + "0" * 64}, BODY)
    assert refused.document["code"] == "signature_invalid"
    assert caplog.records
    assert expected not in json.dumps(refused.document) + "".join(repr(vars(record)) for record in caplog.records)


def test_the_hook_is_told_of_each_request(send: Callable[..., Outcome]) -> None:
    """Taken, refused and unsigned: once each, with ids only where the MAC has held."""
    seen: list[Observation] = []
    headers = signer(Clock(NOW - 3)).sign(BODY) | JSON
    store = MemoryNonceStore(born=0)
    options = {"observe": seen.append, "accept_unsigned": True, "nonces": store}
    for sent, body in ((headers, BODY), (headers, BODY), (headers, b"{}"), (UNSIGNED_HEADERS, BODY)):
        send(sent, body, **options)
    assert seen == [
        Observation(None, API_KEY_ID, KEY_ID, 3),
        Observation(Reason.REPLAYED, API_KEY_ID, KEY_ID, 3),
        Observation(Reason.SIGNATURE_MISMATCH, UNVERIFIED, UNVERIFIED, None),
        Observation(None, UNVERIFIED, UNVERIFIED, None),
    ]


def test_websockets_are_closed_and_the_start_passes() -> None:
    """A WebSocket reaches no application, since nothing of it is signed; the lifespan is the application's."""
    reached: list[str] = []
    sent: list[Any] = []

    async def app(scope: Any, *_: Any) -> None:
        reached.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message)

    served = VerifyASGI(app, **defaults({}))
    for kind in ("websocket", "lifespan", "of another protocol"):
        asyncio.run(served({"type": kind}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close"}]
    assert reached == ["lifespan"]


def test_a_sender_that_hangs_up_is_answered_nothing() -> None:
    """A body that will never be whole runs nothing and sends nothing."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": []}
    asyncio.run(VerifyASGI(None, **defaults({}))(scope, receive, send))
    assert sent == []


def test_a_refusal_links_to_its_page(send: Callable[..., Outcome]) -> None:
    """With errors_url, the member `type` leads to the error's place on that page; else it is a URN."""
    assert send(JSON, BODY).document["type"] == "urn:rp-signing:problem:api_key_missing"
    linked = send(JSON, BODY, errors_url="https://docs.example/errors.html").document
    assert linked["type"] == "https://docs.example/errors.html#api_key_missing"
