"""A request as a serverless gateway hands it on: API Gateway (formats 1.0 and 2.0), ALB, and function URLs."""

from __future__ import annotations

import secrets
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from math import floor
from typing import Any, NamedTuple

from ..errors import VerificationError
from .problem import refused

__all__ = ["LambdaRequest", "request_of", "response_of"]

_PROXY = (
    "let the gateway hand the request on as it came (API Gateway: Lambda proxy integration, no mapping template), and "
    "give the event to request_of before anything parses its body"
)


class LambdaRequest(NamedTuple):
    """What the gate needs of an event: ``verifier.verify(request.headers, request.body)``.

    Attributes:
        method: ``POST``; the gate does not look at it.
        headers: (name, value) pairs, a doubled header twice.
        body: the bytes that were received; where the gateway handed on text, its UTF-8.
        doubled: True where the gateway lists each header's values, and wants them so in the response.
    """

    method: str
    headers: list[tuple[str, str]]
    body: bytes
    doubled: bool

    def __repr__(self) -> str:
        return f"<LambdaRequest {self.method}, {len(self.body):,} bytes>"


def request_of(event: Any) -> LambdaRequest:
    """Take method, headers and body out of the event of a Lambda function.

    Args:
        event: the handler's first argument, a mapping, untouched.

    Raises:
        TypeError: the event is of no such gateway, or its body was parsed already; the message names the setting.
    """
    try:
        return _request_of(event)
    except TypeError as error:
        fault = error
    except AttributeError:
        fault = TypeError(f"this is no event of an HTTP gateway, a part of it has another shape; {_PROXY}")
    # A traceback keeps the locals of its frames, and the api key is in these.
    del event
    raise fault.with_traceback(None) from None


def _request_of(event: Any) -> LambdaRequest:
    if not isinstance(event, Mapping) or not ("headers" in event or "multiValueHeaders" in event):
        raise TypeError(f"this is no event of an HTTP gateway, it has no headers; {_PROXY}")
    context = event.get("requestContext") or {}
    method = event.get("httpMethod") or (context.get("http") or {}).get("method") or ""
    lists = event.get("multiValueHeaders")
    if lists:
        headers = [(name, value) for name, values in lists.items() for value in values]
    else:
        headers = list((event.get("headers") or {}).items())
    return LambdaRequest(method, headers, _body_of(event), bool(lists))


def response_of(
    error: VerificationError, request: LambdaRequest, *, request_id: str | None = None, now: float | None = None
) -> dict[str, Any]:
    """Give the response that a handler returns for a refused request: a problem document (SPEC §6.3).

    Args:
        error: the refusal.
        request: what was refused.
        request_id: names the request in the reply, as in your log; 32 random hex digits when None.
        now: Unix seconds; `time.time` when None.
    """
    reply = refused(
        error, request.body, request_id or secrets.token_hex(16), floor(time.time() if now is None else now)
    )
    body = reply.body()
    headers = reply.headers(len(body))
    response: dict[str, Any] = {"statusCode": reply.status, "body": body.decode(), "isBase64Encoded": False}
    if request.doubled:
        response["multiValueHeaders"] = {name: [value] for name, value in headers}
    else:
        response["headers"] = dict(headers)
    return response


def _body_of(event: Mapping[str, Any]) -> bytes:
    body, encoded = event.get("body"), event.get("isBase64Encoded", False)
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError(f"the event's body is {type(body).__name__}, parsed already, and its bytes are lost; {_PROXY}")
    if type(encoded) is not bool:
        raise TypeError(f"isBase64Encoded is {type(encoded).__name__}, not true or false; {_PROXY}")
    if not encoded:
        # A lone surrogate was in no bytes that were received; so written, it is UTF-8 to nobody and is refused.
        return body.encode("utf-8", "surrogatepass")
    try:
        return b64decode(body, validate=True)
    except (Base64Error, ValueError):
        raise TypeError(f"isBase64Encoded is true and the body is no base64; {_PROXY}") from None
