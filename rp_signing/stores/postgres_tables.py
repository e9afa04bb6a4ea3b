"""The tables that nonces are kept in, and what is done to them beside claims: steps that know no pool (SPEC §7)."""

from __future__ import annotations

import time
from math import floor

from ..replay import Claim
from .findings import NO_RECORD, clock_ran_ahead
from .postgres_link import Exchange, Flow, Steps

__all__ = ["clearing", "counting", "create_tables", "findings", "looking", "make_alone", "making", "releasing"]

_CLOCKS_APART = 5

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS rp_nonce (
    timestamp bigint NOT NULL, api_key_id text COLLATE "C" NOT NULL, nonce text COLLATE "C" NOT NULL,
    token bigint NOT NULL, PRIMARY KEY (timestamp, api_key_id, nonce)) WITH (autovacuum_vacuum_scale_factor = 0.05)
""",
    """
CREATE TABLE IF NOT EXISTS rp_forgotten (
    api_key_id text COLLATE "C" NOT NULL, lane smallint NOT NULL, through bigint NOT NULL,
    PRIMARY KEY (api_key_id, lane)) WITH (fillfactor = 50)
""",
    """
CREATE TABLE IF NOT EXISTS rp_nonce_store (
    id smallint NOT NULL PRIMARY KEY CHECK (id = 1), born bigint NOT NULL)
""",
    # Who empties a table to make room lets nonces be forgotten that could come again: the store has to be born anew.
    """
CREATE OR REPLACE FUNCTION rp_nonces_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('DELETE FROM %I.rp_nonce_store', TG_TABLE_SCHEMA); RETURN NULL; END $$
""",
    *(
        statement.format(table=table)
        for table in ("rp_nonce", "rp_forgotten")
        for statement in (
            "DROP TRIGGER IF EXISTS rp_emptied ON {table}",
            "CREATE TRIGGER rp_emptied AFTER TRUNCATE ON {table} EXECUTE FUNCTION rp_nonces_emptied()",
        )
    ),
)
# Read from the catalog itself: what to_regclass knows may be older than the lock that was waited for.
_THERE = """
SELECT count(*) FROM pg_class
WHERE relname IN ('rp_nonce', 'rp_forgotten', 'rp_nonce_store') AND pg_table_is_visible(oid)
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('rp_signing: make the tables', 0))"
_BEAR = "INSERT INTO rp_nonce_store (id, born) VALUES (1, $1) ON CONFLICT (id) DO NOTHING"
_BEAR_AGAIN = """
INSERT INTO rp_nonce_store (id, born) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET born = $2::bigint
"""

_RELEASE = "DELETE FROM rp_nonce WHERE timestamp = $1 AND api_key_id = $2 AND nonce = $3 AND token = $4"
_AHEAD = "SELECT api_key_id, max(through) FROM rp_forgotten GROUP BY 1 HAVING max(through) >= $1 ORDER BY 1"
_CLEAR = "UPDATE rp_forgotten SET through = $1 WHERE through > $1"
_SERVER = """
SELECT current_setting('fsync'), current_setting('full_page_writes'),
       (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),
       current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication), pg_is_in_recovery(),
       floor(extract(epoch FROM clock_timestamp())), (SELECT born FROM rp_nonce_store),
       (SELECT relpersistence FROM pg_class WHERE oid = 'rp_nonce'::regclass)
"""


def create_tables(exchange: Exchange, born: int) -> Steps[None]:
    """Make the tables where there are none, inside the caller's transaction.

    Args:
        exchange: in a transaction.
        born: Unix seconds; counts only where there is no record. Where there is one and a table beside it is gone,
            nonces were lost, and the store is born now.
    """
    (there,) = yield from exchange.run((_THERE, ()))
    if there.rows[0][0] != "3":
        yield from make_alone(exchange)
        (there,) = yield from exchange.run((_THERE, ()))
        if there.rows[0][0] != "3":
            tables = [(text, ()) for text in _TABLES]
            yield from exchange.run(*tables, (_BEAR_AGAIN, (born, floor(time.time()))))
            return
    yield from exchange.run((_BEAR, (born,)))


def make_alone(exchange: Exchange) -> Steps[None]:
    """Wait until nobody else makes tables: two that make one at once collide, IF NOT EXISTS or not."""
    yield from exchange.run((_LOCK, ()))


def findings(exchange: Exchange, now: float) -> Steps[list[str]]:
    """Say what is wrong with the nonces and their server, inside the caller's transaction; `now` in Unix seconds."""
    server, ahead = yield from exchange.run((_SERVER, ()), (_AHEAD, (floor(now),)))
    fsync, pages, synchronous, standbys, replicas, standby, clock, born, persistence = server.rows[0]
    apart = int(clock or 0) - floor(now)
    checks = [
        (born is None, NO_RECORD),
        (standby == "t", "this server is a standby: every signed request is refused"),
        (fsync == "off", "fsync is off: a crash of the machine loses nonces, and can spoil the database"),
        (pages == "off", "full_page_writes is off: a crash of the machine can spoil the database"),
        (persistence == "u", "the table rp_nonce is unlogged: a crash of the server empties it"),
        (
            synchronous in ("off", "local", "remote_write"),
            f"synchronous_commit is {synchronous} by default: claims set it to on for themselves, nothing else does",
        ),
        (
            replicas != "0" and not standbys,
            "there are standbys, but synchronous_standby_names is empty: failing over to one forgets the last nonces",
        ),
        (
            abs(apart) > _CLOCKS_APART,
            f"the server's clock is {abs(apart):,} s {'ahead' if apart > 0 else 'behind'}: one of the two is wrong",
        ),
    ]
    return [sentence for wrong, sentence in checks if wrong] + [
        clock_ran_ahead(int(through or 0) - floor(now), api_key_id) for api_key_id, through in ahead.rows
    ]


def making(born: int) -> Flow[None]:
    """Make the tables where there are none; `born` as in `create_tables`."""

    def flow(exchange: Exchange) -> Steps[None]:
        exchange.begin()
        yield from create_tables(exchange, born)
        yield from exchange.commit()

    return flow


def releasing(claim: Claim, token: int) -> Flow[int]:
    """Give a nonce back, if the claim of this token still stands."""
    return _writing(_RELEASE, claim.timestamp, claim.api_key_id, claim.nonce, token)


def clearing(through: int) -> Flow[int]:
    """Lower each ``forgotten_through`` to that, Unix seconds; gives how many were lowered."""
    return _writing(_CLEAR, through)


def looking(now: float | None) -> Flow[list[str]]:
    """Give `findings`; `now` in Unix seconds, None: now."""

    def flow(exchange: Exchange) -> Steps[list[str]]:
        exchange.begin("READ ONLY")
        found = yield from findings(exchange, time.time() if now is None else now)
        yield from exchange.commit()
        return found

    return flow


def counting(exchange: Exchange) -> Steps[int]:
    """Give how many nonces there are."""
    exchange.begin("READ ONLY")
    answer, _ = yield from exchange.run(("SELECT count(*) FROM rp_nonce", ()), ("COMMIT", ()))
    return int(answer.rows[0][0] or 0)


def _writing(text: str, *values: object) -> Flow[int]:
    def flow(exchange: Exchange) -> Steps[int]:
        exchange.begin()
        (answer,) = yield from exchange.run((text, values))
        yield from exchange.commit()
        return answer.changed

    return flow
