"""The black box: every probe passes at the real endpoint, and names the bug of each broken one (SPEC §6, §9)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bent_stores
import pytest
from bent_requests import replies, scope
from broken_servers import KEYS, SERVERS, Broken, Switch
from ingested import endpoint, listening
from parties import LIVE_API_KEY, OTHER
from served import PATIENCE
from spec_page import API_KEY, SECRET

from rp_signing import Reason
from rp_signing.conformance.blackbox import PROBES, probe_server
from rp_signing.conformance.outcome import Outcome, Status
from rp_signing.keyfile import keyring_of

IDS = [probe.id for probe in PROBES]
RIGHT = Broken("no bug", "")


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    """One server for all that is broken."""
    with Switch() as switch:
        yield switch


def bad(outcomes: list[Outcome]) -> list[Outcome]:
    """Those that did not pass."""
    return [outcome for outcome in outcomes if outcome.status is not Status.PASSED]


# What is right


def test_the_real_endpoint_passes_every_probe_twice(tmp_path: Path) -> None:
    """All probes pass, in this order, and again in the same store; each is told once, to the caller's own thread."""
    told: list[tuple[str, int]] = []
    with endpoint(tmp_path, clock=time.time, body_timeout=0.5) as served:
        for run in (1, 2):
            told.clear()
            outcomes = probe_server(
                served.url, API_KEY, SECRET, lambda outcome: told.append((outcome.id, threading.get_ident()))
            )
            assert bad(outcomes) == [], run
            assert [outcome.id for outcome in outcomes] == IDS
            assert sorted(name for name, _ in told) == sorted(IDS)
            assert {thread for _, thread in told} == {threading.get_ident()}
            assert told[-1][0] == "alive-at-the-end"
        assert {row.trust for row in served.store.scan()} == {"high"}


def test_serve_passes_every_probe_as_a_process(tmp_path: Path) -> None:
    """`rp-signing serve`, as it is started by people, with its deadline of ten seconds, passes within twenty."""
    (tmp_path / "keys.json").write_text(json.dumps(KEYS))
    serve = "from rp_signing.cli import main; main()"
    arguments = ["serve", "--keys", "keys.json", "--data", "data", "--port", "0"]
    command = [sys.executable, "-c", serve, *arguments]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stderr
        url = next(found[1] for line in process.stderr if (found := re.search(r"listening on (\S+)", line)))
        # What the server logs has to go somewhere, or it waits for us.
        drain = threading.Thread(target=lambda: log.writelines(line.encode() for line in process.stderr or ()))
        drain.start()
        began = time.monotonic()
        try:
            outcomes = probe_server(url, API_KEY, SECRET)
        finally:
            took = time.monotonic() - began
            process.terminate()
            drain.join(PATIENCE)
    assert bad(outcomes) == []
    assert took < 20
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


def test_the_probes_reach_every_reason_that_a_stranger_can_provoke(tmp_path: Path) -> None:
    """In the server's log stands each reason of SPEC §6.3, but for those of a store in need and of the library."""
    with endpoint(tmp_path, clock=time.time, body_timeout=0.3) as served, listening() as heard:
        probe_server(served.url, API_KEY, SECRET)
    reached = {record.__dict__["reason"] for record in heard.records if "reason" in record.__dict__}
    others = {reason for reason in Reason if reason.status in (429, 503)}
    assert reached == set(Reason) - others - {Reason.KEY_NOT_STRING, Reason.VALUE_NOT_JSON}


def test_an_api_key_that_takes_unsigned_events_passes_too(tmp_path: Path) -> None:
    """Where unsigned events are allowed, one is stored as standard, and nothing else is less strict."""
    with endpoint(tmp_path, clock=time.time, body_timeout=0.3, keyring=keyring_of(KEYS)) as served:
        assert bad(probe_server(served.url, LIVE_API_KEY, OTHER)) == []
        assert Counter(row.trust for row in served.store.scan())["standard"] == 1


@pytest.mark.parametrize("hours", [-100, 100])
def test_a_server_with_another_clock_passes(switch: Switch, tmp_path: Path, hours: int) -> None:
    """The server's clock is learned from its first answer."""
    with switch.to(RIGHT, tmp_path, clock=lambda: time.time() + hours * 3600) as url:
        assert bad(probe_server(url, API_KEY, SECRET)) == []


def test_a_server_behind_a_path_passes(switch: Switch, tmp_path: Path) -> None:
    """What stands behind the port in the URL is put before every path."""
    behind = scope(
        lambda scope: {"path": scope["path"].removeprefix("/in/here") if "/in/here/" in scope["path"] else ""}
    )
    with switch.to(Broken("", "", behind), tmp_path) as url:
        assert bad(probe_server(f"{url}/in/here/", API_KEY, SECRET)) == []


def test_a_young_store_is_no_bug(switch: Switch, tmp_path: Path) -> None:
    """Whether an old timestamp is taken is not found out where the store may have forgotten it: skipped, and said."""
    with switch.to(Broken("", "", store=bent_stores.Young), tmp_path) as url:
        (outcome,) = probe_server(url, API_KEY, SECRET, only={"valid-past-edge"})
    assert (outcome.status, outcome.bugs) == (Status.SKIPPED, ())
    assert "signed_before_start" in outcome.detail


def test_localhost_is_a_name_for_loopback(switch: Switch, tmp_path: Path) -> None:
    """`localhost` is taken, whichever of its addresses the server listens on."""
    with switch.to(RIGHT, tmp_path) as url:
        assert bad(probe_server(url.replace("127.0.0.1", "LOCALHOST"), API_KEY, SECRET, only={"valid-track"})) == []


# What is wrong


@pytest.mark.parametrize("broken", SERVERS, ids=lambda broken: broken.name.replace(" ", "-"))
def test_a_broken_server_is_named(switch: Switch, tmp_path: Path, broken: Broken) -> None:
    """A server with one bug fails the probe that names it, and takes what has nothing to do with it."""
    wanted = broken.probes.split()
    # An identify event is right at every one of them but those that never answer rightly at all.
    beside = [] if broken.hangs or broken.fails_all else ["valid-identify"]
    with switch.to(broken, tmp_path) as url:
        patience = 0.3 if broken.hangs else PATIENCE
        outcomes = probe_server(url, broken.api_key, broken.secret, only={*wanted, *beside}, patience=patience)
    assert {outcome.id for outcome in bad(outcomes)} == set(wanted)
    for outcome in bad(outcomes):
        (probe,) = [probe for probe in PROBES if probe.id == outcome.id]
        assert (outcome.suite, outcome.tags, outcome.bugs) == ("http", probe.tags, (probe.bug,))
        assert outcome.status is (Status.CRASHED if broken.hangs else Status.FAILED)
        assert outcome.detail
        assert json.loads(json.dumps(outcome.got)) == outcome.got
        if not broken.hangs:
            assert outcome.wanted is not None
            assert outcome.differs
        for hidden in (API_KEY, SECRET, LIVE_API_KEY, OTHER):
            assert hidden not in repr(outcome)


def test_broken_servers_have_names_and_known_probes() -> None:
    """Every bug is there once, and every probe it names exists."""
    assert len({broken.name for broken in SERVERS}) == len(SERVERS) >= 60
    assert {probe for broken in SERVERS for probe in broken.probes.split()} <= set(IDS)


def test_credentials_are_hidden_from_outcomes(switch: Switch, tmp_path: Path) -> None:
    """A server that tells a secret with odd characters everywhere does not get it into a report."""
    secret = 'it\'s "quoted" \\ and\\"odd"'.replace(" ", "_") * 2
    told: Any = {"code": f"<{secret}>", "detail": ["x", {secret: f"{API_KEY}{secret}"}], "errors": secret}
    tells = replies(lambda _, lines, document: (422, lines, {**document, **told}))
    with switch.to(Broken("", "", tells), tmp_path) as url:
        outcomes = probe_server(url, API_KEY, secret)
    assert len(bad(outcomes)) > 200
    for hidden in (secret, json.dumps(secret)[1:-1], API_KEY):
        assert not [outcome.id for outcome in outcomes if hidden in json.dumps(outcome) or hidden in repr(outcome)]
    found = {outcome.id: outcome for outcome in outcomes}["answers-hide-credentials"]
    assert found.status is Status.FAILED


ODD: list[Any] = [
    None,
    [],
    "text",
    {},
    {"code": 7, "errors": [[]], "server_time": "x", "received": []},
    {"code": None, "errors": [{"index": [], "reason": {}, "pointer": None}], "server_time": True},
    {"stored": True, "duplicates": 0.0, "trust": [], "received": {"sha256": 1}, "status": {}},
    {"code": "x" * 10_000, "detail": {"deep": [[[[]]]]}, "errors": 1e300},
]


@pytest.mark.parametrize("status", [202, 401, 422])
def test_no_answer_breaks_the_probes(switch: Switch, tmp_path: Path, status: int) -> None:
    """Whatever a server answers, each probe ends with an outcome, and none of those that want something passes."""
    count = 0

    def odd(_: int, lines: Any, __: Any) -> Any:
        nonlocal count
        count += 1
        return status, lines, ODD[count % len(ODD)]

    with switch.to(Broken("", "", replies(odd)), tmp_path) as url:
        outcomes = probe_server(url, API_KEY, SECRET)
    passed = {outcome.id for outcome in outcomes if outcome.status is Status.PASSED}
    # A wrong framing may be refused in any words.
    assert passed <= {"no-http", "answers-hide-credentials"}
    json.dumps([outcome._asdict() for outcome in outcomes])


def test_a_run_that_is_broken_off_ends_at_once(tmp_path: Path) -> None:
    """Ctrl-C waits for no probe whose body does not come, however patient it is."""

    def stop(_: Outcome) -> None:
        raise KeyboardInterrupt

    with endpoint(tmp_path, clock=time.time, body_timeout=5) as served:
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            probe_server(served.url, API_KEY, SECRET, stop)
        assert time.monotonic() - began < 3
