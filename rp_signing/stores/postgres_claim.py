"""How a nonce is claimed in PostgreSQL: steps that know no pool, for threads and event loops alike (SPEC §7)."""

from __future__ import annotations

import secrets
from threading import Lock

from ..errors import Reason, VerificationError
from ..replay import Claim, Clock
from .postgres_link import Exchange, Failure, Flow, Steps

__all__ = ["Claims", "claiming", "refused", "words"]

_ROWS_A_CLAIM = 1_000
_DOUBTS = 10_000
_FULL = "53100"

# rp_forgotten has four lanes for each api key, 256 seconds long and taken in turns. A claim locks the lane of its own
# timestamp, and what is dropped lies some lanes behind: else the share locks of a busy sender, of which there is always
# one, would keep the drop from ever getting the row.
_LANES = 4
_LANE = f"/ 256 % {_LANES}"

# One statement, one snapshot; but what FOR SHARE has waited for is read anew, and the insert hangs on that. So a claim
# whose snapshot is older than a drop cannot put a row in again that the drop has deleted.
_CLAIM = f"""
WITH lane AS MATERIALIZED (
    SELECT through FROM rp_forgotten WHERE api_key_id = $1 AND lane = $2::bigint {_LANE} FOR SHARE
), added AS (
    INSERT INTO rp_nonce (timestamp, api_key_id, nonce, token)
    SELECT $2::bigint, $1, $3, $4::bigint FROM lane WHERE through < $2::bigint
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT greatest((SELECT max(through) FROM rp_forgotten WHERE api_key_id = $1), (SELECT through FROM lane)),
       (SELECT count(*) FROM lane), (SELECT born FROM rp_nonce_store), (SELECT count(*) FROM added)
"""  # noqa: S608 - constants of this module
_ADD_LANES = f"""
INSERT INTO rp_forgotten (api_key_id, lane, through)
SELECT $1, lane, 0 FROM generate_series(0, {_LANES - 1}) AS lane ON CONFLICT DO NOTHING
"""  # noqa: S608
_TAKE_OVER = """
UPDATE rp_nonce SET token = $4::bigint
WHERE timestamp = $1 AND api_key_id = $2 AND nonce = $3 AND token = ANY ($5::bigint[])
"""

# Raises before it deletes, in one transaction, and waits for nobody: rows and lanes that are locked are left for later.
# The limit is a SELECT of its own: what a clock shows anew for each row cannot be looked up in an index.
_DROP = f"""
WITH doomed AS MATERIALIZED (
    SELECT ctid, api_key_id, timestamp {_LANE} AS lane, timestamp FROM rp_nonce
    WHERE timestamp < (SELECT least($1::bigint, floor(extract(epoch FROM clock_timestamp()))::bigint) - $2::bigint)
    ORDER BY timestamp LIMIT {_ROWS_A_CLAIM} FOR UPDATE SKIP LOCKED
), free AS MATERIALIZED (
    SELECT api_key_id, lane FROM rp_forgotten
    WHERE (api_key_id, lane) IN (SELECT api_key_id, lane FROM doomed) FOR UPDATE SKIP LOCKED
), raised AS (
    UPDATE rp_forgotten AS f SET through = greatest(f.through, d.through)
    FROM (SELECT api_key_id, lane, max(timestamp) AS through FROM doomed GROUP BY api_key_id, lane) AS d, free
    WHERE f.api_key_id = d.api_key_id AND f.lane = d.lane AND free.api_key_id = d.api_key_id AND free.lane = d.lane
    RETURNING f.api_key_id, f.lane
)
DELETE FROM rp_nonce USING doomed, raised
WHERE rp_nonce.ctid = doomed.ctid AND raised.api_key_id = doomed.api_key_id AND raised.lane = doomed.lane
"""  # noqa: S608


class Claims:
    """What one store knows besides its tables: until when it has dropped, and which of its claims are in doubt.

    In doubt is a claim whose COMMIT got no answer: it was refused, nobody holds its token, and yet it may stand. When
    the same bytes are sent again, such a claim is taken over. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._dropped: int | None = None
        self._doubts: dict[tuple[int, str, str], list[int]] = {}
        self._lock = Lock()

    def drop(self, exchange: Exchange, claim: Claim, clock: Clock) -> Steps[None]:
        """Drop what can no longer be taken, in a transaction of its own before the claim's.

        A few rows at a time; once for each second that goes by, and until it is done.

        Args:
            exchange: in no transaction.
            claim: whose window is looked at, and says what may be forgotten.
            clock: gives Unix seconds; the server's clock is taken where that is behind.

        Raises:
            VerificationError: ``timestamp_expired`` or ``timestamp_future``: such a claim drops nothing.
        """
        now = claim.judge_again(clock)
        before = now - claim.window.past
        if before != self._dropped:
            exchange.begin()
            answer, _ = yield from exchange.run((_DROP, (now, claim.window.past)), ("COMMIT", ()))
            self._dropped = before if answer.changed < _ROWS_A_CLAIM else None

    def within(self, exchange: Exchange, claim: Claim, clock: Clock) -> Steps[int]:
        """Use the nonce up in the transaction that the caller has begun (`rp_signing.replay.NonceStore.claim`)."""
        now = claim.judge_again(clock)
        token = secrets.randbits(63)
        statement = (_CLAIM, (claim.api_key_id, claim.timestamp, claim.nonce, token))
        (answer,) = yield from exchange.run(statement)
        if answer.rows[0][1] == "0":
            _, answer = yield from exchange.run((_ADD_LANES, (claim.api_key_id,)), statement)
        through, _, born, added = answer.rows[0]
        if born is None:
            raise refused("the store has lost its record of when it was born")
        claim.window.judge_memory(claim.timestamp, int(through or 0), now)
        claim.window.judge_birth(claim.timestamp, int(born), now)
        if added != "1" and not (yield from self._take_over(exchange, claim, token)):
            raise VerificationError(Reason.REPLAYED, "this nonce was used before: an earlier copy arrived")
        return token

    def commit(self, exchange: Exchange, claim: Claim, token: int) -> Steps[None]:
        """Commit what `within` has claimed; remember the claim when nobody knows whether that was done."""
        try:
            yield from exchange.commit()
        except BaseException:
            with self._lock:
                self._doubts.setdefault(_triple(claim), []).append(token)
                if len(self._doubts) > _DOUBTS:
                    del self._doubts[next(iter(self._doubts))]
            raise

    def _take_over(self, exchange: Exchange, claim: Claim, token: int) -> Steps[bool]:
        doubted = self._doubts.get(_triple(claim))
        if not doubted:
            return False
        tokens = "{" + ",".join(map(str, doubted)) + "}"
        (answer,) = yield from exchange.run((_TAKE_OVER, (*_triple(claim), token, tokens)))
        return answer.changed == 1


def claiming(claims: Claims, claim: Claim, clock: Clock) -> Flow[int]:
    """Drop, claim and commit; gives the token."""

    def flow(exchange: Exchange) -> Steps[int]:
        yield from claims.drop(exchange, claim, clock)
        exchange.begin()
        token = yield from claims.within(exchange, claim, clock)
        yield from claims.commit(exchange, claim, token)
        return token

    return flow


def refused(why: Failure | str) -> VerificationError:
    """Give the refusal: ``replay_store_full`` for a full disk, ``replay_store_unavailable`` for all else."""
    if isinstance(why, str):
        return VerificationError(Reason.REPLAY_STORE_UNAVAILABLE, why)
    reason = Reason.REPLAY_STORE_FULL if why.sqlstate == _FULL else Reason.REPLAY_STORE_UNAVAILABLE
    return VerificationError(reason, f"PostgreSQL: {words(why)}")


def words(error: Failure) -> str:
    """Give what PostgreSQL or the pool says, without the lines below that show values and places."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _triple(claim: Claim) -> tuple[int, str, str]:
    return claim.timestamp, claim.api_key_id, claim.nonce
