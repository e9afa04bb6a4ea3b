"""A proxy on a loopback port: what passes through it can be delayed, held up, or lost, while both ends stay open."""

from __future__ import annotations

import socket
import threading
import time

HOST = "127.0.0.1"


class Proxy:
    """Passes bytes on to a port of this machine, until its `with` ends and takes everything with it.

    Args:
        port: where it passes them on to.
        delay: seconds that what comes from there takes.
    """

    def __init__(self, port: int, delay: float = 0.0) -> None:
        self._to = port
        self._delay = delay
        self._over = threading.Event()
        self._open = threading.Event()
        self._open.set()
        self._refused = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._deaf: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server((HOST, 0))
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Proxy:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    def hold(self) -> None:
        """Pass nothing on from now on; new connections are still taken."""
        self._open.clear()

    def go(self) -> None:
        """Pass on again, what was held first."""
        self._open.set()

    def lose_answers(self) -> None:
        """Lose every answer on the connections that are open now."""
        with self._lock:
            self._deaf.update(self._sockets)

    def refuse(self, refused: bool = True) -> None:
        """Close every new connection at once, or take them again."""
        self._refused = refused

    def lead_to(self, port: int) -> None:
        """Pass new connections on to another port."""
        self._to = port

    def die(self) -> None:
        """Close everything at once; what is on its way is lost."""
        self._over.set()
        self._open.set()
        with self._lock:
            for one in (self._listening, *self._sockets):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the other end was quicker
        for thread in list(self._threads):
            thread.join()
        for one in (self._listening, *self._sockets):
            one.close()

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                if self._refused:
                    raise ConnectionRefusedError
                far = socket.create_connection((HOST, self._to))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._sockets += [near, far]
                if self._over.is_set():
                    return
            self._spawn(self._pass, near, far, False)
            self._spawn(self._pass, far, near, True)

    def _pass(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(1 << 20):
                due = time.monotonic() + self._delay
                while answers and not self._over.is_set() and (left := due - time.monotonic()) > 0:
                    self._over.wait(left)
                self._open.wait()
                if self._over.is_set():
                    return
                if not (answers and sink in self._deaf):
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
