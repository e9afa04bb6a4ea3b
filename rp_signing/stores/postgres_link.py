"""Statements and answers over one PostgreSQL connection, within a deadline; the same for threads and event loops.

What a store does is written once, as a generator that asks to be woken when the socket is ready: psycopg's `wait`
runs it in a thread or in an event loop. psycopg bounds no statement by itself: a server that is stopped, or a network
that swallows everything, would hold a claim for ever (SPEC WIN-8).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

try:
    import psycopg
    import psycopg_pool
except ImportError as _error:  # also where psycopg is, and the library that it needs is not
    raise ModuleNotFoundError(
        f"{str(_error).splitlines()[0]}; PostgreSQL needs: pip install 'rp-signing[postgres]'", name=_error.name
    ) from None
from psycopg import errors, pq
from psycopg.waiting import Ready, Wait

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

__all__ = [
    "TIMEOUT",
    "Answer",
    "AsyncPool",
    "Exchange",
    "Failure",
    "Flow",
    "Pool",
    "Row",
    "Step",
    "Steps",
    "aconverse",
    "connect",
    "converse",
    "fault_of_pool",
]

TIMEOUT = 10.0
"""Seconds within which a store answers, or is unavailable (SPEC WIN-8)."""

_T = TypeVar("_T")
Steps: TypeAlias = Generator[Wait, Ready | int, _T]
"""A generator that `wait` of a psycopg connection runs; what it returns."""

# Of Any: what `ConnectionPool(url)` is a pool of, pyright cannot tell.
Pool: TypeAlias = "psycopg_pool.ConnectionPool[Any]"
AsyncPool: TypeAlias = "psycopg_pool.AsyncConnectionPool[Any]"
Failure = psycopg.Error
"""Whatever psycopg and its pool raise."""

AnyConnection: TypeAlias = "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]"

Step = tuple[str, Sequence[object]]
"""A statement with ``$1``, and the values of its parameters: str, int, or None."""

_SETTINGS = """
SELECT set_config('synchronous_commit',
           CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true),
       set_config('statement_timeout', '0', true),
       set_config('lock_timeout', $1, true),
       set_config('idle_in_transaction_session_timeout', $2, true),
       set_config('client_encoding', 'UTF8', true)
"""
# statement_timeout is off because it cuts a COMMIT short that waits for its standbys, which then reports success.
# The last but one frees the server of a client that is gone: its locks would keep the sender's honest retry waiting.

# Something between (a pooler, a reset) has lost what was prepared. Nothing was committed, for that is a statement too:
# all is done once more, and on this connection nothing is prepared any longer.
_UNPREPARED = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)

_prepared: WeakKeyDictionary[AnyConnection, set[bytes]] = WeakKeyDictionary()


Row = tuple[str | None, ...]
"""Each value as PostgreSQL writes it, or None."""


class Answer(NamedTuple):
    """What came of one statement.

    Attributes:
        rows: its rows.
        changed: how many rows it wrote or gave.
    """

    rows: list[Row]
    changed: int


class Exchange:
    """One connection, from when a pool gave it until it goes back.

    Args:
        connection: idle, in no transaction.
        seconds: how long all of it may take.
        started: reading of `time.monotonic` from which they count.
    """

    def __init__(self, connection: AnyConnection, seconds: float, started: float) -> None:
        self.connection = connection
        self._pgconn = connection.pgconn
        self._seconds = seconds
        self._deadline = started + seconds
        self._ahead: list[Step] = []

    def settle(self, steps: Steps[_T]) -> Steps[_T]:
        """Take the steps, and roll back when they raise."""
        try:
            return (yield from steps)
        except Exception:
            self._ahead = []
            if self._pgconn.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
                with suppress(psycopg.Error):  # the connection is then not idle, and is closed
                    yield from self.run(("ROLLBACK", ()))
            raise

    @property
    def idle(self) -> bool:
        """True when the connection can be used again; any other must be closed, and the server then rolls back."""
        return self._pgconn.transaction_status == pq.TransactionStatus.IDLE

    def begin(self, access: str = "READ WRITE") -> None:
        """Begin a transaction; it travels with the next statement."""
        milliseconds = max(2, int(self._seconds * 1000))
        self._ahead = [
            (f"BEGIN ISOLATION LEVEL READ COMMITTED {access}", ()),
            (_SETTINGS, (milliseconds * 9 // 10, milliseconds)),
        ]

    def commit(self) -> Steps[None]:
        """Commit, durably and on as many standbys as the server is set to wait for.

        Raises:
            psycopg.Error: it did not, or nobody knows.
        """
        warned: list[str | None] = []

        # A COMMIT whose wait for a standby was cancelled succeeds, with a warning that no standby has it.
        def listen(notice: errors.Diagnostic) -> None:
            if notice.severity_nonlocalized == "WARNING":
                warned.append(notice.message_primary)

        self.connection.add_notice_handler(listen)
        try:
            yield from self.run(("COMMIT", ()))
        finally:
            self.connection.remove_notice_handler(listen)
        if warned:
            raise psycopg.OperationalError(f"COMMIT: {warned[0]}")

    def run(self, *steps: Step) -> Steps[list[Answer]]:
        """Send statements in one go, and give what came of each.

        Raises:
            psycopg.Error: one failed, the connection is lost, or the time is over.
        """
        sent = [*self._ahead, *steps]
        self._ahead = []
        self._pgconn.enter_pipeline_mode()
        preparing = [self._send(text, values) for text, values in sent]
        self._pgconn.pipeline_sync()
        while self._pgconn.flush():
            if (yield from self._ready(Wait.RW)) & Ready.R:
                self._pgconn.consume_input()
        answers, failure = yield from self._take([name for names in preparing for name in names])
        self._pgconn.exit_pipeline_mode()
        if failure is not None:
            raise failure
        return answers[len(sent) - len(steps) :]

    def _send(self, text: str, values: Sequence[object]) -> list[bytes]:
        """Send a statement; gives what is to be answered: the name that it is prepared as, and b"" for itself."""
        parameters = [None if value is None else str(value).encode() for value in values]
        if self.connection.prepare_threshold is None:
            self._pgconn.send_query_params(text.encode(), parameters)
            return [b""]
        name = _name(text)
        known = name in _prepared.setdefault(self.connection, set())
        if not known:
            self._pgconn.send_prepare(name, text.encode())
        self._pgconn.send_query_prepared(name, parameters)
        return [b""] if known else [name, b""]

    def _take(self, awaited: list[bytes]) -> Steps[tuple[list[Answer], psycopg.Error | None]]:
        """Read up to the end of what was sent: the answers, or the first failure."""
        answers: list[Answer] = []
        failure: psycopg.Error | None = None
        while True:
            while self._pgconn.is_busy():
                if (yield from self._ready(Wait.R)):
                    self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is None:
                if self._pgconn.status == pq.ConnStatus.BAD:
                    raise failure or psycopg.OperationalError("the connection is lost")
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                return answers, failure
            elif result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                failure = failure or errors.error_from_result(result)
            elif name := awaited.pop(0):
                _prepared[self.connection].add(name)
            else:
                answers.append(_answer(result))

    def _ready(self, what: Wait) -> Steps[int]:
        ready = yield what
        if monotonic() >= self._deadline:
            raise psycopg.OperationalError(f"no answer within {self._seconds:g} s")
        return ready


Flow: TypeAlias = Callable[[Exchange], Steps[_T]]
"""What to do on a connection."""


def converse(pool: Pool, seconds: float, steps: Flow[_T]) -> _T:
    """Take the steps on a connection of the pool, in this thread.

    Raises:
        psycopg.Error: there is no connection in time, or what the steps raise.
    """
    started = monotonic()
    connection: psycopg.Connection[Any] = pool.getconn(timeout=seconds)
    exchange = Exchange(connection, seconds, started)
    try:
        try:
            return connection.wait(exchange.settle(steps(exchange)))
        except _UNPREPARED:
            connection.prepare_threshold = None
            return connection.wait(exchange.settle(steps(exchange)))
    finally:
        if not exchange.idle:
            connection.close()
        pool.putconn(connection)


async def aconverse(pool: AsyncPool, seconds: float, steps: Flow[_T]) -> _T:
    """Do what `converse` does, without holding up the event loop."""
    started = monotonic()
    connection: psycopg.AsyncConnection[Any] = await pool.getconn(timeout=seconds)
    exchange = Exchange(connection, seconds, started)
    try:
        try:
            return await connection.wait(exchange.settle(steps(exchange)))
        except _UNPREPARED:
            connection.prepare_threshold = None
            return await connection.wait(exchange.settle(steps(exchange)))
    finally:
        if not exchange.idle:
            await connection.close()
        await pool.putconn(connection)


def fault_of_pool(pool: object, asynchronous: bool) -> TypeError | None:
    """Give the error for what is no such pool, without what was given: it may be a URL, and a password in it."""
    if isinstance(pool, psycopg_pool.AsyncConnectionPool if asynchronous else psycopg_pool.ConnectionPool):
        return None
    wanted = "AsyncConnectionPool" if asynchronous else "ConnectionPool, such as connect(url) gives"
    return TypeError(f"pool must be a psycopg_pool.{wanted}; this is {type(pool).__name__}")


def connect(url: str, *, seconds: float = TIMEOUT, size: int = 10) -> Pool:
    """Open a pool for a store; whoever opened it closes it.

    Args:
        url: ``postgresql://…``, or libpq's ``key=value …``.
        seconds: how long a store waits for a connection; making one may take half of it.
        size: connections at the most; one is opened at once, in the background.
    """
    options = {"connect_timeout": max(2, int(seconds / 2))}
    return psycopg_pool.ConnectionPool(url, min_size=1, max_size=size, open=True, timeout=seconds, kwargs=options)


@cache
def _name(text: str) -> bytes:
    return b"rp_" + blake2b(text.encode(), digest_size=12).hexdigest().encode()


def _answer(result: PGresult) -> Answer:
    columns = range(result.nfields)
    rows = [tuple(_text(result.get_value(row, column)) for column in columns) for row in range(result.ntuples)]
    return Answer(rows, result.command_tuples or 0)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
