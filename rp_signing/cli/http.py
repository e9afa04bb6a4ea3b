"""HTTP/1.1 for `serve`: uvicorn's, with a deadline for the head of a request."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HEAD_SECONDS", "HeadDeadline"]

HEAD_SECONDS = 10.0
"""Seconds that the head of a request may take to arrive; as long as a body may, in `rp_signing.ingest.app`."""

_LOG = logging.getLogger("rp_signing.ingest")


class HeadDeadline(H11Protocol):
    """Closes a connection that sends half a head, or nothing at all; uvicorn would keep it for ever.

    h11 and not httptools, which puts a body's trailers among the headers.

    Args:
        head_seconds: how long the head of a request may take, from the connection or its first byte on.
        given: what uvicorn makes a connection with.
    """

    def __init__(self, head_seconds: float = HEAD_SECONDS, **given: Any) -> None:
        super().__init__(**given)
        self._head_seconds = head_seconds
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Begin to wait for the rest of a head, or stop when it is there."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._deadline is None:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        super().connection_lost(exc)

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(self._head_seconds, self._give_up)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        _LOG.info("no request came within %g s; the connection is closed", self._head_seconds)
        self.transport.close()
