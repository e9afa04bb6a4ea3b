"""A running `serve --dev`, and a sender that took its keys from what it printed."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from served import Answer, ask
from serving_process import COMMAND, Served

from rp_signing import Signer, canonicalize, sign_event

EVENT = {"type": "track", "messageId": "m-1", "userId": "[bold]user", "event": "Order Completed"}


class Developing:
    """A running `serve --dev`, and a sender that took its keys from what it printed."""

    def __init__(self, served: Served) -> None:
        self.served = served
        said = "".join(served.log)
        self.api_key, self.secret = re.findall(r"export RETAINPIXEL_(?:API_KEY|HMAC_SECRET)=(\S+)", said)

    def send(self, body: bytes, signed: bytes | None = None, route: str = "track") -> Answer:
        """Send a body, signed as another one where that is given."""
        headers = Signer(api_key=self.api_key, secret=self.secret).sign(body if signed is None else signed)
        return ask(f"{self.served.url}/v1/{route}", body, headers | {"Content-Type": "application/json"})

    def event(self, **members: str) -> bytes:
        """The canonical form of a signed event."""
        return canonicalize(sign_event({**EVENT, **members}, api_key=self.api_key, secret=self.secret))


@contextmanager
def developing(*options: str) -> Iterator[Developing]:
    """Run it without a keys file, and end it with Ctrl-C's signal."""
    command = [*COMMAND, "serve", "--dev", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            served = Served(process)
            served.wait_for("python -c")
            yield Developing(served)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
