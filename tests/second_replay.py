"""The second implementation: single use, written from SPEC.md §7 alone."""

from __future__ import annotations

from typing import Any

from second_json import Refused
from second_wire import gate


class Memory:
    """What a receiver remembers; one that forgets does so as soon as it may."""

    def __init__(self, born: int, forgets: bool) -> None:
        self.born, self.forgets, self.forgotten = born, forgets, 0
        self.claimed: set[tuple[str, int, str]] = set()

    def claim(self, triple: tuple[str, int, str], now: int, past: int, future: int) -> None:
        """Take a triple, or refuse it."""
        if self.born and triple[1] <= self.born + future:
            raise Refused("signed_before_start")
        if triple[1] <= self.forgotten:
            raise Refused("timestamp_forgotten")
        old = {one for one in self.claimed if self.forgets and now > one[1] + past}
        self.claimed -= old
        self.forgotten = max([self.forgotten, *(one[1] for one in old)])
        if triple in self.claimed:
            raise Refused("replayed")
        self.claimed.add(triple)


def played(vector: dict[str, Any], forgets: bool) -> list[str]:
    """What becomes of each request that a script sends."""
    memory, keys, words = Memory(vector["born"], forgets), vector["keys"], []
    for step in vector["steps"]:
        if step["do"] == "restart":
            memory = Memory(step["born"], forgets)
        elif step["do"] == "keys":
            keys = step["keys"]
        else:
            request = vector["requests"][step["request"]]
            said = {**vector, "keys": keys, "now": step["now"], "headers": request["headers"]}
            said |= {"max_body": 1_048_576, "accept_reserialized": False}
            now = int(step["now"].partition(".")[0])
            try:
                found = gate(said, bytes.fromhex(request["body"]))
                triple = (found["api_key_id"], int(found["timestamp"]), found["nonce"])
                memory.claim(triple, now, vector["past"], vector["future"])
                words.append("accepted")
            except Refused as fault:
                words.append(fault.reason)
    return words
