"""The second implementation: single use, written from SPEC.md §7 alone."""

from __future__ import annotations

from typing import Any

from second_json import Refused
from second_wire import clock, gate

Triple = tuple[Any, ...]


class Memory:
    """What a receiver remembers; one that forgets does so as soon as it may."""

    def __init__(self, born: int, forgets: bool) -> None:
        self.born, self.forgets, self.forgotten = born, forgets, 0
        self.claimed: dict[Triple, tuple[int, int]] = {}  # to timestamp, and when it was claimed

    def before_start(self, timestamp: int, future: int) -> bool:
        """Whether a request may have been accepted before this memory was made."""
        return bool(self.born and timestamp <= self.born + future)

    def may_forget(self, timestamp: int, claimed: int, now: str, past: int) -> bool:
        """Whether no such request would be taken any more."""
        return clock(now) > timestamp + past

    def forget(self, now: str, past: int) -> None:
        """Drop what may be forgotten, and remember that it was dropped."""
        old = [one for one, (time, claimed) in self.claimed.items() if self.may_forget(time, claimed, now, past)]
        for one in old if self.forgets else ():
            self.forgotten = max(self.forgotten, self.claimed.pop(one)[0])

    def claim(self, triple: Triple, timestamp: int, said: dict[str, Any]) -> None:
        """Take a triple, or refuse it."""
        if self.before_start(timestamp, said["future"]):
            raise Refused("signed_before_start")
        if timestamp <= self.forgotten:
            raise Refused("timestamp_forgotten")
        self.forget(said["now"], said["past"])
        if triple in self.claimed:
            raise Refused("replayed")
        self.claimed[triple] = (timestamp, clock(said["now"]))


def triple_of(found: dict[str, Any], body: bytes) -> Triple:
    """What is unique."""
    return found["api_key_id"], int(found["timestamp"]), found["nonce"]


def accepted(said: dict[str, Any], body: bytes, memory: Memory) -> str:
    """The gate, then the claim."""
    found = gate(said, body)
    memory.claim(triple_of(found, body), int(found["timestamp"]), said)
    return "accepted"


def rotated(memory: Memory) -> Memory:
    """New keys change nothing of what is remembered."""
    return memory


def played(vector: dict[str, Any], forgets: bool) -> list[str]:
    """What becomes of each request that a script sends."""
    memory, keys, words = Memory(vector["born"], forgets), vector["keys"], []
    for step in vector["steps"]:
        if step["do"] == "restart":
            memory = Memory(step["born"], forgets)
        elif step["do"] == "keys":
            keys, memory = step["keys"], rotated(memory)
        else:
            request = vector["requests"][step["request"]]
            said = {**vector, "keys": keys, "now": step["now"], "headers": request["headers"]}
            said |= {"max_body": 1_048_576, "accept_reserialized": False}
            try:
                words.append(accepted(said, bytes.fromhex(request["body"]), memory))
            except Refused as fault:
                words.append(fault.reason)
    return words
