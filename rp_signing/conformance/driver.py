"""The driver: an adapter as a process that is asked a line at a time, and that may do anything but answer."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple, NoReturn

from .escape import brief, visible
from .vectors import SUITES

__all__ = ["PROTOCOL", "Adapter", "Crash", "Hello"]

PROTOCOL = 1
"""The number of the protocol that README.md of this folder describes."""

_LONGEST_LINE = 8 * 1024 * 1024
_GRACE = 2.0
"""Seconds in which a program may end, or finish what it writes, before it is made to."""

_TAIL_BYTES, _TAIL_LINES, _TAIL_WIDTH = 4096, 10, 200


class Crash(Exception):
    """No answer came: what happened instead, with the last lines that the program wrote to standard error."""

    def __init__(self, what: str, last_lines: Sequence[str] = ()) -> None:
        self.what = what
        self.last_lines: tuple[str, ...] = tuple(last_lines)
        super().__init__(f"{what}; its last lines: {' | '.join(last_lines)}" if last_lines else what)


class Hello(NamedTuple):
    """How an adapter introduces itself.

    Attributes:
        name: of the program, as it says.
        version: the same.
        suites: those that it takes, in the order of `SUITES`.
    """

    name: str
    version: str
    suites: tuple[str, ...]


class Adapter:
    """A running adapter. Use it in a with statement: at the end the program and all that it started are gone.

    Args:
        command: the program and its arguments.
        timeout: how many seconds it has for each answer.

    Raises:
        Crash: it does not start, or does not say hello. Nothing is left running.
    """

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._timeout = timeout
        self._tail = b""
        self._said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # A line, or None at the end of its output.
        self._heard: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        pipe = subprocess.PIPE
        try:
            # Its own process group: what it starts itself ends with it, and Ctrl-C is ours to handle.
            self._process = subprocess.Popen(  # noqa: S603  # to run this command is what the user asks for
                list(command), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise Crash(f"it does not start: {error}") from None
        self._threads = [
            threading.Thread(target=work, args=(stream,), daemon=True)
            for work, stream in (
                (self._speak, self._process.stdin),
                (self._listen, self._process.stdout),
                (self._overhear, self._process.stderr),
            )
        ]
        for thread in self._threads:
            thread.start()
        try:
            self.hello: Hello = _read_hello(self._exchange({"do": "hello", "protocol": PROTOCOL}))
        except ValueError as error:
            self.close()
            raise Crash(f"its hello is wrong: {error}", self._last_lines()) from None
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Adapter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kill(self) -> None:
        """End the program at once."""
        self._said.put(None)
        self._kill()

    def ask(self, question: dict[str, Any]) -> Any:
        """Send one question and give the JSON value that came back, with the same ``n``.

        Raises:
            Crash: nothing came in time, the program ended, or the line is no answer to this question. The program
                is of no more use.
        """
        answer = self._exchange(question)
        if not isinstance(answer, dict):
            self._give_up("it wrote a line that is no answer: it is no JSON object")
        number = answer.get("n")
        if number != question["n"] or isinstance(number, bool):
            self._give_up(f"it answered question {brief(number, 40)} when asked question {question['n']}")
        return answer

    def close(self) -> None:
        """End the program: by the end of its input, and after two seconds by force. It may be called again."""
        self._said.put(None)
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        finally:
            self._kill()

    def _exchange(self, message: dict[str, Any]) -> Any:
        """Send one line and wait for one line, as JSON."""
        self._said.put(json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n")
        try:
            line = self._heard.get(timeout=self._timeout)
        except queue.Empty:
            self._give_up(f"it did not answer within {self._timeout:g} s")
        if line is None:
            self._give_up(self._how_it_ended())
        if len(line) > _LONGEST_LINE:
            self._give_up(f"it wrote a line of more than {_LONGEST_LINE:,} bytes: {_start(line)}")
        try:
            return json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            why = f"it is not UTF-8 at byte {error.start}" if isinstance(error, UnicodeDecodeError) else "it is no JSON"
            hint = "; is it a log? Those go to standard error"
            self._give_up(f"it wrote a line that is no answer: {why}: {_start(line)}{hint}")

    def _how_it_ended(self) -> str:
        """Say how its output came to an end."""
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return "it closed its standard output, and runs on"
        if code >= 0:
            return f"it ended with exit code {code}"
        with suppress(ValueError):
            return f"it was ended by {signal.Signals(-code).name}"
        return f"it was ended by signal {-code}"

    def _give_up(self, what: str) -> NoReturn:
        """End the program at once, and raise what happened with its last lines."""
        self.kill()
        raise Crash(visible(what), self._last_lines())

    def _kill(self) -> None:
        """End the whole process group, and let the pipes go."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(_GRACE)

    def _last_lines(self) -> list[str]:
        lines = self._tail.decode("utf-8", "backslashreplace").splitlines()
        return [visible(line.strip())[:_TAIL_WIDTH] for line in lines if line.strip()][-_TAIL_LINES:]

    def _speak(self, stream: IO[bytes]) -> None:
        # A thread of its own, since a program that does not read makes the write wait for ever.
        with suppress(OSError), stream:
            while (line := self._said.get()) is not None:
                stream.write(line)
                stream.flush()

    def _listen(self, stream: IO[bytes]) -> None:
        with suppress(OSError), stream:
            while line := stream.readline(_LONGEST_LINE + 1):
                self._heard.put(line)
                if len(line) > _LONGEST_LINE:
                    break
        self._heard.put(None)

    def _overhear(self, stream: IO[bytes]) -> None:
        with suppress(OSError), stream:
            while part := os.read(stream.fileno(), 65536):
                self._tail = (self._tail + part)[-_TAIL_BYTES:]


def _read_hello(answer: Any) -> Hello:
    """Read what an adapter says of itself."""
    if not isinstance(answer, dict):
        raise ValueError("it is no JSON object")
    if answer.get("protocol") != PROTOCOL or isinstance(answer["protocol"], bool):
        raise ValueError(f"it does not speak protocol {PROTOCOL}")
    for member in ("name", "version"):
        if not isinstance(answer.get(member), str):
            raise ValueError(f"its {member} is missing, or no text")
    suites = answer.get("suites")
    if not isinstance(suites, list) or not suites:
        raise ValueError("its suites are missing, or no list")
    for suite in suites:
        if suite not in SUITES:
            raise ValueError(f"there is no suite {brief(suite, 40)}; the suites are {', '.join(SUITES)}")
    return Hello(answer["name"][:80], answer["version"][:40], tuple(suite for suite in SUITES if suite in suites))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _start(line: bytes) -> str:
    """Give the start of a line, as text between quotation marks."""
    return brief(line[:300].decode("utf-8", "backslashreplace").strip(), 120)
