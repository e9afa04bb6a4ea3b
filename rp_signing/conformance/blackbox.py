"""The black box: what a running ingest server does with requests that are right, and with every fault (SPEC §6, §9)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, as_completed

from ..errors import Reason, SigningError
from ..keys import Secret
from . import (
    probe_bodies,
    probe_documents,
    probe_events,
    probe_headers,
    probe_replays,
    probe_requests,
    probe_signatures,
    probe_transport,
)
from .http_talk import NoReply, Unreachable, target_of
from .outcome import Outcome, Status
from .probe_sender import Request, Sender
from .probe_visit import Differs, Patience, Probe, Undecided, Visit
from .probe_wants import document_of

__all__ = ["PATIENCE", "PROBES", "SUITE", "Unreachable", "probe_server"]

SUITE = "http"
"""What an `Outcome` of a probe has for its suite."""

PATIENCE = 5.0
"""Seconds that a server may take for an answer unless told otherwise."""

PROBES: tuple[Probe, ...] = (
    *probe_requests.PROBES,
    *probe_headers.PROBES,
    *probe_signatures.PROBES,
    *probe_bodies.PROBES,
    *probe_events.PROBES,
    *probe_replays.PROBES,
    *probe_transport.PROBES,
    *probe_documents.PROBES,
    probe_requests.ALIVE,
)
"""Every probe, in the order of their outcomes."""

# These look at every answer of the run, and at what is left of the server.
_LAST = frozenset(probe.id for probe in (*probe_documents.PROBES, probe_requests.ALIVE))


def probe_server(
    url: str,
    api_key: str,
    secret: Secret | str,
    on_outcome: Callable[[Outcome], object] = lambda _: None,
    own: bool = False,
    *,
    only: Collection[str] | None = None,
    patience: float = PATIENCE,
) -> list[Outcome]:
    """Probe a running ingest server, and say what it gets wrong.

    **It stores events**, a few hundred, each under a messageId that is new in every run: never let it at a server whose
    events count. It takes the defaults of SPEC §7 and §10 for the server's: a window of 300 and 60 seconds, a body of
    1 MiB. The server's clock is learned from its first answer, so that the two need not agree.

    Args:
        url: the server's base URL, ``http://HOST:PORT``.
        api_key: an api key that the server takes.
        secret: an active secret of that api key.
        on_outcome: is called after each probe, in the thread of the caller; slow probes run beside the others.
        own: the server is the caller's own, wherever it is.
        only: the ids of the probes to run; all when None.
        patience: seconds that the server may take for an answer; three times that for a body that does not come.

    Returns:
        An `Outcome` for each probe, in the order of `PROBES`.

    Raises:
        ValueError: the URL is none, or not loopback and not ``own``; api key or secret break a rule of SPEC §8; the
            server says that it does not know the api key; or ``only`` names a probe that there is not.
        Unreachable: nothing answers there, or no HTTP.
    """
    try:
        visit = Visit(target_of(url, own), Sender(api_key, secret), Patience(patience))
        if unknown := set(only or ()) - {probe.id for probe in PROBES}:
            raise ValueError(f"there is no probe {', '.join(sorted(unknown))}")
        _greet(url, visit)
        _introduce(visit)
    except (SigningError, TypeError, ValueError) as error:
        raise error.with_traceback(None) from None
    finally:
        del api_key, secret  # a traceback keeps the locals of its frames
    chosen = [probe for probe in PROBES if only is None or probe.id in only]
    outcomes = {}
    for outcome in _judge_all(chosen, visit):
        outcomes[outcome.id] = outcome
        on_outcome(outcome)
    return [outcomes[probe.id] for probe in chosen]


def _judge_all(probes: list[Probe], visit: Visit) -> Iterator[Outcome]:
    slow = [probe for probe in probes if probe.slow]
    waiting = [_judge_beside(probe, visit) for probe in slow]
    yield from (_judge(probe, visit) for probe in probes if not probe.slow and probe.id not in _LAST)
    yield from (done.result() for done in as_completed(waiting))
    yield from (_judge(probe, visit) for probe in probes if probe.id in _LAST)


def _judge_beside(probe: Probe, visit: Visit) -> Future[Outcome]:
    """Judge a slow probe in a thread of its own, which nobody waits for when the run is broken off."""
    judged: Future[Outcome] = Future()

    def work() -> None:
        try:
            judged.set_result(_judge(probe, visit))
        except BaseException as error:
            judged.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return judged


def _judge(probe: Probe, visit: Visit) -> Outcome:
    def outcome(status: Status, detail: str, wanted: object = None, got: object = None, differs: str | None = None,
                bugs: tuple[str, ...] = ()) -> Outcome:  # fmt: skip
        return Outcome(probe.id, SUITE, status, probe.tags, probe.comment, wanted, got, differs, bugs, detail)

    try:
        probe.run(visit.by(probe.id))
    except Differs as error:
        return outcome(Status.FAILED, error.detail, error.wanted, error.got, error.differs, (probe.bug,))
    except Undecided as error:
        return outcome(Status.SKIPPED, str(error))
    except NoReply as error:
        return outcome(Status.CRASHED, f"no answer: {error}", bugs=(probe.bug,))
    except OSError as error:
        return outcome(Status.CRASHED, f"no connection: {error.strerror or error}", bugs=(probe.bug,))
    return outcome(Status.PASSED, "")


def _greet(url: str, visit: Visit) -> None:
    """Find out whether a server is there, and what its clock says, by a request that it refuses."""
    sent = time.monotonic()
    hello = Request("POST", "/v1/track", (), b"")
    try:
        with visit.connect() as connection:
            connection.send(visit.octets(hello))
            reply = connection.reply(visit.patience.first)
    except OSError as error:
        raise Unreachable(f"nothing answers at {url}: {error.strerror or error}") from None
    except NoReply as error:
        raise Unreachable(f"what answers at {url} speaks no HTTP: {error}") from None
    told = (document_of(reply) or {}).get("server_time")
    if type(told) is int and 10**9 <= told < 10**10:
        visit.sender.clock.learn(told, sent, time.monotonic())


def _introduce(visit: Visit) -> None:
    """Find out whether the server knows the api key, by a signed request that holds no event; a probe judges the rest.

    Raises:
        ValueError: it says that it does not.
    """
    try:
        with visit.connect() as connection:
            connection.send(visit.octets(visit.sender.request(b"{}")))
            told = document_of(connection.reply(visit.patience.first))
    except (OSError, NoReply):
        return
    if told and told.get("code") == Reason.API_KEY_UNKNOWN.value:
        raise ValueError(
            f"the server does not know the api key {visit.sender.api_key_id} ({Reason.API_KEY_UNKNOWN.value});"
            " give one that is in its keys file"
        )
