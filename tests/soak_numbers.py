"""RFC 8785's number stream, to its published end."""

import hashlib
import struct
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context

from number_stream import PUBLISHED, doubles
from soak_part import Advance, Part, Row

from rp_signing.canonical import canonicalize

BLOCK = 10_000


def lines(packed: bytes) -> bytes:
    """The lines of a block of doubles, ``<hex of the bits>,<the number written>``."""
    count = len(packed) // 8
    texts = canonicalize(list(struct.unpack(f">{count}d", packed)))[1:-1].split(b",")
    return b"".join(map(b"%x,%b\n".__mod__, zip(struct.unpack(f">{count}Q", packed), texts, strict=True)))


def blocks(count: int) -> Iterator[bytes]:
    """The first doubles of the stream, packed."""
    stream = (bits for bits, _ in doubles())
    for _ in range(count // BLOCK):
        yield struct.pack(f">{BLOCK}Q", *islice(stream, BLOCK))


def run(count: int, advance: Advance) -> list[Row]:
    """Write so many lines, in two processes, and hash them in their order; a row for each length that is published."""
    rows, hashed, written = [], hashlib.sha256(), 0
    source = blocks(count)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as writers:
        # A few hundred blocks at a time: all of them at once would be gigabytes.
        while some := list(islice(source, 200)):
            for text in writers.map(lines, some):
                hashed.update(text)
                written += BLOCK
                advance(BLOCK)
                if written in PUBLISHED:
                    wanted, seen = PUBLISHED[written], hashed.copy().hexdigest()
                    work = f"{written:,} lines of the number stream"
                    rows.append(Row(work, f"SHA-256 {wanted}", seen, seen == wanted))
    return rows


PARTS = [
    Part("numbers", "every double is written as ECMAScript writes it", 100_000_000, 10_000, run, "lines"),
]
