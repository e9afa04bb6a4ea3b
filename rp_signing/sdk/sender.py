"""What both clients share: what they are told, and the way from a call to its receipt or error. No input or output."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypedDict

import httpx2

from ..keys import Secret
from .credentials import Endpoint, take_credentials
from .errors import ClientUnusable, NotDelivered
from .prepared import Outgoing, Prepared, sign
from .proxies import take_proxy
from .reply import Receipt, Reply, cut_off, no_answer, read_reply

if TYPE_CHECKING:
    from .prepare import Event

__all__ = ["TIMEOUT", "Sender", "Settings"]

TIMEOUT = 15.0
"""Seconds in all, from the call to the last byte of the answer."""

_MUCH_SKEW = 30
_OF_THE_WAY = frozenset(("anyio", "asyncio", "builtins", "h11", "h2", "httpcore2", "httpx2", "socksio"))
"""Whose exceptions say, as every OSError does, that a request did not get through; those of others end the call."""

_LOG = logging.getLogger("rp_signing.sdk")


class Settings(TypedDict, total=False):
    """What both clients are made with, by name; `RetainPixel` says what each is."""

    api_key: str
    secret: Secret | str
    base_url: str
    timeout: float
    proxy: str | httpx2.URL | httpx2.Proxy
    verify: ssl.SSLContext | bool
    clock: Callable[[], float] | None
    nonce: Callable[[], str] | None


class Sender:
    """What both clients share: all but the waiting.

    Args:
        settings: the arguments of the client. The api key, the secret and the password of a proxy are taken out of
            them, so that no frame of a constructor that raises holds their text.

    Raises:
        ValueError, TypeError: an argument or variable makes no sense; the message names it, never a secret's text.
        ImportError: the proxy speaks SOCKS, and what that needs is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        given: dict[str, Any] = settings  # type: ignore[assignment]  # what callers really gave, known names or not
        credentials, fault = take_credentials(given), take_proxy(given)
        for name in given:
            if name not in Settings.__annotations__:
                known = ", ".join(Settings.__annotations__)
                raise TypeError(f"{type(self).__name__}() takes no {name}=; it takes {known}, http_client, transport")
        if isinstance(credentials, Exception):
            raise credentials
        self._credentials = credentials
        if fault is not None:
            raise fault
        self._endpoint = Endpoint.of(given)
        self._timeout = _seconds(given.get("timeout", TIMEOUT))
        self._closed = False
        self._skew: int | None = None
        self._unwarned = [None]
        # Brings pydantic and the models: with the first client, before it is shared between threads.
        from . import batches, prepare

        self._batches, self._preparing = batches, prepare

    @property
    def signs(self) -> bool:
        """Whether this client signs what it sends."""
        return self._credentials.signs

    @property
    def api_key_id(self) -> str:
        """16 hex digits; public."""
        return self._credentials.api_key_id

    @property
    def key_id(self) -> str | None:
        """The secret's, 16 hex digits; public. None for a client that does not sign."""
        return self._credentials.key_id

    @property
    def skew(self) -> int | None:
        """Seconds, the server's clock less the own one by the last answer that told, refusals included; or None."""
        return self._skew

    def split(self, events: Iterable[Event]) -> list[list[dict[str, Any]]]:
        """Give batches that fit, each for one call of `batch`; see `rp_signing.sdk.split`."""
        return self._batches.split(events, clock=self._credentials.now)

    def flush(self) -> NoReturn:
        """There is nothing to flush; for those who come from an SDK with a queue.

        Raises:
            ClientUnusable: always.
        """
        raise ClientUnusable(
            "there is nothing to flush: every call has already been sent, and answered, when it returns"
        )

    def _prepare(self, kind: Literal["track", "identify", "group"], **members: Any) -> Prepared:
        return self._preparing.prepare_one(kind, members, self._credentials.now())

    def _prepare_batch(self, events: Iterable[Event]) -> Prepared:
        return self._preparing.prepare_batch(events, self._credentials.now())

    def _check(self, prepared: Prepared) -> None:
        if not isinstance(prepared, Prepared):
            raise TypeError(f"send() takes what an error's .prepared holds, not {type(prepared).__name__}")
        if self._closed:
            raise ClientUnusable("nothing was sent: the client is closed", prepared=prepared)

    def _outgoing(self, prepared: Prepared, is_closed: bool) -> Outgoing:
        if is_closed:
            raise ClientUnusable("nothing was sent: the client of http_client= is closed", prepared=prepared)
        return sign(prepared, self._credentials)

    def _failed(self, outgoing: Outgoing, status: int | None, cause: BaseException) -> BaseException:
        """Turn what ended the exchange into what the caller gets."""
        package = type(cause).__module__.partition(".")[0]
        if not isinstance(cause, OSError) and (not isinstance(cause, Exception) or package not in _OF_THE_WAY):
            # ^C, a cancellation, a worker's time limit or a hook's own error, as it came, without the HTTP client's
            # frames: they hold the api key.
            cause.__cause__ = cause.__context__ = None
            return cause.with_traceback(None)
        if status is None:
            return no_answer(outgoing, self._credentials, cause)
        return cut_off(outgoing, self._credentials, status, cause)

    def _receipt(self, outgoing: Outgoing, reply: Reply | BaseException) -> Receipt:
        """Turn what the exchange gave into what the caller gets."""
        outcome = read_reply(outgoing, reply, self._credentials) if isinstance(reply, Reply) else reply
        # Not raised where it was caught: the HTTP client's exception holds its request, and with it the api key.
        if isinstance(outcome, Receipt):
            self._note(outcome.skew)
            return outcome
        if isinstance(outcome, NotDelivered):
            self._note(outcome.skew)
        raise outcome

    def _note(self, skew: int | None) -> None:
        if skew is None:
            return
        self._skew = skew
        if abs(skew) > _MUCH_SKEW and self._unwarned:
            try:
                self._unwarned.pop()  # by one thread alone
            except IndexError:
                return
            _LOG.warning("the server's clock less the own one is %+d s; requests out of its window are refused", skew)

    def __repr__(self) -> str:
        # Of one whose constructor raised, too: exception trackers print it.
        return f"<{type(self).__name__} {getattr(self, '_credentials', 'not made')}>"


def _seconds(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout= must be a number of seconds, not {type(timeout).__name__}")
    if not 0 < timeout < float("inf"):
        raise ValueError(f"timeout= must be seconds, more than 0; this is {timeout}")
    return float(timeout)
