"""The one spelling of each field that travels (SPEC §4).

Rule: each pattern stands here once. A text is matched whole: no spaces, no signs, no other digits than ASCII's, no line
feed at its end.
"""

from __future__ import annotations

import re
import string
from typing import TypeGuard

__all__ = [
    "API_KEY",
    "KEY_CHARACTERS",
    "KEY_ID",
    "MILLISECONDS",
    "NONCE",
    "SIGNATURE",
    "SIGNATURE_BEGIN",
    "TIMESTAMP",
    "Rule",
    "mac_of",
    "spell_mac",
]


SIGNATURE_BEGIN = "sha256="
"""What a signature begins with; the MAC in hex follows."""

KEY_CHARACTERS = (string.ascii_letters + string.digits + "_-").encode()
"""What an api key after its prefix, and a nonce, is made of (ASCII)."""


class Rule:
    """The grammar of one field.

    Attributes:
        pattern: a regular expression, for the whole text.
        shape: the same in words.
    """

    __slots__ = ("_fullmatch", "pattern", "shape")

    def __init__(self, pattern: str, shape: str) -> None:
        self.pattern: str = pattern
        self.shape: str = shape
        self._fullmatch = re.compile(pattern).fullmatch

    def matches(self, text: object) -> TypeGuard[str]:
        """Tell whether this is the field's one spelling."""
        return type(text) is str and self._fullmatch(text) is not None


API_KEY = Rule(r"rpx_(?:live|test)_[A-Za-z0-9_-]{4,120}", "rpx_live_ or rpx_test_ and 4 to 120 of A-Z a-z 0-9 _ -")
KEY_ID = Rule(r"[0-9a-f]{16}", "16 lower-case hex digits")
TIMESTAMP = Rule(r"[1-9][0-9]{9}", "ten digits, whole Unix seconds")
MILLISECONDS = Rule(r"[1-9][0-9]{12}", "thirteen digits")
NONCE = Rule(r"[A-Za-z0-9_-]{22,64}", "22 to 64 of A-Z a-z 0-9 _ -")
SIGNATURE = Rule(SIGNATURE_BEGIN + r"[0-9a-f]{64}", "sha256= and 64 lower-case hex digits")


def mac_of(signature: object) -> bytes | None:
    """Give the 32 bytes of a signature, or None for what is none."""
    if type(signature) is str and SIGNATURE.matches(signature):
        return bytes.fromhex(signature[len(SIGNATURE_BEGIN) :])
    return None


def spell_mac(mac: bytes) -> str:
    """Write a MAC (32 bytes) as a signature."""
    return SIGNATURE_BEGIN + mac.hex()
