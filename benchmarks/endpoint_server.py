"""The endpoint of the benchmarks in a process of its own: ``python -m benchmarks.endpoint_server FILE``."""

from __future__ import annotations

import sys

from rp_signing import Keyring
from rp_signing.cli.serve import Server, collect_seldom
from rp_signing.ingest.app import Ingest
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.keys import ApiKey

from . import sender


def main() -> None:
    """Serve until the parent ends this process; the first line of standard output is the port."""
    entries = [ApiKey(sender.API_KEY, [sender.SECRET]), ApiKey(sender.UNSIGNED_API_KEY)]
    store = SQLiteEventStore(sys.argv[1])
    keyring = Keyring(dict(zip((sender.API_KEY, sender.UNSIGNED_API_KEY), entries, strict=True)))
    server = Server(Ingest(keyring, store), on_start=lambda: print(server.url.rpartition(":")[2], flush=True))
    collect_seldom()
    server.run()


if __name__ == "__main__":
    main()
