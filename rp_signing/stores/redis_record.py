"""The records of a Redis store, one beside the nonces of each hash tag: when it was born, and the window (SPEC WIN-6).

Each is made where it is missing, and never again. When a cluster has lost some of them, `born` does not count: the
record of the first tag says `whole` once all have been made, and what is missing after that was lost.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from math import floor
from typing import Any, NamedTuple

from ..errors import StoreError
from ..replay import Window
from .redis_claim import Places, said
from .redis_link import Node, Steps
from .redis_script import APART, MAKE, MARGIN, RAISE, TAGS, TRUST, Script

__all__ = ["Records"]

OLDEST = (6, 2)
"""The first version of Redis that this is for; Valkey calls itself 7.2 or newer."""

_FIELDS = ("born", "past", "future", "whole", "due", "past2", "future2", "top", "through")


class _Record(NamedTuple):
    """What one record says, Unix seconds and seconds; None where it does not."""

    born: int | None
    past: int | None
    future: int | None
    whole: int | None
    due: int | None
    past2: int | None
    future2: int | None
    top: int | None = None
    through: int | None = None


class Records:
    """Makes, reads and changes the records.

    Args:
        places: where the tags are.
        born: Unix seconds for a store that has to be made; None: now.
        window: what this verifier takes.
        replicas: how many have to acknowledge a claim.
    """

    def __init__(self, places: Places, born: float | None, window: Window, replicas: int) -> None:
        self._places = places
        self._born = "" if born is None else floor(born)
        self._window = window
        self._replicas = replicas

    def open(self) -> Steps[None]:
        """Look at the servers, make what is missing, and hold the recorded window against this verifier's.

        Raises:
            StoreError: a server cannot be used, or the recorded window is smaller.
        """
        yield from self._places.find()
        for node, facts in (yield from self._facts()).items():
            _judge(node, facts)
        yield from self._make((yield from self._read()))
        for record in (yield from self._read()):
            if self._window.past > (record.past or 0) or self._window.future > (record.future or 0):
                raise StoreError(
                    f"this verifier takes {_words(self._window)}, but the store remembers for"
                    f" {_words(record)}{_pending(record)}; raise_window changes that"
                )

    def raise_window(self, window: Window) -> Steps[int]:
        """Raise the recorded window; gives the Unix second, by the server's clock, from which on it is in force."""
        records = [_Record(*told) for told in (yield from self._run(RAISE, *window))]
        return max(record.due or 0 for record in records)

    def trust_clock(self) -> Steps[None]:
        """Refuse what could have been taken until now, instead of what a clock that ran ahead made doubtful."""
        yield from self._run(TRUST)

    def count(self) -> Steps[int]:
        """Count the nonces, by looking at every key of every server."""
        names: set[bytes] = set()
        for node in self._places.primaries:
            cursor: Any = 0
            while True:
                scan = ("SCAN", cursor, "MATCH", self._places.keys.pattern, "COUNT", 1000)
                told = _good((yield {node: lambda scan=scan: [scan]})[node])[0]  # type: ignore[misc]
                cursor, found = told
                names.update(found)
                if cursor == b"0":
                    break
        return len(names)

    def examine(self) -> Steps[list[str]]:
        """Say what would be lost, and when; a sentence each."""
        records = yield from self._read()
        there = [record for record in records if record.born is not None]
        sentences = []
        if len(there) < TAGS:
            lost = f"{TAGS - len(there)} of {TAGS} records are gone, and the nonces beside them"
            sentences.append(f"{lost}; each is made anew by the next claim, which it refuses.")
        if there:
            first = min(there, key=lambda record: (record.past or 0, record.future or 0))
            life = (first.past or 0) + (first.future or 0) + MARGIN
            kept = f"a nonce is kept for {life:,} s after its claim"
            sentences.append(f"The window is {_words(first)}{_pending(first)}; {kept}.")
            sentences += _doubt(there)
        for node, facts in (yield from self._facts()).items():
            name = "The server" if node is None else f"{node[0]}:{node[1]}"
            sentences += [f"{name} {fault}" for fault in _faults(facts, self._replicas)]
        return sentences

    def _make(self, records: list[_Record]) -> Steps[None]:
        there = [record.born is not None for record in records]
        if all(there) and records[0].whole:
            return
        lost = any(there) and not there[0]
        born: int | str | None = "" if lost else self._born
        first = _Record(*(yield from self._run(MAKE, born, *self._window, "1" if lost else "", tags=[0]))[0])
        # Another verifier that has begun to make the store, and is not yet done, has said when it was born.
        born = "" if first.whole else first.born
        yield from self._run(MAKE, born, *self._window, "", tags=range(1, TAGS))
        yield from self._run(MAKE, born, *self._window, "1", tags=[0])

    def _read(self) -> Steps[list[_Record]]:
        told = yield from self._each(lambda tag: ("HMGET", tag, *_FIELDS))
        return [_Record(*(None if value is None else int(value) for value in record)) for record in told]

    def _run(self, script: Script, *values: Any, tags: Any = range(TAGS)) -> Steps[list[Any]]:
        told = yield from self._each(lambda tag: script.call((tag,), *values), tags, script.load)
        return [[None if value is None else int(value) for value in one] for one in told]

    def _each(
        self, command: Callable[[bytes], tuple[Any, ...]], tags: Any = range(TAGS), *first: tuple[Any, ...]
    ) -> Steps[list[Any]]:
        """Send one command for each tag; gives the answers in their order."""
        numbers: dict[Node, list[int]] = defaultdict(list)
        for number in tags:
            numbers[self._places.of_tag[number]].append(number)
        names = self._places.keys.tags
        answers = yield {
            node: partial(lambda those: [*first, *(command(names[n]) for n in those)], those)
            for node, those in numbers.items()
        }
        told: dict[int, Any] = {}
        for node, those in numbers.items():
            told |= zip(those, _good(answers[node])[len(first) :], strict=True)
        return [told[number] for number in tags]

    def _facts(self) -> Steps[dict[Node, dict[str, str]]]:
        """Read what the servers say of themselves."""
        sent = time.monotonic()
        answers = yield {
            node: lambda: [("TIME",), ("INFO",), ("CONFIG", "GET", "appendfsync")] for node in self._places.primaries
        }
        received, now = time.monotonic(), time.time()
        facts = {}
        for node, answer in answers.items():
            if not isinstance(answer, list) or isinstance(answer[1], Exception):
                raise StoreError(f"no nonce store: {said(answer[1] if isinstance(answer, list) else answer)}")
            clock = int(answer[0][0]) * 1_000_000 + int(answer[0][1])
            self._places.learn(node, clock, sent, received)
            lines = (line.partition(":") for line in answer[1].decode(errors="replace").splitlines())
            facts[node] = {name: value for name, colon, value in lines if colon}
            facts[node]["seconds ahead"] = str(round(clock / 1_000_000 - now))
            known = isinstance(answer[2], list) and answer[2]  # a hosted server may not tell
            facts[node]["appendfsync"] = answer[2][1].decode() if known else ""
        return facts


def _judge(node: Node, facts: dict[str, str]) -> None:
    """Refuse a server that cannot keep a promise.

    Raises:
        StoreError: it is too old, evicts, or is a replica.
    """
    name = "the server" if node is None else f"{node[0]}:{node[1]}"
    version = facts.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST:
        raise StoreError(f"no nonce store: {name} is Redis {version}, and 6.2 or Valkey is needed")
    if facts.get("role", "master") != "master":
        raise StoreError(f"no nonce store: {name} is a replica")
    if _evicts(facts):
        raise StoreError(f"no nonce store: {name} {_EVICTS.format(facts['maxmemory_policy'])}")


def _doubt(records: list[_Record]) -> list[str]:
    """Say what is refused because a clock ran ahead."""
    through = max(max(r.through or 0, (r.top or 0) - (r.past or 0) - APART - 1) for r in records)
    if through <= time.time() - min(r.past or 0 for r in records):
        return []
    return [
        f"Requests dated up to {through} are refused, because the server's clock had run ahead and could have dropped"
        " their nonces; trust_clock() ends that, once the clock is right."
    ]


def _faults(facts: dict[str, str], replicas: int) -> list[str]:
    """Give what is to be said of one server, each to follow on its name."""
    faults = []
    if _evicts(facts):
        faults.append(_EVICTS.format(facts["maxmemory_policy"]) + ".")
    if int(facts.get("evicted_keys", 0)):
        faults.append(f"has evicted {int(facts['evicted_keys']):,} keys since it started: nonces can be among them.")
    if facts.get("aof_enabled") == "0":
        faults.append("has appendonly no: killed, it forgets every nonce since its last snapshot, and takes copies.")
    elif facts["appendfsync"] != "always":
        faults.append(
            f"has appendfsync {facts['appendfsync'] or 'unknown'}: if its machine fails, or it is killed while the disk"
            " lags, the nonces of the last two seconds can be lost; always loses none."
        )
    connected = int(facts.get("connected_slaves", 0))
    if connected and not replicas:
        faults.append(
            "has replicas, but claims do not wait for them: a failover loses what they lag behind; replicas=1."
        )
    if connected < replicas:
        faults.append(f"has {connected} replicas, and {replicas} have to acknowledge: claims are refused.")
    ahead = int(facts["seconds ahead"])
    if abs(ahead) > APART / 12:
        faults.append(
            f"has a clock {abs(ahead):,} s {'ahead' if ahead > 0 else 'behind'}; beyond {APART} s it refuses."
        )
    return faults


_EVICTS = "has maxmemory-policy {}: when it is full it drops live nonces, and takes their copies; set noeviction"


def _evicts(facts: dict[str, str]) -> bool:
    return facts.get("maxmemory", "0") != "0" and facts.get("maxmemory_policy", "noeviction") != "noeviction"


def _good(answer: list[Any] | Exception) -> list[Any]:
    """Give the answers of one server when all are good.

    Raises:
        StoreError: one is not.
    """
    fault = next((one for one in answer if isinstance(one, Exception)), None) if isinstance(answer, list) else answer
    if fault is not None:
        raise StoreError(f"the nonce store cannot be used: {said(fault)}")
    return answer  # type: ignore[return-value]


def _words(window: Window | _Record) -> str:
    return f"{window.past:,} s back and {window.future:,} s ahead"


def _pending(record: _Record) -> str:
    if not record.due:
        return ""
    return f" ({record.past2:,} s back and {record.future2:,} s ahead from {record.due} on)"
