"""An event loop in a thread, so that asynchronous stores can be claimed in from threads and from other loops too."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from rp_signing import Claim


class Loop:
    """An event loop in a thread of its own."""

    def __enter__(self) -> Loop:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(steps, self._loop).result()

    async def arun(self, steps: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine there, and await it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(steps, self._loop))

    def store(self, made: Coroutine[Any, Any, Any]) -> InLoop:
        """Give the store that a coroutine makes there."""
        return InLoop(self, self.run(made))


class InLoop:
    """An asynchronous store, so that threads and other event loops can claim in it too."""

    def __init__(self, loop: Loop, inner: Any) -> None:
        self.inner = inner
        self._loop = loop
        self._process = os.getpid()

    def claim(self, claim: Claim, clock: Callable[[], float]) -> Any:
        """Claim, and wait for it."""
        return self._run(self.inner.aclaim(claim, clock))

    def release(self, claim: Claim, token: Any) -> None:
        """Release, and wait for it."""
        self._run(self.inner.arelease(claim, token))

    async def aclaim(self, claim: Claim, clock: Callable[[], float]) -> Any:
        """Claim."""
        return await self._loop.arun(self.inner.aclaim(claim, clock))

    async def arelease(self, claim: Claim, token: Any) -> None:
        """Release."""
        await self._loop.arun(self.inner.arelease(claim, token))

    def _run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        # A forked child has the loop, but not its thread.
        return self._loop.run(steps) if os.getpid() == self._process else asyncio.run(steps)
