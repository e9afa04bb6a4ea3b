"""A WSGI application on a loopback port, behind waitress."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import waitress.server
import waitress.wasyncore
from served import PATIENCE


@contextmanager
def serving_wsgi(app: Any) -> Iterator[str]:
    """Serve a WSGI application by waitress in a thread; gives the base URL."""
    sockets: dict[int, Any] = {}
    server = waitress.server.create_server(app, host="127.0.0.1", port=0, map=sockets)
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            waitress.wasyncore.loop(PATIENCE, map=sockets, count=1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        over.set()
        server.pull_trigger()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        server.task_dispatcher.shutdown()
        for each in list(sockets.values()):
            each.close()
