"""For tests of senders and receivers: valid requests, every way to spoil one, a clock to set, a client that records.

::

    from rp_signing.testing import keyring, signed_request, spoilings

    def test_my_endpoint_refuses_what_is_spoiled(client):
        sent = signed_request({"event": "Order Completed"})
        assert client.post("/hook", content=sent.body, headers=sent.headers).status_code == 200
        for spoiled in spoilings(sent):
            answer = client.post("/hook", content=spoiled.body, headers=spoiled.headers)
            assert answer.status_code == spoiled.status, spoiled.name

The endpoint of such a test takes `keyring()`. With pytest, the fixtures `signing_clock` and `sent_events` are there by
themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clock import Clock, nonces
from .requests import API_KEY, OTHER_SECRET, SECRET, SignedRequest, keyring, signed_request
from .spoilings import Spoiled, spoilings

if TYPE_CHECKING:
    from .recording import AsyncRecordingClient, Recording, RecordingClient

__all__ = [
    "API_KEY",
    "OTHER_SECRET",
    "SECRET",
    "AsyncRecordingClient",
    "Clock",
    "Recording",
    "RecordingClient",
    "SignedRequest",
    "Spoiled",
    "keyring",
    "nonces",
    "signed_request",
    "spoilings",
]


def __getattr__(name: str) -> Any:
    """Find what needs the extra `client`, when it is asked for."""
    if name in ("AsyncRecordingClient", "Recording", "RecordingClient"):
        from .. import sdk as _sdk  # noqa: F401 - says what to type where the extra is missing
        from . import recording

        return getattr(recording, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
