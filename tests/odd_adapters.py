"""Adapters that behave oddly: python tests/odd_adapters.py KIND [FILE]. Each is right but for what its kind says.

They take the suite `hmac`, and do the odd thing when they are asked their third question; a kind of hello at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

FILE = sys.argv[2] if len(sys.argv) > 2 else ""
HELLO: dict[str, Any] = {"protocol": 1, "name": "odd", "version": "1", "suites": ["hmac"]}


def right(line: dict[str, Any]) -> dict[str, Any]:
    """The right answer."""
    mac = hmac.digest(bytes.fromhex(line["key"]), bytes.fromhex(line["data"]), hashlib.sha256)
    return {"n": line["n"], "ok": {"mac": mac[: line["mac_bytes"]].hex()}}


def say(answer: Any, end: bytes = b"\n") -> None:
    """Write a line, JSON unless it is bytes."""
    line = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    try:
        sys.stdout.buffer.write(line + end)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)


def hang() -> None:
    """Do nothing, for ever."""
    threading.Event().wait()


def close_output() -> None:
    """Close standard output, and live on."""
    os.close(1)
    hang()


def log(text: str) -> None:
    """Write a line to standard error."""
    print(text, file=sys.stderr, flush=True)


def die(*lines: str, code: int = 3) -> None:
    """End with last words."""
    for line in lines:
        log(line)
    os._exit(code)


def hold() -> None:
    """Keep a named pipe open for writing, in this process and in a child of its own, and wait for ever."""
    descriptor = os.open(FILE, os.O_WRONLY)
    wait = "import threading; threading.Event().wait()"
    subprocess.Popen([sys.executable, "-I", "-S", "-c", wait], pass_fds=[descriptor])
    os.write(descriptor, b"held")
    hang()


# What is done with the third question: the line and the right answer are at hand.
ODD: dict[str, Callable[[dict[str, Any]], object]] = {
    "right": lambda answer: say(answer),
    "dies": lambda _: die("thread main panicked", "  at lib.rs:40 \x1b[31m\x07"),
    "killed": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "logs": lambda answer: (say(b"2026-11-23 DEBUG asked"), say(answer)),
    "answers-twice": lambda answer: say(json.dumps(answer).encode() + b"\n" + json.dumps(answer).encode()),
    "out-of-order": lambda answer: say({**answer, "n": answer["n"] - 1}),
    "no-number": lambda answer: say({"ok": answer["ok"]}),
    "true-for-number": lambda answer: say({**answer, "n": True}),
    "ten-megabytes": lambda _: say(b'{"ok": "' + b"x" * 10_000_000 + b'"}'),
    "ten-megabytes-without-end": lambda _: (say(b"y" * 10_000_000, end=b""), hang()),
    "hangs": lambda _: (log("waiting for a lock"), hang()),
    "half-a-line": lambda answer: (sys.stdout.write(json.dumps(answer)[:9]), sys.stdout.flush(), hang()),
    "garbage": lambda _: say("}{ \x1b[2J\u202e\x9b".encode()),
    "not-utf-8": lambda _: say(b'{"n": 3, "skip": "\xff"}'),
    "nan": lambda _: say(b'{"n": 3, "ok": {"mac": NaN}}'),
    "list": lambda _: say([3]),
    "nothing": lambda _: say(b""),
    "deep": lambda _: say(b"[" * 200_000),
    "deep-inside": lambda answer: say(b'{"n": 3, "ok": {"mac": ' + b"[" * 900 + b"]" * 900 + b"}}"),
    "deep-number": lambda _: say(b'{"n": ' + b"[" * 900 + b"]" * 900 + b', "skip": ""}'),
    "long-number": lambda _: say(b'{"n": 3, "ok": {"mac": ' + b"9" * 9000 + b"}}"),
    "ok-and-refused": lambda answer: say({**answer, "refused": "configuration"}),
    "closes-output": lambda _: close_output(),
    "holds": lambda _: hold(),
    "ugly": lambda answer: say({"n": answer["n"], "refused": "\ud800<script>alert(1)</script>\x1b[2J\x00\u202e\ufffe"}),
    "infinite": lambda answer: say(b'{"n": 3, "ok": {"mac": 1e999}}'),
    "skips": lambda answer: say({"n": answer["n"], "skip": "no \x1b[7m HMAC"}),
}
# What is done with every question.
ALWAYS: dict[str, Callable[[dict[str, Any]], object]] = {
    "records": lambda line: say({"n": line["n"], "skip": "it only listens"}),
    "always-dies": lambda _: die("not my day"),
    "dies-when-even": lambda line: say(right(line)) if line["n"] % 2 else die(),
    "always-both": lambda line: say({**right(line), "refused": "configuration"}),
    "wrong": lambda line: say({"n": line["n"], "ok": {"mac": "00"}}),
    "skips-all": lambda line: say({"n": line["n"], "skip": "no HMAC"}),
}
HELLOS: dict[str, Callable[[], object]] = {
    "hello-dies": lambda: die("Error: Cannot find module 'rp1'", code=1),
    "hello-hangs": hang,
    "hello-banner": lambda: say(b"Welcome to the adapter!"),
    "hello-protocol": lambda: say({**HELLO, "protocol": 2}),
    "hello-true": lambda: say({**HELLO, "protocol": True}),
    "hello-nameless": lambda: say({**HELLO, "name": None}),
    "hello-no-suite": lambda: say({**HELLO, "suites": []}),
    "hello-other-suite": lambda: say({**HELLO, "suites": ["hmac", "rsa\x1b"]}),
    "hello-odd-suite": lambda: say({**HELLO, "suites": [["hmac"]]}),
    "hello-list": lambda: say([1]),
}


def main(kind: str) -> None:
    """Be the adapter of this kind."""
    suites = HELLO["suites"]
    if kind in ("records", "never-reads"):
        suites = ["canonical", "parse", "hmac", "keys", "signing-input", "sign", "verify", "events", "replay"]
    for asked, text in enumerate(sys.stdin):
        line = json.loads(text)
        if kind == "records":
            with open(FILE, "a", encoding="utf-8") as file:
                file.write(text)
        if line.get("do") == "hello":
            HELLOS.get(kind, lambda: say({**HELLO, "suites": suites}))()
            if kind == "never-reads":
                hang()
        elif kind in ALWAYS:
            ALWAYS[kind](line)
        elif asked == 3 and line["n"] == 3:  # not once more, when it was started again
            ODD[kind](right(line))
        else:
            say(right(line))


if __name__ == "__main__":
    main(sys.argv[1])
