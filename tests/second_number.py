"""The second implementation: numbers as ECMAScript writes them, from SPEC.md [CAN-5] and [CAN-6] alone."""

from __future__ import annotations

import struct

WIDEST, SMALLEST = 21, -6


def double(bits: str) -> float:
    """The double of 16 hex digits."""
    return float(struct.unpack(">d", bytes.fromhex(bits))[0])


def zero(value: float) -> str:
    """Either zero."""
    return "0"


def shortest(value: float) -> str:
    """The fewest digits that read back, in whatever notation."""
    return repr(value)


def number(value: float) -> str:
    """ECMAScript's Number::toString, from the shortest digits."""
    if value == 0:
        return zero(value)
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = shortest(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    significant = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(significant))
    digits = significant.rstrip("0")
    if len(digits) <= point <= WIDEST:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= WIDEST:
        return sign + digits[:point] + "." + digits[point:]
    if SMALLEST < point <= 0:
        return sign + "0." + "0" * -point + digits
    tail = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
