"""`serve` with its nonces, its events, or both in servers: PostgreSQL and Valkey."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from click.testing import CliRunner, Result
from postgres_server import PostgresServer, execute, shared_server, until_it_is
from served import answer_on, ask, head, wire_to
from serving_process import COMMAND, request, serving_process, started, write_keys
from test_serve import NEW, refused_to_start, workers_of
from valkey_server import DURABLE, Valkey, ValkeyCluster

from rp_signing.cli.commands import commands
from rp_signing.cli.stores import Place, Stores

NONCES = "SELECT count(*) FROM rp_nonce"
EVENTS = "SELECT message_id FROM rp_event ORDER BY id"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a keys file."""
    write_keys(tmp_path)
    return tmp_path


@pytest.fixture
def url() -> str:
    """What stands for an empty database."""
    return shared_server().schema()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The URLs of a Valkey and of one server of a cluster."""
    with Valkey() as alone, ValkeyCluster(size=3) as cluster:
        yield {
            "valkey": f"redis://127.0.0.1:{alone.port}/0",
            "cluster": f"redis://127.0.0.1:{cluster.servers[0].port}",
        }


def told_by(*arguments: str) -> Result:
    """What a command says."""
    return CliRunner().invoke(commands, arguments)


def holding(url: str) -> psycopg.Connection[Any]:
    """A connection that holds up every event on its way into the table until it is closed."""
    execute(
        url,
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext(TG_TABLE_SCHEMA)); RETURN NEW; END $$",
        "CREATE TRIGGER wait BEFORE INSERT ON rp_event FOR EACH ROW EXECUTE FUNCTION wait()",
    )
    connection = psycopg.connect(url)
    connection.execute("SELECT pg_advisory_lock(hashtext(current_schema()))")
    return connection


def held_up(url: str) -> None:
    """Come back when an event waits."""
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND objid = hashtext(current_schema())::bigint & 4294967295"
    )
    until_it_is(url, waiting, [(1,)])


@pytest.mark.parametrize(
    ("events", "nonces"),
    [("--data", "valkey"), ("--data", "postgres"), ("--events", "cluster"), ("--events", "with the events")],
)
def test_workers_share_the_nonces_of_a_server(
    folder: Path, url: str, servers: dict[str, str], events: str, nonces: str
) -> None:
    """R8, WIN-9: a request that comes 20 times at once, to two workers, is stored by one, wherever its nonce is."""
    kept = [events, url if events == "--events" else str(folder / "data")]
    options = [*kept, "--workers", "2", "--first-start"]
    if nonces != "with the events":
        options += ["--nonces", servers.get(nonces) or shared_server().schema()]
    with serving_process(folder, *options) as served, ThreadPoolExecutor(8) as threads:
        served.wait_for("listening on", times=2)
        body, headers = request("m-1")
        answers = list(threads.map(lambda _: ask(f"{served.url}/v1/track", body, headers), range(20)))
        assert Counter(answer.status for answer in answers) == {202: 1, 409: 19}
        assert {answer.document["code"] for answer in answers if answer.status == 409} == {"replayed"}
    listed = json.loads(told_by("events", "list", *kept, "--json").stdout)
    assert [(row["message_id"], row["trust"]) for row in listed] == [("m-1", "high")]
    audited = told_by("events", "audit", "--keys", str(folder / "keys.json"), *kept)
    assert (audited.exit_code, "Every high row verifies." in audited.stdout) == (0, True)


def test_an_audit_of_a_database_names_what_was_changed(folder: Path, url: str) -> None:
    """EVT-5: `events audit --events` ends with 1 and names the row that somebody wrote into."""
    with serving_process(folder, "--events", url) as served:
        assert [served.send(f"m-{number}").status for number in range(3)] == [202] * 3
    execute(url, "UPDATE rp_event SET content = replace(content, 'Completed', 'Refunded') WHERE message_id = 'm-1'")
    audited = told_by("events", "audit", "--keys", str(folder / "keys.json"), "--events", url, "--json")
    report = json.loads(audited.stdout)
    assert (audited.exit_code, report["total"]) == (1, 3)
    assert [(row["message_id"], row["verdict"]) for row in report["bad"]] == [("m-1", "altered")]


def test_a_nonce_and_its_events_are_one_transaction(folder: Path, url: str) -> None:
    """R12: `serve` killed between the claim and the events leaves neither, and the same bytes get through later."""
    options = ["--events", url, "--nonces", url]
    body, headers = request("m-1")
    with started(folder, *options) as served, ThreadPoolExecutor(1) as threads, holding(url):
        sending = threads.submit(ask, f"{served.url}/v1/track", body, headers)
        held_up(url)
        served.process.kill()
        assert isinstance(sending.exception(60), OSError)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '%rp_event%'"
    until_it_is(shared_server().conninfo(), f"{waiting} AND pid <> pg_backend_pid()", [(0,)])
    assert (execute(url, NONCES), execute(url, EVENTS)) == ([(0,)], [])
    with serving_process(folder, *options) as served:
        assert [ask(f"{served.url}/v1/track", body, headers).status for _ in range(2)] == [202, 409]
    assert (execute(url, NONCES), execute(url, EVENTS)) == ([(1,)], [("m-1",)])


def test_nonces_apart_from_the_events_stay_used_up(folder: Path, url: str) -> None:
    """VER-11: what was claimed elsewhere is not freed when events may have been stored; a new signature is taken."""
    apart = shared_server().schema()
    with serving_process(folder, "--events", url, "--nonces", apart, "--first-start") as served:
        execute(url, "ALTER TABLE rp_event ADD CONSTRAINT none CHECK (message_id <> 'm-1')")
        body, headers = request("m-1")
        assert ask(f"{served.url}/v1/track", body, headers).document["code"] == "event_store_unavailable"
        execute(url, "ALTER TABLE rp_event DROP CONSTRAINT none")
        assert ask(f"{served.url}/v1/track", body, headers).document["code"] == "replayed"
        assert served.send("m-1").status == 202
    assert (execute(apart, NONCES), execute(url, NONCES), execute(url, EVENTS)) == ([(2,)], [(0,)], [("m-1",)])


def test_a_secret_taken_out_drops_no_request(folder: Path, url: str) -> None:
    """SIGHUP: what has passed the gate is stored; whose body is still on its way is told that its secret is gone."""
    with serving_process(folder, "--events", url) as served, ThreadPoolExecutor(1) as threads:
        track = f"{served.url}/v1/track"
        with holding(url), wire_to(served.url) as slow:
            passed = threads.submit(served.send, "m-1")
            held_up(url)
            body, headers = request("m-2")
            length = {"Content-Length": str(len(body))}
            slow.sendall(head(track, (headers | length).items()) + body[:10])
            write_keys(folder, NEW)
            served.tell(signal.SIGHUP)
            served.wait_for("read again")
            slow.sendall(body[10:])
            told = answer_on(slow)
            assert (told.status, told.document["code"]) == (401, "signature_invalid")
            assert not passed.done()
        assert passed.result(60).status == 202
        assert [served.send("m-3").status, served.send("m-3", NEW).status] == [401, 202]


def test_a_server_that_is_gone_is_answered_and_found_again(folder: Path, url: str) -> None:
    """R14: without its nonce store the endpoint answers 503 and lets nothing through; afterwards it goes on."""
    with Valkey(*DURABLE) as server:
        nonces = f"redis://127.0.0.1:{server.port}/0"
        with serving_process(folder, "--events", url, "--nonces", nonces, "--first-start") as served:
            body, headers = request("m-1")
            assert ask(f"{served.url}/v1/track", body, headers).status == 202
            server.kill()
            answer = served.send("m-2")
            assert (answer.status, answer.document["code"]) == (503, "replay_store_unavailable")
            assert execute(url, EVENTS) == [("m-1",)]
            server.start()
            assert served.send("m-2").status == 202
            assert ask(f"{served.url}/v1/track", body, headers).status == 409


def test_a_worker_that_dies_while_the_database_is_away_is_replaced(folder: Path) -> None:
    """R14: the worker in its place waits for the database, instead of taking all the others down with it."""
    with (
        PostgresServer() as server,
        serving_process(folder, "--events", server.conninfo(), "--workers", "2") as served,
        ThreadPoolExecutor(4) as threads,
    ):
        served.wait_for("listening on", times=2)
        server.kill()
        for worker in workers_of(served):
            os.kill(worker, signal.SIGKILL)
        served.wait_for("another takes its place", times=2)
        served.wait_for("error connecting", times=2)
        server.start()
        served.wait_for("listening on", times=4)
        assert {answer.status for answer in threads.map(served.send, map(str, range(8)))} == {202}


@pytest.mark.parametrize(
    ("events", "nonces", "told"),
    [
        ("postgresql://postgres@127.0.0.1:1/x", None, "PostgreSQL cannot be asked: connection failed"),
        (None, "postgresql://postgres@127.0.0.1:1/x", "port 1 failed: Connection refused"),
        (None, "redis://127.0.0.1:1/0", "Redis cannot be asked: ConnectionError"),
        ("postgresql://[::1", None, "is no URL that PostgreSQL reads"),
        ("postgresql://u:hunter%2@127.0.0.1:1/x", None, "a password is written with % / @ : ? # as %25 %2F"),
        ("postgresql://u:hunter/2@127.0.0.1:1/x", None, "is no URL that PostgreSQL reads"),
        ("postgresql://u:u@hunter@127.0.0.1:1/x", None, "is no URL that PostgreSQL reads"),
        (None, "redis://:hunter/2@127.0.0.1:1/0", "is no URL that redis-py reads"),
        (None, "redis://127.0.0.1:1/0?hunter=2", "is no URL that redis-py reads"),
        (None, "redis://[::1", "is no URL that redis-py reads"),
    ],
)
def test_what_cannot_be_reached_is_named_in_a_sentence(
    tmp_path: Path, events: str | None, nonces: str | None, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong URL, or a server that is down, is refused soon and in a sentence, without a word of the password."""
    place = Place(tmp_path, events, nonces)
    place.judge(workers=1)
    with pytest.raises(click.UsageError) as caught:
        Stores(place)
    said = str(caught.value)
    assert told in said
    assert "hunter" not in said + caplog.text
    assert "\n" not in said
    assert caplog.messages == []


def test_a_database_that_is_not_there_is_named(folder: Path) -> None:
    """So is a name that the server does not know; `events` says the same, and also with 2: it is no verdict."""
    nowhere = shared_server().conninfo("nowhere")
    assert 'database "nowhere" does not exist' in refused_to_start(folder, "--events", nowhere)
    listed = told_by("events", "list", "--events", nowhere)
    assert listed.exit_code == 2
    assert 'database "nowhere" does not exist' in listed.output


@pytest.mark.parametrize(
    ("module", "extra", "option"),
    [("psycopg", "postgres", "--events"), ("psycopg", "postgres", "--nonces"), ("redis", "redis", "--nonces")],
)
def test_a_missing_extra_is_named(folder: Path, module: str, extra: str, option: str) -> None:
    """Without the client, the line to type is said."""
    code = f"import sys; sys.modules[{module!r}] = None; {COMMAND[2]}"
    url = f"{extra.replace('postgres', 'postgresql')}://127.0.0.1:1/0"
    data = [] if option == "--events" else ["--data", str(folder)]
    arguments = [sys.executable, "-c", code, "serve", "--keys", str(folder / "keys.json"), *data, option, url]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert f"pip install 'rp-signing[{extra}]'" in done.stderr
