"""One call by either client, and what every error of the SDK must hold to."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest
from scripted import API_KEY, SECRET, Script, answering

from rp_signing.sdk import (
    AsyncRetainPixel,
    IngestUnavailable,
    NotDelivered,
    Prepared,
    Receipt,
    RetainPixel,
)

EVENT: dict[str, Any] = {"user_id": "u", "event": "Opened", "message_id": "m-1"}
HEAD = b"HTTP/1.1 202 OK\r\nContent-Length: 100\r\n"


def caller(kind: Any) -> Any:
    """Give what sends an event by a client of this kind: (url, prepared or None, arguments) → receipt."""

    def send(url: str, prepared: Prepared | None = None, **arguments: Any) -> Receipt:
        given: dict[str, Any] = {"api_key": API_KEY, "secret": SECRET, "base_url": url, **arguments}
        if given["secret"] is None:
            del given["secret"]
        if kind is RetainPixel:
            with RetainPixel(**given) as client:
                return client.send(prepared) if prepared else client.track(**EVENT)

        async def within() -> Receipt:
            async with AsyncRetainPixel(**given) as client:
                return await (client.send(prepared) if prepared else client.track(**EVENT))

        return asyncio.run(within())

    return send


def refusal(call: Any, script: Script, kind: type[NotDelivered], **arguments: Any) -> Any:
    """Give the error of one call, of exactly this kind, with what every error has."""
    with answering(script) as server, pytest.raises(NotDelivered) as caught:
        call(server.url, **arguments)
    error = caught.value
    assert type(error) is kind
    assert error.retryable is (kind is IngestUnavailable)
    assert error.message_ids == ["m-1"]
    assert error.prepared is not None
    # Nothing of the HTTP client, nothing secret: in no text, no attribute and no chained exception.
    assert error.__cause__ is None
    assert error.__context__ is None
    ours = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if "/rp_signing/" in frame.f_code.co_filename]
    assert ours
    for text in (str(error), repr(error), repr(vars(error)), *(repr(frame.f_locals) for frame in ours)):
        assert API_KEY not in text
        assert SECRET not in text
    assert len(server.arrived) <= 1
    return error
