"""``serve``: the ingest endpoint on a port."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import uvicorn
from rich.console import Console

from ..ingest.app import Ingest
from ..keyfile import load_keyring
from ..keys import Keyring
from .dev import LOOPBACK, Shown, say_where, throw_away_keys
from .head_timeout import HEAD_SECONDS, HeadTimeout
from .options import NamesItsVariable, existing_file
from .stores import DATABASE, Place, Stores, kept_options
from .workers import Workers, listen_to_signals

_BACKLOG = 2048
_COLLECT_AFTER = 10_000
"""How many objects that may hold others are made until the collector looks at them."""
_LOG = logging.getLogger("rp_signing.ingest")


@click.command(short_help="Run the ingest endpoint.")
@click.option(
    "--keys",
    type=existing_file,
    metavar="F",
    help="The keys file (SPEC §8); read again on SIGHUP. With --dev it may be left out.",
)
@kept_options(
    f"Where events and nonces are kept, in {DATABASE}; made where it is not.",
    "Keep events in a database instead: postgresql://…",
)
@click.option(
    "--nonces",
    "nonces_url",
    metavar="URL",
    help="Keep nonces apart from the events: redis://…, postgresql://…, or memory:// (one process, until it ends).",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="The address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="P",
    help="The port; 0 takes a free one.",
)
@click.option(
    "--workers",
    cls=NamesItsVariable,
    default=1,
    show_default=True,
    envvar="WEB_CONCURRENCY",
    type=click.IntRange(1),
    metavar="N",
    help="Processes that share the port; they need stores that several processes can share.",
)
@click.option(
    "--first-start",
    is_flag=True,
    help="State that nothing was accepted before, so that a new store of --nonces need not wait a minute. Nonces in one"
    " database with the events need no such word.",
)
@click.option(
    "--dev",
    is_flag=True,
    help="For trying a sender out: keys to throw away, and each request shown with its verdict and what explains it.",
)
def serve(
    keys: Path | None,
    data: Path | None,
    events_url: str | None,
    nonces_url: str | None,
    host: str,
    port: int,
    workers: int,
    first_start: bool,
    dev: bool,
) -> None:
    """Run the ingest endpoint: POST /v1/track, /v1/identify, /v1/group, /v1/batch; /v1/check stores nothing.

    It ends with 0 on SIGTERM, after the requests that it has begun, and with 130 on Ctrl-C.
    """
    _log_to_standard_error()
    console = Console(stderr=True)
    if dev:
        _judge_dev(host, workers)
        if keys is None:
            keys, made = throw_away_keys(console)
            data = data or made
    if keys is None:
        raise click.UsageError("Missing option '--keys'; --dev makes keys to try things out with.")
    place = Place(data, events_url, nonces_url, first_start)
    place.judge(workers)
    try:
        keyring = load_keyring(keys)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    _warn_of(keyring)
    if workers > 1 and not hasattr(os, "fork"):
        raise click.UsageError("--workers needs an operating system that can fork")
    listener = _listening(host, port)
    stores = Stores(place)  # what is wrong with them is said once, here
    if workers == 1:
        run = _showing(console, listener) if dev else lambda app: Server(app).run(sockets=[listener])
        _work(keys, keyring, stores, run)
        return
    stores.close()

    def work() -> None:
        # One that replaces another while the database is away must not die before it is back.
        own = Stores(place, patient=True)
        _work(keys, load_keyring(keys), own, lambda app: Server(app).run(sockets=[listener]))

    sys.exit(Workers(workers, work).run())


def _judge_dev(host: str, workers: int) -> None:
    if host not in LOOPBACK:
        raise click.UsageError("--dev shows what a stranger may not know, and listens on this machine alone")
    if workers > 1:
        raise click.UsageError("--dev has one process: leave --workers out")


def _showing(console: Console, listener: socket.socket) -> Callable[[Ingest], object]:
    def run(app: Ingest) -> None:
        server = Server(Shown(app, console), on_start=lambda: say_where(console, server.url))
        server.run(sockets=[listener])

    return run


def _work(keys: Path, keyring: Keyring, stores: Stores, run: Callable[[Ingest], object]) -> None:
    """Serve in this process, until it is told to stop."""
    try:
        app = Ingest(keyring, stores.events, nonces=stores.nonces)
        # Uvicorn sends itself what it heard once more when it has drained: then the stores are still to be closed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: _read_again(app, keys))
            listen_to_signals()
        collect_seldom()
        run(app)
    finally:
        stores.close()


def collect_seldom() -> None:
    """Tell Python's collector, for good, that this process serves: to be called when all is loaded.

    A parsed batch is two thousand objects that hold others, in no circle: looking for circles among them, and among all
    that was loaded, finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]  # Python says the address once more
        raise click.UsageError(f"{host}:{port}: {why}; choose by --host and --port") from None


def listen(host: str, port: int) -> socket.socket:
    """Listen, for one process or for several that share the port.

    Raises:
        OSError: the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # asyncio sets it for listeners of its own alone; without it every answer but a connection's first waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _log_to_standard_error() -> None:
    heard = logging.StreamHandler(sys.stderr)
    heard.setFormatter(_WithFields("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[heard])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it would only say again where it listens


class Server(uvicorn.Server):
    """Uvicorn, with what a door for signed requests needs, saying where it listens.

    Args:
        app: the endpoint.
        on_start: is called once it listens: on the sockets that `run` is given, or on a free port of this machine.
        head_seconds: that the head of a request may take to arrive.
    """

    def __init__(
        self,
        app: Ingest | Shown,
        on_start: Callable[[], object] = lambda: None,
        *,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self._on_start = on_start
        # h11 keeps a body's trailers out of the headers; the access log would tell nothing that ours does not.
        talk: Any = partial(HeadTimeout, head_seconds)
        super().__init__(
            uvicorn.Config(app, port=0, http=talk, ws="none", access_log=False, log_config=None, server_header=False)
        )

    @property
    def url(self) -> str:
        """Where it listens, once it has started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def startup(self, sockets: Any = None) -> None:
        """Start to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            _LOG.info("listening on %s", self.url)
            self._on_start()


class _WithFields(logging.Formatter):
    """Writes the fields of a log record behind its message."""

    _PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "reason", "color_message"}

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        fields = {name: value for name, value in vars(record).items() if name not in self._PLAIN}
        shown = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        return f"{super().format(record)} {shown}".rstrip()


def _read_again(app: Ingest, keys: Path) -> None:
    """Take the keys file anew; one that cannot be read changes nothing."""
    try:
        app.use(load_keyring(keys))
    except (ValueError, OSError) as error:
        _LOG.error("the keys stay as they were: %s", error)  # a traceback could hold a secret
        return
    _LOG.info("%s read again: %d api keys", keys, len(app.keyring))
    _warn_of(app.keyring)


def _warn_of(keyring: Keyring) -> None:
    if not len(keyring):
        _LOG.warning("there is no api key in the keys file: every request is refused; `rp-signing keys add` makes one")
    for entry in keyring:
        if entry.secrets and not entry.require_signature:
            _LOG.warning("api key %s has a secret and takes unsigned events too", entry.api_key_id)
