"""How the WSGI door reads a body: never past its length, never more than the limit, to its end (PEP 3333)."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from parties import BODY, Clock, signer
from test_middleware import Outcome, defaults

from rp_signing.middleware.wsgi import VerifyRequests as VerifyWSGI


class Stream(io.BytesIO):
    """A body that knows how much was asked of it."""

    asked = 0

    def read(self, size: int | None = -1) -> bytes:  # type: ignore[override]
        """Give at most seven bytes, as a socket may."""
        assert size is not None
        assert size > 0
        self.asked += size
        return super().read(min(size, 7))


def read_by_wsgi(stream: io.BytesIO, **environ: Any) -> Outcome:
    """Send what a server hands on, headers of a good request beside it."""
    options = defaults(environ.pop("options", {}))
    said: list[str] = []
    ran: list[Any] = []

    def app(inner: Any, start_response: Any) -> list[bytes]:
        ran.append((None, inner["wsgi.input"].read(), inner["CONTENT_LENGTH"]))
        start_response("200 OK", [])
        return [b"{}"]

    fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signer(Clock()).sign(BODY).items()}
    given = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json", "wsgi.input": stream, **fields, **environ}
    answer = b"".join(VerifyWSGI(app, **options)(given, lambda status, _: said.append(status)))
    return Outcome(int(said[0][:3]), json.loads(answer), ran[0] if ran else None)


def test_wsgi_reads_no_further_than_the_length() -> None:
    """Pieces are put together, and the next request on the connection is left alone."""
    stream = Stream(BODY + b"POST / HTTP/1.1")
    outcome = read_by_wsgi(stream, CONTENT_LENGTH=str(len(BODY)))
    assert outcome.ran == (None, BODY, str(len(BODY)))
    assert stream.read(7) == b"POST / "


def test_wsgi_reads_a_body_without_a_length_where_its_end_is_known() -> None:
    """`wsgi.input_terminated` says that reading ends by itself; without it, the body counts as empty."""
    assert read_by_wsgi(Stream(BODY), **{"wsgi.input_terminated": True}).ran == (None, BODY, str(len(BODY)))
    refused = read_by_wsgi(Stream(BODY))
    assert refused.document["received"]["length"] == 0


def test_wsgi_reads_no_endless_body() -> None:
    """A body without a length is given up one byte after the limit."""
    stream = Stream(b"x" * 1000)
    refused = read_by_wsgi(stream, **{"wsgi.input_terminated": True}, options={"max_body": 100})
    assert refused.document["code"] == "payload_too_large"
    assert stream.tell() == 101


@pytest.mark.parametrize(
    ("announced", "code"),
    [
        ("1048577", "payload_too_large"),
        ("9" * 30, "payload_too_large"),
        ("-1", "header_malformed"),
        ("+5", "header_malformed"),
        ("١", "header_malformed"),
        ("5, 5", "header_malformed"),
        (str(len(BODY) + 1), "body_timeout"),
    ],
)
def test_wsgi_believes_no_odd_length(announced: str, code: str) -> None:
    """A length that is too long, no number, or more than came is refused, and the application does not run."""
    refused = read_by_wsgi(io.BytesIO(BODY), CONTENT_LENGTH=announced)
    assert (refused.document["code"], refused.ran) == (code, None)


def test_wsgi_gives_up_a_body_that_trickles() -> None:
    """Between two pieces the deadline is looked at."""
    refused = read_by_wsgi(Stream(BODY), CONTENT_LENGTH=str(len(BODY)), options={"body_timeout": 1e-9})
    assert (refused.document["code"], refused.ran) == ("body_timeout", None)
