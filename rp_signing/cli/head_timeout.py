"""A deadline for the head of a request, which uvicorn has none for."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HEAD_SECONDS", "HeadTimeout"]

HEAD_SECONDS = 10.0
"""Seconds that the head of a request may take to arrive: as long as its body."""


class HeadTimeout(H11Protocol):
    """Uvicorn's connection, closed when a request's head is not whole in time.

    The time counts from the connection's first moment, and on a kept one from the next request's first byte; what
    trickles in does not extend it. Until that byte, uvicorn's own time for kept connections counts.

    Args:
        seconds: that the head may take.
        uvicorn: what uvicorn gives each connection.
    """

    def __init__(self, seconds: float, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._seconds = seconds
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self._seconds, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see whether a head is still awaited."""
        super().data_received(data)
        answered = getattr(self.cycle, "response_complete", True)  # there is no cycle before the first request
        if not answered or self.transport.is_closing():
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self._seconds, self.transport.close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
