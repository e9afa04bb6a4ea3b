"""What may be seen nowhere, in errors with their frames, in logs and in replies: secrets, api keys, expected MACs.

`conftest.py` has each test watched by it: what the package logs, what its doors reply, and every error that
`pytest.raises` sees. Of servers in processes of their own, `served.py` looks at every reply, `serving_process.py` at
every line that they write.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
import traceback
from pathlib import Path
from typing import Any

import parties
from spec_page import API_KEY, SECRET

import rp_signing
from rp_signing import canonicalize
from rp_signing.middleware.problem import Reply

PACKAGE = str(Path(rp_signing.__file__).parent)
VECTORS = f"{PACKAGE}/conformance/driver.py"
"""Whose frames hold vectors, in which all keys are published ones."""
HIDDEN = {
    SECRET,
    parties.OLD,
    parties.OTHER,
    parties.STRANGER,
    API_KEY,
    parties.OTHER_API_KEY,
    parties.LIVE_API_KEY,
    parties.UNSIGNED_API_KEY,
}
DIGEST = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")
MOST = 50
"""How many MACs of one test are looked for; `explain` alone computes thousands."""


class Expected:
    """The MACs that were computed in this process and were not those that came: of each, what would give it away."""

    def __init__(self) -> None:
        self.spellings: dict[str, None] = {}

    def compare(self, computed: str, received: str) -> bool:
        """What stands in for `hmac.compare_digest`: compares by it, and keeps what was expected in vain."""
        same = hmac.compare_digest(computed, received)
        if not same and len(self.spellings) < 4 * MOST:
            mac = bytes.fromhex(computed.removeprefix("sha256="))
            encoded = base64.b64encode(mac).decode().rstrip("=")
            for spelling in (mac.hex(), encoded, encoded.translate({43: "-", 47: "_"}), repr(mac)[2:-1]):
                self.spellings[spelling] = None
        return same


EXPECTED = Expected()


def leaked(text: str) -> list[str]:
    """What a text shows that it may not."""
    return [hidden for hidden in (*HIDDEN, *EXPECTED.spellings) if hidden in text]


def digests(text: str) -> list[str]:
    """What in a text is as long as a MAC. A log shows none."""
    return DIGEST.findall(text)


def told(document: Any) -> list[str]:
    """What a reply tells that it may not; as long as a MAC is but the digest of the body that came."""
    text = repr(document).replace("\\\\", "\\")
    if not isinstance(document, dict) or "code" not in document:
        return leaked(text)
    received = document.get("received", {}).get("sha256")
    return leaked(text) + [digest for digest in digests(text) if digest != received]


def check_error(error: BaseException | None) -> None:
    """Look at an error as Sentry sends it: its text, and the local variables of each frame of the package."""
    while error is not None:
        assert leaked("".join(traceback.format_exception_only(error))) == []
        for frame, line in traceback.walk_tb(error.__traceback__):
            file = frame.f_code.co_filename
            if file.startswith(PACKAGE) and file != VECTORS:
                for name, value in frame.f_locals.items():
                    place = f"{name} in {frame.f_code.co_name}, {file}, line {line}"
                    assert leaked(shown(value)) == [], place
        behind = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or behind


def shown(value: Any) -> str:
    """What a local variable is shown as. Of the package's own, each can be shown, half made too."""
    try:
        return repr(value)
    except (RecursionError, ValueError):  # of a value that holds itself, or of a very long number
        return ""


class Watch(logging.Handler):
    """Looks at each record of the package, with all that a formatter could write of it, its traceback too."""

    def __init__(self) -> None:
        super().__init__(level=logging.NOTSET)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record."""
        text = f"{record.getMessage()} {record.__dict__}"
        if leaked(text) or digests(text):
            self.found.append(f"{record.name}, {record.pathname}, line {record.lineno}")
        if record.exc_info and record.exc_info[1]:
            check_error(record.exc_info[1])

    def reply(self, reply: Reply) -> bytes:
        """What stands in for the writing of a reply: looks at it, and writes it."""
        if told(reply.document) or leaked(repr(reply)):
            self.found.append(f"a reply with status {reply.status}")
        return canonicalize(reply.document)
