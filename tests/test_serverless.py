"""Events of serverless gateways: the request that came is in them, or the error names the setting that lost it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from parties import BODY, NOW, Clock, reason, refusal, signer, verifier
from spec_page import API_KEY_ID

from rp_signing import Reason
from rp_signing.middleware.serverless import request_of, response_of

HEADERS = signer(Clock()).sign(BODY) | {"Content-Type": "application/json"}
LOWER = {name.lower(): value for name, value in HEADERS.items()}


def listed(headers: dict[str, str]) -> dict[str, list[str]]:
    """Each header's values as a list."""
    return {name: [value] for name, value in headers.items()}


# The members that each gateway documents, as far as a request is in them; the rest of an event is left out.
REST_API = {
    "resource": "/hook",
    "path": "/hook",
    "httpMethod": "POST",
    "headers": HEADERS,
    "multiValueHeaders": listed(HEADERS),
    "requestContext": {"stage": "prod", "protocol": "HTTP/1.1"},
    "body": BODY.decode(),
    "isBase64Encoded": False,
}
HTTP_API = {
    "version": "2.0",
    "routeKey": "POST /hook",
    "rawPath": "/hook",
    "rawQueryString": "",
    "headers": LOWER,
    "requestContext": {"http": {"method": "POST", "path": "/hook", "protocol": "HTTP/1.1"}},
    "body": BODY.decode(),
    "isBase64Encoded": False,
}
FUNCTION_URL = {**HTTP_API, "routeKey": "$default", "body": b64encode(BODY).decode(), "isBase64Encoded": True}
BALANCER = {
    "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:targetgroup/hook"}},
    "httpMethod": "POST",
    "path": "/hook",
    "headers": LOWER,
    "body": BODY.decode(),
    "isBase64Encoded": False,
}
BALANCER_OF_LISTS = {key: value for key, value in BALANCER.items() if key != "headers"} | {
    "multiValueHeaders": listed(LOWER)
}
EVENTS: dict[str, dict[str, Any]] = {
    "API Gateway, format 1.0": REST_API,
    "API Gateway, format 2.0": HTTP_API,
    "a function URL": FUNCTION_URL,
    "ALB": BALANCER,
    "ALB with lists": BALANCER_OF_LISTS,
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_the_request_of_every_gateway_verifies(event: dict[str, Any]) -> None:
    """Method, headers and the very bytes are in the event of each gateway."""
    request = request_of(event)
    assert (request.method, request.body) == ("POST", BODY)
    assert verifier(Clock()).verify(request.headers, request.body).api_key_id == API_KEY_ID


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_tampered_event_is_refused(event: dict[str, Any]) -> None:
    """A body that was changed on its way does not verify, whatever the gateway."""
    body = BODY.replace(b"user-123", b"user-124")
    text = b64encode(body).decode() if event["isBase64Encoded"] else body.decode()
    request = request_of({**event, "body": text})
    assert reason(verifier(Clock()).verify, request.headers, request.body) is Reason.SIGNATURE_MISMATCH


def test_a_doubled_header_is_seen() -> None:
    """Where the gateway lists every value, none is lost: the gate refuses the second."""
    lists = listed(HEADERS) | {"X-RP-Nonce": [HEADERS["X-RP-Nonce"], "x" * 22]}
    request = request_of({**REST_API, "multiValueHeaders": lists})
    assert reason(verifier(Clock()).verify, request.headers, request.body) is Reason.HEADER_DUPLICATE


@pytest.mark.parametrize("event", [{**HTTP_API, "body": None}, {k: v for k, v in HTTP_API.items() if k != "body"}])
def test_no_body_is_an_empty_one(event: dict[str, Any]) -> None:
    """An event without a body is a request with an empty one."""
    assert request_of(event).body == b""


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({**REST_API, "body": json.loads(BODY)}, "body is dict, parsed already"),
        ({**REST_API, "body": 5}, "body is int, parsed already"),
        ({"headers": list(HEADERS.items()), "body": BODY.decode()}, "a part of it has another shape"),
        ({**REST_API, "isBase64Encoded": "false"}, "isBase64Encoded is str"),
        ({**REST_API, "isBase64Encoded": True, "body": "no base64!"}, "the body is no base64"),
        ({**REST_API, "isBase64Encoded": True, "body": "é"}, "the body is no base64"),
        (json.loads(BODY), "no event of an HTTP gateway"),
        (BODY.decode(), "no event of an HTTP gateway"),
        (None, "no event of an HTTP gateway"),
    ],
)
def test_an_event_that_lost_the_bytes_names_the_setting(event: Any, said: str) -> None:
    """A body that was parsed, or an event that is the body, is refused with what to set at the gateway."""
    with pytest.raises(TypeError, match=said) as caught:
        request_of(event)
    assert "Lambda proxy integration" in str(caught.value)


def test_text_that_is_no_utf8_verifies_nowhere() -> None:
    """A lone surrogate in the event becomes bytes that nobody signed, no exception and no question mark."""
    request = request_of({**HTTP_API, "headers": signer(Clock()).sign(b"?"), "body": "\ud800"})
    assert reason(verifier(Clock()).verify, request.headers, request.body) is Reason.SIGNATURE_MISMATCH


def test_a_refusal_is_answered_as_the_gateway_wants_it() -> None:
    """The response has status, problem document and headers; in lists where the request's were."""
    for event, place, media_type in (
        (HTTP_API, "headers", "application/problem+json"),
        (BALANCER_OF_LISTS, "multiValueHeaders", ["application/problem+json"]),
    ):
        request = request_of({**event, "body": "{}"})
        error = refusal(verifier(Clock()).verify, request.headers, request.body)
        response = response_of(error, request, request_id="r-1", now=NOW)
        document = json.loads(response["body"])
        assert (response["statusCode"], response["isBase64Encoded"]) == (401, False)
        assert (document["code"], document["request_id"]) == ("signature_invalid", "r-1")
        assert (document["received"]["length"], document["server_time"]) == (2, NOW)
        assert response[place]["content-type"] == media_type
        assert len({"headers", "multiValueHeaders"} & set(response)) == 1
    assert len(json.loads(response_of(error, request)["body"])["request_id"]) == 32


def test_a_request_shows_neither_body_nor_headers() -> None:
    """What is logged of a request by its repr holds no api key and no MAC."""
    request = request_of(HTTP_API)
    assert repr(request) == f"<LambdaRequest POST, {len(BODY)} bytes>"
