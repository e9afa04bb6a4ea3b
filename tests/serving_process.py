"""`rp-signing serve` as a process on a free port, and senders that know its keys."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import spec_page
from leaks import digests, leaked
from served import Answer, ask

from rp_signing import Signer, canonicalize, sign_event

API_KEY, SECRET = spec_page.API_KEY, spec_page.SECRET
COMMAND = [sys.executable, "-c", "from rp_signing.cli import main; main()"]


def write_keys(folder: Path, *secrets: str) -> Path:
    """A keys file with one api key, written whole so that no reader sees half of it."""
    document = {"api_keys": [{"api_key": API_KEY, "secrets": list(secrets or (SECRET,))}]}
    draft = folder / "keys.json.new"
    draft.write_text(json.dumps(document))
    return draft.replace(folder / "keys.json")


class Served:
    """A running `serve`.

    Attributes:
        url: where it listens.
        process: the process that was started.
        log: what it wrote so far, a line each.
        told: what it wrote that may be seen nowhere.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[str] = []
        self.told: list[str] = []
        self._more = threading.Condition()
        threading.Thread(target=self._read, args=(process.stderr,), daemon=True).start()
        self.url = re.findall(r"http://\S+", self.wait_for("listening on"))[0]

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._more:
                self.log.append(line)
                self.told += leaked(line) + digests(line)
                self._more.notify_all()
        with self._more:
            self.log.append("")
            self._more.notify_all()

    def wait_for(self, text: str, times: int = 1) -> str:
        """The line of the log that holds this text for the so-manieth time."""
        with self._more:
            assert self._more.wait_for(lambda: len(self._with(text)) >= times or "" in self.log, 60), self.log
            assert self.told == []
            found = self._with(text)
            assert len(found) >= times, "".join(self.log)
            return found[times - 1]

    def _with(self, text: str) -> list[str]:
        return [line for line in self.log if text in line]

    def send(self, message_id: str, secret: str = SECRET) -> Answer:
        """Send one signed event."""
        return ask(f"{self.url}/v1/track", *request(message_id, secret))

    def tell(self, what: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        os.kill(self.process.pid, what)


def request(message_id: str, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A body with one signed event, and the headers of its request."""
    event = {"type": "track", "messageId": message_id, "userId": "user-123", "event": "Order Completed"}
    body = canonicalize(sign_event(event, api_key=API_KEY, secret=secret))
    headers = Signer(api_key=API_KEY, secret=secret).sign(body)
    return body, headers | {"Content-Type": "application/json"}


@contextmanager
def serving_process(folder: Path, *options: str, **environment: str) -> Iterator[Served]:
    """Run `serve` over the keys file of a folder, and end it with SIGTERM."""
    with started(folder, *options, **environment) as served:
        yield served
        served.tell(signal.SIGTERM)
        assert served.process.wait(60) == 0, "".join(served.log)
        assert served.told == []


@contextmanager
def started(folder: Path, *options: str, **environment: str) -> Iterator[Served]:
    """Run `serve`, and leave its end to the caller; what is left of it is killed."""
    arguments = [*COMMAND, "serve", "--keys", "keys.json", "--port", "0", *options]
    said: dict[str, Any] = {"cwd": folder, "env": {**os.environ, **environment}, "start_new_session": True}
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, **said) as process:
        try:
            yield Served(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
