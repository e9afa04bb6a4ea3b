"""The ingest endpoint under fire: `serve` that is killed under its senders, and its database that fails over."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from claimants import Load, row, told
from event_store_kinds import event
from postgres_server import PATIENCE, PostgresServer, postgres_store, shared_server, until_it_is
from proxy import Proxy
from served import ask
from serving_process import API_KEY, SECRET, Served, request, started
from soak_part import Advance, Part, Row
from valkey_server import DURABLE, Valkey, free_port

from rp_signing import Claim, Keyring, canonicalize
from rp_signing.cli.stores import DATABASE
from rp_signing.ingest.audit import Verdict, audit
from rp_signing.ingest.postgres import PostgresEventStore
from rp_signing.ingest.sqlite import SQLiteEventStore
from rp_signing.ingest.store import EventStore, ReceivedRequest
from rp_signing.keyfile import load_keyring

SECONDS = 1.0
"""How long these stores wait for a server, so that a round is short."""

Signed = tuple[bytes, dict[str, str]]
_WRONG = "another-secret-that-is-not-in-the-file-1"
_numbers = count()


class Sender:
    """A thread that sends one event after the other, each until it is acknowledged; and lies in between.

    Args:
        url: where it sends them.

    Attributes:
        acknowledged: messageIds that were answered with 202.
        unsigned: messageIds that were never sent under a signature that holds.
        copies: requests that were acknowledged, byte for byte.
        odd: answers that nobody should get, by status.
    """

    def __init__(self, url: str) -> None:
        self.acknowledged: list[str] = []
        self.unsigned: list[str] = []
        self.copies: list[Signed] = []
        self.odd = Counter[int]()
        self._url = f"{url}/v1/track"
        self._over = threading.Event()
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._gone.set()
        self._thread.join()

    def end(self) -> None:
        """Come back when what is on its way has been acknowledged."""
        self._over.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "an event was never acknowledged"

    def wait_for(self, more: int) -> None:
        """Come back when so many more were acknowledged."""
        wanted = len(self.acknowledged) + more
        while len(self.acknowledged) < wanted and self._thread.is_alive():
            self._thread.join(0.01)

    def _work(self) -> None:
        while not self._over.is_set():
            number = next(_numbers)
            self._insist(f"m-{number}")
            if number % 4 == 0:
                self._lie(number)

    def _insist(self, message_id: str) -> None:
        """Sign anew and send again, with the same messageId, for as long as there is no answer."""
        while not self._gone.is_set():
            signed = request(message_id)
            status = self._status(signed)
            if status == 202:
                self.acknowledged.append(message_id)
                self.copies = [*self.copies[-9:], signed]
                return
            if status not in (None, 503):
                self.odd[status] += 1
                return

    def _lie(self, number: int) -> None:
        """Send an event under a secret that is not in the keys file, and one without any signature."""
        body = canonicalize({"type": "track", "messageId": f"plain-{number}", "userId": "u", "event": "e"})
        header = {"X-RP-Api-Key": API_KEY, "Content-Type": "application/json"}
        for message_id, sent in (
            (f"forged-{number}", request(f"forged-{number}", _WRONG)),
            (f"plain-{number}", (body, header)),
        ):
            self.unsigned.append(message_id)
            self._status(sent)

    def _status(self, signed: Signed) -> int | None:
        try:
            return ask(self._url, *signed).status
        except (OSError, HTTPException, ValueError):  # the last: half an answer
            self._gone.wait(0.01)
            return None


class Kind(NamedTuple):
    """Where an endpoint keeps what it takes.

    Attributes:
        options: of `serve`.
        opened: the event store, opened for its reader.
    """

    options: list[str]
    opened: Callable[[Path], EventStore]


def kill(kind: Kind, kills: int, advance: Advance) -> list[Row]:
    """Kill `serve` and its workers under two senders who try again; look for every event, and send copies."""
    copies = Counter[int]()
    with TemporaryDirectory() as place, ExitStack() as stack:
        folder, port = Path(place), free_port()
        keys = folder / "keys.json"
        entry = {"api_key": API_KEY, "secrets": [SECRET], "require_signature": False}
        keys.write_text(json.dumps({"api_keys": [entry]}))
        senders = [stack.enter_context(Sender(f"http://127.0.0.1:{port}")) for _ in range(2)]
        for number in range(kills + 1):
            with started(folder, *kind.options, "--port", str(port)) as served:
                again = [copy for sender in senders for copy in sender.copies]
                copies.update(ask(f"{served.url}/v1/track", *copy).status for copy in again)
                if number == kills:
                    for sender in senders:
                        sender.end()
                else:
                    senders[number % 2].wait_for(10)
                    _kill(served)
                    advance(1)
        store = kind.opened(folder)
        rows = _judged(f"{kills:,} kills:", senders, store, load_keyring(keys))
        store.close()
    assert copies.total()
    return [*rows, row(f"{kills:,} kills: of {copies.total():,} copies of acknowledged requests, taken", copies[202])]


def _kill(served: Served) -> None:
    """SIGKILL to the process and to its workers; comes back when the last of them is gone."""
    parent = served.process.pid
    workers = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    for pid in (parent, *workers):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    served.process.wait()
    served.wait_for("")  # the pipe of their log is closed by the last of them


def _judged(work: str, senders: list[Sender], store: EventStore, keyring: Keyring) -> list[Row]:
    high = Counter(event.message_id for event in store.find(trust="high", limit=10**7))
    acknowledged = [message_id for sender in senders for message_id in sender.acknowledged]
    unsigned = [message_id for sender in senders for message_id in sender.unsigned]
    report = audit(store, keyring)
    assert report.counts[Verdict.UNSIGNED]
    odd = sum((sender.odd for sender in senders), Counter[int]())
    return [
        row(f"{work} of {len(acknowledged):,} acknowledged events, lost", sum(one not in high for one in acknowledged)),
        row(f"{work} stored twice", sum(times > 1 for times in high.values())),
        row(
            f"{work} of {len(unsigned):,} unsigned and forged ones, stored as high",
            sum(map(high.__contains__, unsigned)),
        ),
        row(f"{work} rows that do not verify", len(report.bad)),
        row(f"{work} answers that no honest sender should get", odd.total()),
    ]


def kill_over_sqlite(kills: int, advance: Advance) -> list[Row]:
    """Kill it over a file."""
    return kill(Kind(["--data", "data"], lambda folder: SQLiteEventStore(folder / "data" / DATABASE)), kills, advance)


def kill_over_postgres(kills: int, advance: Advance) -> list[Row]:
    """Kill it over a database that keeps events and nonces."""
    url = shared_server().schema()
    return kill(Kind(["--events", url], lambda _: PostgresEventStore(url)), kills, advance)


def kill_over_both(kills: int, advance: Advance) -> list[Row]:
    """Kill it and its two workers over a database for events, and a Valkey for nonces."""
    url = shared_server().schema()
    with Valkey(*DURABLE) as server:
        nonces = f"redis://127.0.0.1:{server.port}/0"
        options = ["--events", url, "--nonces", nonces, "--first-start", "--workers", "2"]
        return kill(Kind(options, lambda _: PostgresEventStore(url)), kills, advance)


@contextmanager
def standbys(
    names: str, delays: tuple[float, ...]
) -> Iterator[tuple[PostgresServer, list[PostgresServer], list[Proxy]]]:
    """A primary with standbys whose links take so many seconds; gives it, them, and the links."""
    with ExitStack() as stack:
        primary = stack.enter_context(PostgresServer())
        links = [stack.enter_context(Proxy(primary.port, delay)) for delay in delays]
        copies = [stack.enter_context(PostgresServer(copy_of=primary, through=link.port)) for link in links]
        quoted = names % ", ".join(copy.name for copy in copies) if names else ""
        primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{quoted}'", "SELECT pg_reload_conf()")
        asked = "SELECT current_setting('synchronous_standby_names'), count(*) FROM pg_stat_replication"
        until_it_is(primary.conninfo(), asked, [(quoted, len(copies))])
        yield primary, copies, links


def fail_over(tries: int, advance: Advance) -> list[Row]:
    """Kill a primary, make the standby that is further the primary, and look for all that was acknowledged."""
    rows = []
    for names, delays, load in (("ANY 1 (%s)", (0.05, 0.1), 40), ("", (0.02,), 400)):
        acknowledged, lost, replayable = 0, 0, 0
        for _ in range(tries):
            with standbys(names, delays) as (primary, copies, links):
                kept = _acknowledged(primary, links, load)
                heir = max(copies, key=lambda one: int(one.execute(_RECEIVED)[0][0]))
                heir.execute("SELECT pg_promote(true)")
                store, nonces = PostgresEventStore(heir.conninfo()), postgres_store(heir.conninfo())
                there = {row.message_id for row in store.scan()}
                acknowledged += len(kept)
                lost += sum(one.nonce not in there for one in kept)
                replayable += told(nonces, kept)["taken"]
                store.close()
                nonces.close()
            if names:
                advance(1)
        work = f"{tries:,} failovers, {len(delays)} standbys, synchronous_standby_names '{names and 'ANY 1 (…)'}':"
        if names:
            rows.append(row(f"{work} of {acknowledged:,} acknowledged events, lost", lost))
            rows.append(row(f"{work} of their nonces, replayable", replayable))
        else:
            seen = f"{lost:,}, {replayable:,}"
            work = f"{work} of {acknowledged:,} events and nonces, lost"
            rows.append(Row(work, "some", seen, lost > 0 and replayable > 0))
    return rows


_RECEIVED = "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')"


def _acknowledged(primary: PostgresServer, links: list[Proxy], number: int) -> list[Claim]:
    """What a primary had acknowledged when it was killed, with its links: so many and some more."""
    store = PostgresEventStore(primary.conninfo(), timeout=SECONDS)

    def keep(one: Claim) -> None:
        request = ReceivedRequest(one.nonce, "track", one.timestamp, one.api_key_id, False, one)
        store.store(request, [event(one.nonce)])

    load = Load(keep)
    load.wait_for(number)
    primary.kill()
    for link in links:
        link.die()
    load.end()
    store.close()
    return load.acknowledged


PARTS = [
    Part("ingest-sqlite", "what was acknowledged outlives the endpoint, once", 100, 1, kill_over_sqlite, "kills"),
    Part("ingest-postgres", "the same with events and nonces in PostgreSQL", 100, 1, kill_over_postgres, "kills"),
    Part("ingest-both", "the same with two workers and nonces in Valkey", 100, 1, kill_over_both, "kills"),
    Part("ingest-failover", "a failover loses nothing that a standby acknowledged", 20, 1, fail_over, "failovers"),
]
