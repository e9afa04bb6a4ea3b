"""The gate in front of a WSGI application: Flask, Django, or a plain one (PEP 3333)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any

from ..errors import Reason, VerificationError
from ..verifier import Unsigned, Verified
from .problem import Reply
from .rules import UNSIGNED, VERIFIED, Door, refuse_method, refuse_without_type

__all__ = ["VerifyRequests"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

_PIECE = 65_536


class VerifyRequests(Door):
    """WSGI middleware: the application finds ``environ["rp_signing.verified"]``, and reads the bytes that verified.

    An unsigned request that was let through has ``environ["rp_signing.unsigned"]`` instead; one of the two is always
    there. Of a request that verified in its canonical form (``accept_reserialized``), the body is that form.

    WSGI cannot interrupt a read: ``body_timeout`` is looked at between pieces, so a sender that stalls holds a worker
    until the server's own timeout. A body without Content-Length is read where the server says that it ends
    (``wsgi.input_terminated``); elsewhere it counts as empty.
    """

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        reply = self._enter(environ)
        answer: Iterable[bytes] = (
            self._app(environ, start_response) if reply is None else _answer(reply, start_response)
        )
        return answer

    def _enter(self, environ: Environ) -> Reply | None:
        """Judge a request, and make its environ the application's; give the answer of a refused one."""
        body = None
        try:
            refuse_method(environ["REQUEST_METHOD"])
            headers = _headers_of(environ)
            body = self._read(environ)
            refuse_without_type(name.lower() for name, _ in headers)
            outcome: Verified | Unsigned = self._unsigned(headers, body) or self._verifier.verify(headers, body)
        except VerificationError as error:
            return self._refused(error, body)
        place, read = self._taken(outcome, body)
        for stale in (VERIFIED, UNSIGNED, "HTTP_TRANSFER_ENCODING"):
            environ.pop(stale, None)
        environ[place] = outcome
        environ["wsgi.input"] = BytesIO(read)
        environ["CONTENT_LENGTH"] = str(len(read))
        return None

    def _read(self, environ: Environ) -> bytes:
        """Read the body whole: never past its length, never more than the limit."""
        announced = environ.get("CONTENT_LENGTH") or ""
        if announced:
            wanted = _length_of(announced, self._max_body)
        elif environ.get("wsgi.input_terminated"):
            wanted = self._max_body + 1
        else:
            return b""
        began = time.monotonic()
        pieces: list[bytes] = []
        while wanted > 0 and (piece := environ["wsgi.input"].read(min(wanted, _PIECE))):
            pieces.append(piece)
            wanted -= len(piece)
            if time.monotonic() - began > self._body_timeout:
                raise VerificationError(
                    Reason.BODY_TIMEOUT, f"the body was not whole after {self._body_timeout:g} s; send it in one go"
                )
        if announced and wanted:
            raise VerificationError(Reason.BODY_TIMEOUT, f"the body ended {wanted:,} bytes early")
        body = b"".join(pieces)
        if len(body) > self._max_body:
            raise VerificationError(
                Reason.PAYLOAD_TOO_LARGE, f"the body goes past the limit of {self._max_body:,} bytes"
            )
        return body


def _length_of(announced: str, limit: int) -> int:
    """Read Content-Length; what is no number, a server should have refused, and no byte is read for it."""
    digits = announced.lstrip("0") or "0"
    if not (digits.isascii() and digits.isdigit()):
        raise VerificationError(Reason.HEADER_MALFORMED, "Content-Length must be digits")
    if len(digits) > 18 or int(digits) > limit:
        raise VerificationError(Reason.PAYLOAD_TOO_LARGE, f"Content-Length is over the limit of {limit:,} bytes")
    return int(digits)


def _headers_of(environ: Environ) -> list[tuple[str, str]]:
    """Give the headers back their names. A doubled one has been joined with a comma, which the gate refuses."""
    headers = [
        (key[5:].replace("_", "-"), value)
        for key, value in environ.items()
        if key.startswith("HTTP_") and isinstance(value, str)
    ]
    # Some servers say "" for what did not come.
    if environ.get("CONTENT_TYPE"):
        headers.append(("Content-Type", environ["CONTENT_TYPE"]))
    return headers


def _answer(reply: Reply, start_response: StartResponse) -> Iterable[bytes]:
    body = reply.body()
    start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", reply.headers(len(body)))
    return [body]
