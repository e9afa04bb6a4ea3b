"""`serve` with several workers, with nonces apart from the events, and with keys that change under it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from served import ask
from serving_process import COMMAND, Served, request, serving_process, started, write_keys

from rp_signing.cli.serve import listen

NEW = "a-newer-secret-of-the-same-api-key-00001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a keys file."""
    write_keys(tmp_path)
    return tmp_path


def refused_to_start(folder: Path, *options: str, **environment: str) -> str:
    """What `serve` says when it does not start, with exit code 2."""
    done = subprocess.run(
        [*COMMAND, "serve", "--keys", "keys.json", "--port", "0", *options],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return re.sub(r"\s+", " ", done.stderr)


def workers_of(served: Served) -> set[int]:
    """The process ids of the workers, by the operating system."""
    text = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text()
    return {int(number) for number in text.split()}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_taken_port_is_refused(folder: Path, workers: str) -> None:
    """Where something listens already, `serve` does not start, and says how to choose another place."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        told = refused_to_start(folder, "--data", "data", "--workers", workers, "--port", taken.rpartition(":")[2])
    assert f"{taken}: Address already in use; choose by --host and --port" in told


def test_workers_share_one_memory_of_nonces(folder: Path) -> None:
    """R8: a request that comes 40 times at once, to four workers, is stored by one of them."""
    with serving_process(folder, "--data", "data", "--workers", "4") as served, ThreadPoolExecutor(8) as threads:
        served.wait_for("listening on", times=4)
        body, headers = request("m-1")
        statuses = Counter(
            answer.status for answer in threads.map(lambda _: ask(f"{served.url}/v1/track", body, headers), range(40))
        )
        assert statuses == {202: 1, 409: 39}


def test_a_memory_store_behind_workers_is_refused(folder: Path) -> None:
    """R8: memory is seen by one process alone; `serve` does not start, and says what to use."""
    told = refused_to_start(folder, "--data", "data", "--nonces", "memory://", "--workers", "4")
    assert "by 4 of them a replay would be taken once by each" in told
    told = refused_to_start(folder, "--data", "data", "--nonces", "memory://", WEB_CONCURRENCY="3")
    assert "by 3 of them" in told


@pytest.mark.parametrize("value", ["0", "two"])
def test_a_variable_that_is_wrong_is_named(folder: Path, value: str) -> None:
    """What WEB_CONCURRENCY holds is not blamed on --workers, nor the reverse."""
    told = refused_to_start(folder, "--data", "data", WEB_CONCURRENCY=value)
    assert "for the environment variable WEB_CONCURRENCY" in told
    told = refused_to_start(folder, "--data", "data", "--workers", value, WEB_CONCURRENCY="2")
    assert ("for '--workers'" in told, "WEB_CONCURRENCY" in told) == (True, False)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "say where events are kept: --data DIR, or --events postgresql://"),
        (("--events", "mysql://localhost/x"), "--events takes postgresql://"),
        (("--data", "data", "--nonces", "memcached://localhost"), "--nonces takes redis://"),
        (("--data", "keys.json"), "is a file"),
        (("--data", "data", "--nonces", "redis://127.0.0.1:1/0"), "127.0.0.1:1"),
        (("--data", "data", "--workers", "2", "--host", "203.0.113.1"), "203.0.113.1"),
    ],
)
def test_what_cannot_be_served_is_not(folder: Path, options: tuple[str, ...], told: str) -> None:
    """A start that makes no sense, or finds no store, ends with 2 and one sentence."""
    assert told in refused_to_start(folder, *options)


def test_a_secret_taken_out_stops_verifying_in_every_worker(folder: Path) -> None:
    """SIGHUP: after it, none of the workers takes the old secret, and each takes the new one."""
    with serving_process(folder, "--data", "data", "--workers", "2") as served:
        served.wait_for("listening on", times=2)
        assert served.send("m-1").status == 202
        write_keys(folder, NEW)
        served.tell(signal.SIGHUP)
        served.wait_for("read again", times=2)
        for number in range(12):
            assert served.send(f"old-{number}").document["code"] == "signature_invalid"
            assert served.send(f"new-{number}", NEW).status == 202


def test_a_keys_file_without_keys_is_warned_of(folder: Path) -> None:
    """A keys file that takes nobody any more is read as it stands, and said aloud at the start and on SIGHUP."""
    with serving_process(folder, "--data", "data") as served:
        assert served.send("m-1").status == 202
        (folder / "keys.json").write_text('{"api_keys": []}')
        served.tell(signal.SIGHUP)
        served.wait_for("there is no api key in the keys file: every request is refused")
        assert served.send("m-2").document["code"] == "api_key_unknown"
    with serving_process(folder, "--data", "data") as served:
        served.wait_for("there is no api key in the keys file: every request is refused")


def test_a_worker_that_dies_is_replaced(folder: Path) -> None:
    """Kill -9 of one worker of two: another takes its place, and nothing that was acknowledged is taken again."""
    with serving_process(folder, "--data", "data", "--workers", "2") as served:
        served.wait_for("listening on", times=2)
        body, headers = request("m-1")
        assert ask(f"{served.url}/v1/track", body, headers).status == 202
        before = workers_of(served)
        os.kill(min(before), signal.SIGKILL)
        served.wait_for("another takes its place")
        served.wait_for("listening on", times=3)
        assert len(workers_of(served) - before) == 1
        assert ask(f"{served.url}/v1/track", body, headers).status == 409


def test_workers_that_cannot_live_are_given_up(folder: Path) -> None:
    """Workers that die at once, one after the other, end `serve` with 1 instead of a loop."""
    with started(folder, "--data", "data", "--workers", "2") as served:
        served.wait_for("listening on", times=2)
        (folder / "keys.json").write_text("{")
        for worker in workers_of(served):
            os.kill(worker, signal.SIGKILL)
        served.wait_for("giving up")
        assert served.process.wait(60) == 1


def test_workers_end_with_their_parent(folder: Path) -> None:
    """Kill -9 of the parent ends its workers too: nobody is left on the port."""
    with started(folder, "--data", "data", "--workers", "2") as served:
        served.wait_for("listening on", times=2)
        served.process.kill()
        served.process.wait(60)
        # The pipe is closed when the last of them has ended.
        served.wait_for("")


def test_nonces_in_memory_apart_from_the_events(folder: Path) -> None:
    """R9: a memory of its own refuses what an earlier process could have taken, unless told that this is the first."""
    with serving_process(folder, "--data", "data", "--nonces", "memory://") as served:
        answer = served.send("m-1")
        assert (answer.status, answer.document["code"]) == (503, "signed_before_start")
        assert 1 <= int(answer.headers["retry-after"]) <= 61
    with serving_process(folder, "--data", "data", "--nonces", "memory://", "--first-start") as served:
        body, headers = request("m-1")
        assert [ask(f"{served.url}/v1/track", body, headers).status for _ in range(2)] == [202, 409]


def test_answers_on_a_kept_connection_are_not_held_back() -> None:
    """What workers share a port by sends at once: an answer of two pieces must not wait for an acknowledgement."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
