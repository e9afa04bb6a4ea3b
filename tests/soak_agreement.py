"""Node and Python write the same bytes: of documents of every kind, and of doubles of every size."""

from __future__ import annotations

import json
import math
import struct
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from documents import Maker
from node import CANONICALISER, node
from soak_part import Advance, Part, Row

from rp_signing.canonical import canonicalize

SEED = 8785
AHEAD = 4
"""Blocks that wait for Node while Python makes the next one."""
Ask = Callable[[str, bytes], bytes]


class Kind(NamedTuple):
    """A kind of value that is compared.

    Attributes:
        letter: what agreement.mjs calls it.
        block: how many are sent at a time.
        packed: the values as bytes for Node.
        written: what Python makes of them.
    """

    letter: str
    block: int
    packed: Callable[[Sequence[Any]], bytes]
    written: Callable[[Sequence[Any]], bytes]


def lines(values: Sequence[object]) -> bytes:
    """Each as JSON that is not canonical, on a line; every other one is ASCII alone."""
    return b"".join(json.dumps(value, ensure_ascii=turn % 2 == 0).encode() + b"\n" for turn, value in enumerate(values))


def forms(values: Sequence[object]) -> bytes:
    """The canonical forms, each on a line: none holds a line feed."""
    return b"".join(canonicalize(value) + b"\n" for value in values)


TEXTS = Kind("t", 1000, lines, forms)
NUMBERS = Kind("d", 20_000, lambda values: struct.pack(f"<{len(values)}d", *values), canonicalize)


@contextmanager
def asking() -> Iterator[Ask]:
    """Run agreement.mjs; gives what sends it a block and waits for the answer."""
    script = Path(__file__).with_name("agreement.mjs")
    command = [node(), str(script), str(CANONICALISER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout

        def ask(letter: str, packed: bytes) -> bytes:
            process.stdin.write(b"%b%010d%b" % (letter.encode(), len(packed), packed))
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer:
                raise EOFError("agreement.mjs ended; what it said is above")
            return bytes.fromhex(answer.decode())

        yield ask


def first_difference(ask: Ask, kind: Kind, values: Sequence[object]) -> str:
    """Of a block that differs, the first value that does, and what each makes of it."""
    for value in values:
        theirs, ours = ask(kind.letter.upper(), kind.packed([value])), kind.written([value])
        if theirs != ours:
            return f"{value!r}: Node {theirs!r}, Python {ours!r}"
    return "a block that differs, of values that do not"


def in_blocks(ask: Ask, kind: Kind, values: Iterable[object]) -> Iterator[tuple[list[object], bool]]:
    """The values by blocks, and whether both wrote the same; Node and Python work side by side."""
    source = iter(values)
    waiting: deque[tuple[list[object], Future[bytes], bytes]] = deque()
    with ThreadPoolExecutor(1) as sender:
        while block := list(islice(source, kind.block)):
            theirs = sender.submit(ask, kind.letter, kind.packed(block))
            waiting.append((block, theirs, sha256(kind.written(block)).digest()))
            if len(waiting) > AHEAD:
                sent, answer, ours = waiting.popleft()
                yield sent, answer.result() == ours
        for sent, answer, ours in waiting:
            yield sent, answer.result() == ours


def compare(kind: Kind, what: str, values: Iterable[object], count: int, advance: Advance) -> Row:
    """Compare so many; the first difference ends it."""
    work = f"{count:,} {what}, written by Node and by Python"
    with asking() as ask:
        for block, agreed in in_blocks(ask, kind, islice(values, count)):
            if not agreed:
                return Row(work, "the same bytes", first_difference(ask, kind, block), held=False)
            advance(len(block))
    return Row(work, "the same bytes", "the same bytes", held=True)


def edges() -> Iterator[float]:
    """Where the spelling changes, or the shortest digits are hard to find: powers of 2 and 10, and their neighbours."""
    powers = [math.ldexp(1, exponent) for exponent in range(-1074, 1024)]
    powers += [float(f"1e{exponent}") for exponent in range(-324, 309)]
    for power in powers:
        for value in (math.nextafter(power, 0), power, math.nextafter(power, math.inf)):
            yield from (value for value in (value, -value) if math.isfinite(value))


# From any high byte of a double to one between 2^-31 and 2^81, of the same sign. Most of these are written without an
# exponent; of random bits one in twenty is.
COMMON = bytes((0x3E + high % 7) | (high & 0x80) for high in range(256))


def doubles() -> Iterator[float]:
    """The edges, then doubles of random bits without end; the exponent of every fourth one is a common one."""
    yield from edges()
    random = Random(SEED)
    while True:
        packed = bytearray(random.randbytes(8 * NUMBERS.block))
        packed[7::32] = packed[7::32].translate(COMMON)
        yield from filter(math.isfinite, struct.unpack(f"<{NUMBERS.block}d", packed))


def compare_documents(count: int, advance: Advance) -> list[Row]:
    """Documents from a seed."""
    return [compare(TEXTS, "documents", Maker(SEED).documents(), count, advance)]


def compare_doubles(count: int, advance: Advance) -> list[Row]:
    """Doubles from a seed."""
    return [compare(NUMBERS, "doubles", doubles(), count, advance)]


PARTS = [
    Part("agreement", "Node and Python write the same bytes", 1_000_000, 2_000, compare_documents, "documents"),
    Part("doubles", "Node and Python write the same numbers", 10_000_000, 20_000, compare_doubles, "doubles"),
]
