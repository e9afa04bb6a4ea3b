"""One store under trial: a place, a clock and claims of its own; and a store that cannot be reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parties import BODY, KEYS, Clock, signer
from spec_page import API_KEY, SECRET
from store_kinds import Kind

from rp_signing import Claim, Keyring, Verifier
from rp_signing.replay import Window


class Down:
    """A store that cannot be reached."""

    def claim(self, *_: Any) -> Any:
        """Fail."""
        raise ConnectionRefusedError("the store is down")

    async def aclaim(self, *_: Any) -> Any:
        """Fail."""
        raise ConnectionRefusedError("the store is down")

    release, arelease = claim, aclaim


class Trial:
    """One kind of store in a place of its own, with a clock that starts where its kind says.

    Times are seconds from that start, so that each test reads the same for every kind. The window is 30 seconds back
    and 20 ahead: small enough that both its edges are in the reach of a store with a clock of its own.
    """

    past, future = 30, 20

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.now = kind.now()
        self.place = kind.place()
        self.opened: list[Any] = []

    def open(self, born: float | None = 0, **bounds: int) -> Any:
        """A store; `born` in Unix seconds, 0: nothing was accepted earlier, None: now."""
        self.opened.append(self.kind.open(self.place, born, Window(self.past, self.future), **bounds))
        return self.opened[-1]

    def close(self) -> None:
        """Close every store that was opened, and leave the place."""
        for store in self.opened:
            self.kind.close(store)
        self.kind.leave(self.place)

    def clock(self, offset: float = 0) -> Clock:
        """A clock that stands there."""
        return Clock(self.now + offset)

    def claim(self, offset: int = 0, nonce: str = "n" * 22, *, api_key_id: str = "a" * 16, past: int = past) -> Claim:
        """A claim as the gate makes it, of a request that was signed there."""
        rest = (2, "d" * 64, "k" * 16, "sha256=" + "0" * 64, False, False, self.kind.window(past, self.future))
        return Claim(api_key_id, None, self.now + offset, nonce, *rest)

    def gate(self, clock: Callable[[], float], store: Any) -> Verifier:
        """A receiver."""
        keyring = Keyring.of(KEYS)
        return self.kind.gate(keyring, nonces=store, past=self.past, future=self.future, clock=clock)

    def sign(self, offset: int = 0, secret: str = SECRET, api_key: str = API_KEY) -> dict[str, str]:
        """The headers of `BODY`, signed there; the nonce is the same in each."""
        return signer(self.clock(offset), secret, api_key).sign(BODY)
