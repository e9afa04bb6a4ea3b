"""Headers as they came, read leniently: what is wrong with their spelling, and what they were meant to say."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from .. import grammar, wire
from ..errors import Reason, VerificationError
from .causes import Cause, cause

__all__ = ["Reading", "pairs_of"]

_NAMES = (
    wire.API_KEY, wire.KEY_ID, wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE, wire.CONTENT_TYPE, wire.CONTENT_ENCODING,
)  # fmt: skip
_KNOWN = {name.lower(): name for name in _NAMES}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[0-9T:+. Z-]{0,24}|[A-Z][a-z]{2}, [0-9A-Za-z: ]{10,25}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{43}=?")


def pairs_of(headers: Any) -> list[tuple[Any, Any]]:
    """Give headers as a list, so that they can be read more than once."""
    try:
        return list(headers.items() if isinstance(headers, Mapping) else headers)
    except TypeError:
        raise TypeError("headers must be a mapping or (name, value) pairs of str or bytes") from None


class Reading:
    """What a request's headers were meant to say. Its repr shows no value.

    Attributes:
        slips: the mistakes in their spelling, in the order in which they were found.
        api_key: the text, or None.
        key_id: 16 hex digits, or None.
        timestamps: the texts that may have been signed, the one that came first; ten digits where it can be.
        seconds: the timestamp as a number, or None.
        nonce: the text, or None.
        mac: 32 bytes, or None where none can be read.
        key_id_lost: True where one was sent and cannot be read.
        zipped: True where the headers say that the body is compressed.
    """

    def __init__(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self.slips: list[Cause] = []
        self.zipped: bool = False
        self.key_id_lost: bool = False
        self._found: dict[str, str] = {}
        for name, value in pairs:
            self._take(_text(name), _text(value))
        self._look_at_content()
        self.api_key: str | None = self._read_api_key()
        self.key_id: str | None = self._read_key_id()
        self.timestamps: tuple[str, ...] = self._read_timestamp()
        last = self.timestamps[-1] if self.timestamps else ""
        self.seconds: int | None = int(last) if last.isdecimal() else None
        self.nonce: str | None = self._read_nonce()
        self.mac: bytes | None = self._read_mac()
        self._look_for_missing()

    def _slip(self, slip: str, /, **shown: object) -> None:
        # The same slip in two headers is one mistake, made in one place.
        if all(known.cause != slip for known in self.slips):
            self.slips.append(cause(slip, **shown))

    def _take(self, name: str, value: str) -> None:
        known = _KNOWN.get(name.lower().replace("_", "-"))
        if known is None:
            return
        if "_" in name:
            self._slip("header_underscores", name=known)
        if known in self._found:
            self._slip("header_duplicate", name=known)
            return
        if known in (wire.CONTENT_TYPE, wire.CONTENT_ENCODING):
            self._found[known] = value
            return
        if value != value.strip():
            self._slip("header_white_space", name=known)
            value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            self._slip("header_quoted", name=known)
            value = value[1:-1]
        first, comma, second = value.partition(",")
        if comma and first.strip() == second.strip():
            self._slip("header_folded", name=known)
            value = first.strip()
        self._found[known] = value

    def _look_at_content(self) -> None:
        encoding = self._found.get(wire.CONTENT_ENCODING, "identity").strip().lower()
        if encoding in ("gzip", "x-gzip", "deflate"):
            self.zipped = True
        elif encoding != "identity":
            self._slip("content_encoding", name=wire.CONTENT_ENCODING)
        media_type = self._found.get(wire.CONTENT_TYPE)
        if media_type is not None and _is_refused(media_type):
            form = media_type.lower().startswith("application/x-www-form-urlencoded")
            hint = "; curl sends a form unless it is told" if form else ", with charset utf-8 or none"
            self._slip("media_type", name=wire.CONTENT_TYPE, wanted=wire.MEDIA_TYPE, hint=hint)

    def _read_api_key(self) -> str | None:
        text = self._found.get(wire.API_KEY)
        if text is None or grammar.API_KEY.matches(text):
            return text
        if text.startswith("rps_"):
            self._slip("secret_as_api_key")
            return None
        if text.lower().startswith("bearer ") and grammar.API_KEY.matches(text[7:].strip()):
            self._slip("api_key_bearer")
            return text[7:].strip()
        self._slip("header_malformed", name=wire.API_KEY, shape=grammar.API_KEY.shape)
        return None

    def _read_key_id(self) -> str | None:
        text = self._found.get(wire.KEY_ID)
        if text is None or grammar.KEY_ID.matches(text):
            return text
        lower = text.lower()
        if re.fullmatch(r"[0-9a-f]{16}", lower):
            self._slip("key_id_uppercase")
            return lower
        if re.fullmatch(r"[0-9a-f]{64}", lower):
            self._slip("key_id_uncut")
            return lower[:16]
        self._slip("header_malformed", name=wire.KEY_ID, shape=grammar.KEY_ID.shape)
        self.key_id_lost = True
        return None

    def _read_timestamp(self) -> tuple[str, ...]:
        text = self._found.get(wire.TIMESTAMP)
        if text is None or grammar.TIMESTAMP.matches(text):
            return () if text is None else (text,)
        if grammar.MILLISECONDS.matches(text):
            self._slip("timestamp_milliseconds")
            return text, text[:10]
        if re.fullmatch(r"[1-9][0-9]{15}|[1-9][0-9]{18}", text):
            self._slip("timestamp_microseconds")
            return text, text[:10]
        if re.fullmatch(r"[1-9][0-9]{9}\.[0-9]{1,9}", text):
            self._slip("timestamp_rendered", shape=text)
            return text, text[:10]
        if _DATE.fullmatch(text):
            self._slip("timestamp_rendered", shape="a date")
            return (text,)
        self._slip("header_malformed", name=wire.TIMESTAMP, shape=grammar.TIMESTAMP.shape)
        return ()

    def _read_nonce(self) -> str | None:
        text = self._found.get(wire.NONCE)
        if text is not None and not grammar.NONCE.matches(text):
            self._slip("nonce_malformed", shape=grammar.NONCE.shape)
            # What is as long as a secret may be one, in the wrong place; lines are shown.
            return text if len(text) < 32 else None
        return text

    def _read_mac(self) -> bytes | None:
        text = self._found.get(wire.SIGNATURE)
        if text is None or grammar.SIGNATURE.matches(text):
            return None if text is None else grammar.mac_of(text)
        slips: list[Cause] = []
        mac = read_mac(text, slips)
        if mac is None and not slips:
            slips.append(cause("header_malformed", name="The signature", shape=grammar.SIGNATURE.shape))
        self.slips += slips
        return mac

    def _look_for_missing(self) -> None:
        wanted = (wire.API_KEY, wire.TIMESTAMP, wire.NONCE, wire.SIGNATURE)
        missing = [name for name in wanted if name not in self._found]
        if missing:
            self._slip("header_missing", names=", ".join(missing))

    def __repr__(self) -> str:
        return f"<Reading with {len(self.slips)} slips>"


def read_mac(text: str, slips: list[Cause]) -> bytes | None:
    """Read a MAC that is not in its one spelling, and say what is wrong with it, where that is known by name.

    Returns:
        32 bytes, or None where there is no telling.
    """
    digits = text
    if text.lower().startswith("sha256="):
        digits = text[7:]
    elif re.fullmatch(r"[0-9A-Fa-f]{64}", text) or _BASE64.fullmatch(text):
        slips.append(cause("mac_prefix_missing"))
    if re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        if re.search(r"[A-F]", digits) or (digits != text and not text.startswith("sha256=")):
            slips.append(cause("mac_uppercase"))
        return bytes.fromhex(digits)
    if _BASE64.fullmatch(digits):
        # Without a prefix it is one mistake: that is how base64 is usually sent.
        slips[:] = [slip for slip in slips if slip.cause != "mac_prefix_missing"]
        slips.append(cause("mac_base64"))
        return b64decode(digits.rstrip("=").replace("-", "+").replace("_", "/") + "=")
    bare = digits.rpartition("=")[2]
    if re.fullmatch(r"[0-9A-Fa-f]{8,256}", bare):
        slips.append(cause("mac_other_hash", bits=4 * len(bare)))
    return None


def _is_refused(media_type: str) -> bool:
    """Ask the gate, which knows the grammar."""
    try:
        wire.read_headers([(wire.CONTENT_TYPE, media_type)])
    except VerificationError as refused:
        return refused.reason is Reason.MEDIA_TYPE_UNSUPPORTED
    return False


def _text(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, (bytes, bytearray, memoryview)) else str(value)
