"""What a command that ran to its end has printed: nothing that `leaks.py` looks for, nor any key of its keys file.

`conftest.py` has every `subprocess.run` of the tests looked at by it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from leaks import HIDDEN, leaked

from rp_signing import VerificationError, Verifier
from rp_signing.cli.bytes import header_lines
from rp_signing.keyfile import load_keyring, read_document

MAIN = "from rp_signing.cli import main"


def check_printed(command: Any, done: subprocess.CompletedProcess[Any], cwd: Any = None, body: Any = None) -> None:
    """Look at what a command of ours printed, on both of its streams; at that of another, not.

    `sign` is there to print an api key and a MAC, `keys add` what it has just put into the file.
    """
    words = [str(command)] if isinstance(command, (str, Path)) else [str(word) for word in command]
    own = [place for place, word in enumerate(words[:3]) if word.startswith(MAIN) or Path(word).name == "rp-signing"]
    if not own:
        return
    asked = words[own[0] + 1 :]
    folder = Path(cwd or ".")
    options = {name: value for name, value in pairwise(asked) if name.startswith("--")}
    if "--headers" in options and isinstance(body, bytes):
        _expect(folder, options, body)
    text = "".join(stream if isinstance(stream, str) else stream.decode("latin-1") for stream in _streams(done))
    shown = leaked(text)
    if asked[:1] == ["sign"]:
        shown = [hidden for hidden in shown if hidden in HIDDEN and not hidden.startswith("rpx_")]
    elif asked[:2] != ["keys", "add"]:
        shown += [key for key in _keys_of(folder, options) if key in text]
    assert shown == [], f"{' '.join(asked)} has printed what nobody may see"


def _streams(done: subprocess.CompletedProcess[Any]) -> Iterable[Any]:
    return (stream for stream in (done.stdout, done.stderr) if stream)


def _expect(folder: Path, options: dict[str, str], body: bytes) -> None:
    """Judge the same request here, so that the MAC that was expected of it is looked for."""
    with suppress(VerificationError, ValueError, OSError):
        headers = header_lines((folder / options["--headers"]).read_bytes())
        now = float(options["--now"]) if "--now" in options else None
        Verifier(load_keyring(folder / options["--keys"]), nonces=None).check(headers, body, now)


def _keys_of(folder: Path, options: dict[str, str]) -> list[str]:
    """Give the api keys and the secrets of the keys file; none of one that is refused."""
    with suppress(KeyError, TypeError, ValueError, OSError):
        path = folder / options["--keys"]
        entries = [entry["api_key"] for entry in read_document(path)["api_keys"]]
        return entries + [secret.reveal() for entry in load_keyring(path) for secret in entry.secrets.values()]
    return []
