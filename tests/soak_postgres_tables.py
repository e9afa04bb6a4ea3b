"""Nonces in PostgreSQL when something happens to the tables: drops, older snapshots, a wrong clock, a full disk."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from math import floor
from pathlib import Path
from typing import Any

import psycopg
from claimants import claim, fresh, row, sent_until_told, told
from postgres_server import PATIENCE, OpenedStore, PostgresServer, execute, postgres_store, shared_server, until_it_is
from soak_part import Advance, Part, Row

from rp_signing import Claim, Reason, VerificationError
from rp_signing.replay import PAST, Clock, Window
from rp_signing.stores import postgres_claim


def drop_beside_claims(rounds: int, advance: Advance) -> list[Row]:
    """Let a claim begin before a drop and go on after it; beside it the statement without FOR SHARE."""
    locking, plain = postgres_claim._CLAIM, postgres_claim._CLAIM.replace("FOR SHARE", "")
    assert locking != plain
    url = shared_server().schema()
    store = postgres_store(url)
    again = Counter[str]()
    for number in range(rounds):
        for statement in (locking, plain):
            old = claim(1_000_000_000, "n" * 22)._replace(api_key_id=f"{statement is plain:x}{number:015x}")
            store.claim(old, lambda: 1_000_000_000)
            again[statement] += _claimed_beside_a_drop(url, statement, old)
        advance(1)
    store.close()
    return [
        row(f"{rounds:,} claims that began before a drop: taken a second time", again[locking]),
        Row("the same without FOR SHARE", f"{rounds:,}", f"{again[plain]:,}", again[plain] == rounds),
    ]


def _claimed_beside_a_drop(url: str, statement: str, old: Claim) -> int:
    """Claim with a snapshot from before a drop is committed, going on when it is; gives 1 when the nonce was taken."""
    told: list[Any] = []
    with psycopg.connect(url) as claiming, psycopg.connect(url) as dropping:

        def send() -> None:
            values = (old.api_key_id, old.timestamp, old.nonce, 1)
            told.append(psycopg.RawCursor(claiming).execute(statement.encode(), values).fetchone())
            claiming.commit()

        dropped = psycopg.RawCursor(dropping).execute(postgres_claim._DROP.encode(), (old.timestamp + 301, 300))
        assert dropped.rowcount
        late = threading.Thread(target=send)
        late.start()
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {claiming.info.backend_pid}"  # noqa: S608
        until_it_is(url, waiting, [(1,)])
        dropping.commit()
        late.join(PATIENCE)
    return int(told[0][3])


def read_by_outsiders(rounds: int, advance: Advance) -> list[Row]:
    """Drop while an outsider's REPEATABLE READ transaction still sees what was there, and let it claim afterwards."""
    url = shared_server().schema()
    store = postgres_store(url)
    outsiders, copies = Counter[str](), Counter[str]()
    for number in range(rounds):
        old = claim(1_000_000_000, "n" * 22)._replace(api_key_id=f"{number:016x}")
        store.claim(old, lambda: 1_000_000_000)
        with psycopg.connect(url) as outsider:
            outsider.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            assert outsider.execute("SELECT count(*) FROM rp_nonce").fetchone() == (1,)
            store.claim(claim(1_000_000_301, f"{number:022d}"), lambda: 1_000_000_301)
            assert execute(url, "SELECT max(through) FROM rp_forgotten") == [(1_000_000_000,)]
            values = (old.api_key_id, old.timestamp, old.nonce, 1)
            try:
                psycopg.RawCursor(outsider).execute(postgres_claim._CLAIM.encode(), values)
                outsiders["taken"] += 1
            except psycopg.errors.SerializationFailure:
                outsiders["refused"] += 1
            # What an outsider still sees holds up nobody, and is no reason to take it again.
            copies += _answers(store, [old._replace(window=Window(100_000, 60))], lambda: 1_000_000_301)
        execute(url, "DELETE FROM rp_nonce", "DELETE FROM rp_forgotten")
        advance(1)
    store.close()
    work = f"{rounds:,} drops beside a REPEATABLE READ transaction:"
    return [
        row(f"{work} its claims of what was dropped, taken", outsiders["taken"]),
        row(f"{work} copies refused as timestamp_forgotten", copies[Reason.TIMESTAMP_FORGOTTEN], wanted=rounds),
    ]


def _answers(store: OpenedStore, claims: Sequence[Claim], clock: Clock = time.time) -> Counter[str]:
    """What becomes of claims by a clock, one after the other."""
    outcomes = Counter[str]()
    for one in claims:
        try:
            store.claim(one, clock)
            outcomes["taken"] += 1
        except VerificationError as error:
            outcomes[error.reason] += 1
    return outcomes


_LOSSES = (
    "TRUNCATE rp_nonce",
    "DROP TABLE rp_nonce",
    "TRUNCATE rp_nonce, rp_forgotten, rp_nonce_store",
    "DROP TABLE rp_nonce, rp_forgotten, rp_nonce_store",
)


def truncate(rounds: int, advance: Advance) -> list[Row]:
    """Empty the tables under a running verifier, and send copies of everything: to it, and to the next one."""
    url = shared_server().schema()
    running, reopened = Counter[str](), Counter[str]()
    for number in range(rounds):
        store, some = postgres_store(url), [fresh() for _ in range(100)]
        assert told(store, some) == {"taken": 100}
        execute(url, _LOSSES[number % len(_LOSSES)])
        running += told(store, some)
        store.close()
        store = postgres_store(url, born=None)
        reopened += told(store, some)
        store.close()
        execute(url, "DROP TABLE rp_nonce, rp_forgotten, rp_nonce_store")
        advance(1)
    work = f"{rounds:,} × tables emptied or dropped: of {100 * rounds:,} copies,"
    unavailable, before = running[Reason.REPLAY_STORE_UNAVAILABLE], reopened[Reason.SIGNED_BEFORE_START]
    return [
        row(f"{work} refused by the running verifier", unavailable, wanted=100 * rounds),
        row(f"{work} refused by the next as signed_before_start", before, wanted=100 * rounds),
    ]


def run_ahead(nonces: int, advance: Advance) -> list[Row]:
    """Let the server's clock be 400 s ahead; then a second verifier's too, which drops what the first holds."""
    url = f"{shared_server().schema()}%2Cpg_catalog"
    body = "SELECT pg_catalog.clock_timestamp() + interval '400 s'"
    execute(url, f"CREATE FUNCTION clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS $${body}$$")
    store, now = postgres_store(url), floor(time.time())
    some = [one._replace(timestamp=now - 200 + number % 200) for number, one in enumerate(map(_fresh, range(nonces)))]
    assert told(store, some) == {"taken": nonces}
    again = postgres_store(url)
    copies, kept = told(again, some), len(store)
    again.close()
    named = any("ahead" in sentence for sentence in store.doctor())
    naive = f"DELETE FROM naive WHERE timestamp < floor(extract(epoch FROM clock_timestamp())) - {PAST}"  # noqa: S608
    execute(url, "CREATE TABLE naive AS SELECT * FROM rp_nonce", naive)
    lost = nonces - execute(url, "SELECT count(*) FROM naive")[0][0]
    other = postgres_store(url)
    for number in range(nonces // 1_000 + 1):
        other.claim(claim(now + 400 + number, "z" * 22), lambda number=number: time.time() + 400 + number)  # type: ignore[misc]
    dropped, late = kept + nonces // 1_000 + 1 - len(store), told(store, some)
    other.close()
    store.close()
    advance(nonces)
    return [
        row(f"server's clock 400 s ahead: of {nonces:,} live nonces, kept", kept, wanted=nonces),
        row("server's clock 400 s ahead: copies taken", copies["taken"]),
        Row("server's clock 400 s ahead: the doctor", "names it", "named" if named else "silent", named),
        Row("rows by the server's clock alone: live ones deleted", f"{nonces:,}", f"{lost:,}", lost == nonces),
        Row("a verifier that is ahead too: live nonces dropped", "some", f"{dropped:,}", dropped > 0),
        row("a verifier that is ahead too: copies taken by the one that is right", late["taken"]),
    ]


def _fresh(_: int) -> Claim:
    return fresh()


def fill(nonces: int, advance: Advance) -> list[Row]:
    """Give a table a file that the kernel finds no space for; then let it grow again."""
    with PostgresServer() as server:
        url = server.schema()
        postgres_store(url).close()
        file = Path(server.execute("SHOW data_directory")[0][0]) / execute(url, _WHERE)[0][0]
        aside = file.with_name(f"{file.name}.aside")
        server.execute("CHECKPOINT")
        server.kill()
        file.rename(aside)
        file.symlink_to("/dev/full")
        server.start()
        store, some = postgres_store(url), [fresh() for _ in range(nonces)]
        full = told(store, some)
        server.kill()
        file.unlink()
        aside.rename(file)
        server.start()
        again = sent_until_told(store, some)
        copies = told(store, some)
        store.close()
    advance(nonces)
    work = f"no space left for {nonces:,} nonces:"
    return [
        row(f"{work} refused as replay_store_full", full[Reason.REPLAY_STORE_FULL], wanted=nonces),
        row(f"{work} that get through when there is space again", again["taken"], wanted=nonces),
        row(f"{work} copies taken afterwards", copies["taken"]),
    ]


_WHERE = "SELECT pg_relation_filepath('rp_nonce')"


PARTS = [
    Part("postgres-drop", "a drop beside a claim opens nothing", 100, 3, drop_beside_claims, "rounds"),
    Part("postgres-snapshot", "an older snapshot of an outsider neither", 100, 3, read_by_outsiders, "rounds"),
    Part("postgres-emptied", "tables emptied under a running verifier open nothing", 100, 4, truncate, "rounds"),
    Part("postgres-clock", "a server's clock that runs ahead opens nothing", 10_000, 300, run_ahead, "nonces"),
    Part("postgres-full", "a full disk refuses", 10_000, 100, fill, "nonces"),
]
