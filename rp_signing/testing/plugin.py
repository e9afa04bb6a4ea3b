"""Fixtures that pytest finds by itself where rp-signing is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .clock import Clock

if TYPE_CHECKING:
    from .recording import Recording

__all__ = ["sent_events", "signing_clock"]


@pytest.fixture
def signing_clock() -> Clock:
    """A `Clock` that stands at the second of the test's start, until the test moves it."""
    return Clock()


@pytest.fixture
def sent_events(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """The events that any client sends in this test, a `Recording`; no socket is opened, and live keys are allowed.

    Clients that were made before the fixture, or were given ``http_client=`` or ``transport=``, send as ever.
    """
    from ..sdk.client import AsyncRetainPixel, RetainPixel
    from ..sdk.credentials import ALLOW_LIVE
    from .recording import Recording

    recording = Recording()
    monkeypatch.setenv(ALLOW_LIVE, "1")
    for client in (RetainPixel, AsyncRetainPixel):
        monkeypatch.setattr(client, "_network", lambda _: recording.transport())
    return recording
