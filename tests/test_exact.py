"""The exact path: the definition that the fast one is held to. Most of its tests are those of `canonicalize`."""

import math

import pytest
from number_stream import doubles
from second_json import number

from rp_signing.exact import write_exactly, write_number


@pytest.mark.parametrize("sign", [1, -1])
def test_every_exponent_is_written_as_the_second_implementation_writes_it(sign: int) -> None:
    """One, three and seventeen digits, over all decimal exponents, agree with an independent writer."""
    for exponent in range(-324, 309):
        for digits in ("1", "1.25", "9.8765432109876543"):
            double = sign * float(f"{digits}e{exponent}")
            if math.isfinite(double):
                assert write_number(double) == number(double)


def test_numbers_of_the_published_stream_are_shortest() -> None:
    """A number of RFC 8785's published stream reads back as the same double, in no more digits than repr's."""
    for _, (_, double) in zip(range(5000), doubles(), strict=False):
        text = write_number(double)
        assert float(text) == double
        assert len(text.lstrip("-").replace(".", "").partition("e")[0].strip("0")) <= 17
        assert text == number(double)


def test_it_gives_bytes_in_utf8() -> None:
    """The result is bytes, as `canonicalize` gives them."""
    assert write_exactly({"é": [1.0, None, True]}) == '{"é":[1,null,true]}'.encode()
