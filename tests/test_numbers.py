"""Numbers as ECMAScript writes them, by the published stream of doubles."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import islice

import pytest
from number_stream import PUBLISHED, doubles
from second_json import number

from rp_signing.canonical import canonicalize

BATCH = 1000


def by_the_library(values: Sequence[float]) -> list[bytes]:
    """The values, written by the library, as the elements of one array."""
    return canonicalize(list(values))[1:-1].split(b",")


def by_the_second_implementation(values: Sequence[float]) -> list[bytes]:
    """The values, written by what makes the vectors."""
    return [number(value).encode() for value in values]


def digest(lines: int, write: Callable[[Sequence[float]], list[bytes]]) -> str:
    """The SHA-256 of the first lines of the stream."""
    stream, hashed = doubles(), hashlib.sha256()
    for _ in range(lines // BATCH):
        bits, values = zip(*islice(stream, BATCH), strict=True)
        for pattern, text in zip(bits, write(values), strict=True):
            hashed.update(b"%x,%b\n" % (pattern, text))
    return hashed.hexdigest()


def test_a_million_doubles_are_written_as_published() -> None:
    """The first 1,000,000 lines of RFC 8785's number stream have the published SHA-256."""
    assert digest(1_000_000, by_the_library) == PUBLISHED[1_000_000]


@pytest.mark.parametrize("lines", [1_000, 10_000])
def test_the_second_implementation_writes_them_too(lines: int) -> None:
    """What makes the vectors writes the stream as published, so it can judge the library."""
    assert digest(lines, by_the_second_implementation) == PUBLISHED[lines]


def test_a_double_alone_is_written_as_in_a_list() -> None:
    """A number is written alike at the top, in an array and in an object."""
    for _, value in islice(doubles(), 500):
        text = number(value).encode()
        assert canonicalize(value) == text
        assert canonicalize({"a": value}) == b'{"a":' + text + b"}"
