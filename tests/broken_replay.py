"""Bugs of single use: SPEC.md §7 and step 11 of §6.1."""

from __future__ import annotations

import base64
from typing import Any

from broken_bug import Bugs
from second_json import Refused
from second_replay import Memory, Triple, accepted, triple_of
from second_wire import api_key_id, clock, fields, gate, window

BUGS = Bugs()
Said = dict[str, Any]
Found = dict[str, Any]
before_start, claim = Memory.before_start, Memory.claim


def wrong_triple(flag: str, made: Any) -> None:
    """A bug of what is unique."""
    BUGS.put(flag, "replay", triple_of=lambda found, body: made(*triple_of(found, body), found, body))


wrong_triple("nonce-scoped-by-key-id", lambda api, time, nonce, found, body: (found["key_id"], time, nonce))
wrong_triple("nonce-scoped-by-body", lambda api, time, nonce, found, body: (api, time, nonce, body))
wrong_triple("nonce-scoped-too-widely.api-key", lambda api, time, nonce, found, body: (time, nonce))
wrong_triple("nonce-scoped-too-widely.time", lambda api, time, nonce, found, body: (api, nonce))
wrong_triple("nonce-scoped-too-widely.time-alone", lambda api, time, nonce, found, body: (api, time))
wrong_triple("nonce-cut", lambda api, time, nonce, found, body: (api, time, nonce[:22]))
wrong_triple("nonce-folded", lambda api, time, nonce, found, body: (api, time, nonce.lower()))
wrong_triple("nonce-folded.signs", lambda api, time, nonce, found, body: (api, time, nonce.replace("_", "-")))
wrong_triple(
    "nonce-decoded",
    lambda api, time, nonce, found, body: (api, time, base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))),
)


@BUGS.piece("Memory.claim", "nonce-not-kept", "replay")
def never_kept(self: Memory, triple: Triple, timestamp: int, said: Said) -> None:
    """Nonces are for senders."""
    claim(Memory(self.born, False), triple, timestamp, said)


@BUGS.piece("Memory.claim", "nonce-not-kept.few", "replay")
def few_kept(self: Memory, triple: Triple, timestamp: int, said: Said) -> None:
    """The last ten are kept, and that is plenty."""
    claim(self, triple, timestamp, said)
    while len(self.claimed) > 10:
        del self.claimed[next(iter(self.claimed))]


BUGS.put("nonce-not-kept.rotation", "replay", rotated=lambda memory: Memory(memory.born, memory.forgets))


def silent(self: Memory, now: str, past: int) -> None:
    """What is dropped is not remembered to be dropped."""
    self.claimed = {
        one: (time, claimed)
        for one, (time, claimed) in self.claimed.items()
        if not self.may_forget(time, claimed, now, past)
    }


BUGS.put("forgotten-accepted", "replay", **{"Memory.forget": silent})
for _name in ("forgets-early", "forgets-early.in-last-second", "forgets-early.half", "forgets-counted-from-claim"):
    BUGS.put(_name, "replay", **{"Memory.forget": silent})


@BUGS.piece("Memory.may_forget", "forgets-early", "replay")
def a_second_early(self: Memory, timestamp: int, claimed: int, now: str, past: int) -> bool:
    """In the second timestamp + past nobody will come any more."""
    return clock(now) >= timestamp + past


@BUGS.piece("Memory.may_forget", "forgets-early.in-last-second", "replay")
def in_the_last_second(self: Memory, timestamp: int, claimed: int, now: str, past: int) -> bool:
    """The memory's clock has fractions, the window's has none."""
    return float(now) > timestamp + past


@BUGS.piece("Memory.may_forget", "forgets-early.half", "replay")
def after_a_while(self: Memory, timestamp: int, claimed: int, now: str, past: int) -> bool:
    """A minute is long enough for everybody."""
    return clock(now) > claimed + 60


@BUGS.piece("Memory.may_forget", "forgets-counted-from-claim", "replay")
def from_the_claim(self: Memory, timestamp: int, claimed: int, now: str, past: int) -> bool:
    """A key that lives as long as the window, from when it was set."""
    return clock(now) > claimed + past


@BUGS.piece("Memory.forget", "forgotten-too-strict", "replay")
def up_to_now(self: Memory, now: str, past: int) -> None:
    """What was forgotten is all that came before this second."""
    before = len(self.claimed)
    silent(self, now, past)
    if len(self.claimed) < before:
        self.forgotten = clock(now) - 1


@BUGS.piece("Memory.before_start", "restart-forgets", "replay")
def no_start(self: Memory, timestamp: int, future: int) -> bool:
    """A memory that is new knows all there is."""
    return False


@BUGS.piece("Memory.before_start", "restart-forgets-future", "replay")
def only_the_past(self: Memory, timestamp: int, future: int) -> bool:
    """What is dated after the restart was signed after it."""
    return bool(self.born and timestamp <= self.born)


@BUGS.piece("Memory.before_start", "restart-off-by-one", "replay")
def below(self: Memory, timestamp: int, future: int) -> bool:
    """The second itself is taken."""
    return bool(self.born and timestamp < self.born + future)


@BUGS.piece("Memory.before_start", "restart-off-by-one.late", "replay")
def above(self: Memory, timestamp: int, future: int) -> bool:
    """A second more, to be sure."""
    return bool(self.born and timestamp <= self.born + future + 1)


@BUGS.piece("Memory.claim", "restart-too-strict", "replay")
def always_born(self: Memory, triple: Triple, timestamp: int, said: Said) -> None:
    """0 is a time at which nobody was born, so now is taken."""
    self.born = self.born or clock(said["now"])
    claim(self, triple, timestamp, said)


def claimed_by(found: Found, said: Said, body: bytes, memory: Memory) -> None:
    """Use the nonce up, before it is time."""
    triple = triple_of({"api_key_id": api_key_id(found["api_key"]), **found}, body)
    memory.claim(triple, int(found["timestamp"]), said)


@BUGS.piece("accepted", "claims-before-mac", "replay")
def nonce_before_mac(said: Said, body: bytes, memory: Memory) -> str:
    """A nonce that was seen is refused first: that is cheap."""
    found = fields(said["headers"])
    window(said, int(found["timestamp"]))
    claimed_by(found, said, body, memory)
    gate(said, body)
    return "accepted"


@BUGS.piece("accepted", "claims-before-parse", "replay")
def nonce_before_parse(said: Said, body: bytes, memory: Memory) -> str:
    """The middleware claims, the handler parses."""
    try:
        return accepted(said, body, memory)
    except Refused as fault:
        if fault.reason.startswith("payload_"):
            claimed_by(fields(said["headers"]), said, body, memory)
        raise


@BUGS.piece("accepted", "claims-before-window", "replay")
def nonce_before_past(said: Said, body: bytes, memory: Memory) -> str:
    """The nonce is used up by what is too old."""
    return claiming("timestamp_expired", said, body, memory)


@BUGS.piece("accepted", "nonce-before-window", "replay")
def nonce_before_future(said: Said, body: bytes, memory: Memory) -> str:
    """The nonce is used up by what is too early."""
    return claiming("timestamp_future", said, body, memory)


def claiming(reason: str, said: Said, body: bytes, memory: Memory) -> str:
    """What is refused for this reason has used its nonce up."""
    try:
        return accepted(said, body, memory)
    except Refused as fault:
        if fault.reason == reason:
            claimed_by(fields(said["headers"]), said, body, memory)
        raise


@BUGS.piece("accepted", "order-of-checks.start-first", "replay")
def start_first(said: Said, body: bytes, memory: Memory) -> str:
    """Whether it may have been accepted before is asked before the MAC."""
    found = fields(said["headers"])
    if before_start(memory, int(found["timestamp"]), said["future"]):
        raise Refused("signed_before_start")
    return accepted(said, body, memory)
