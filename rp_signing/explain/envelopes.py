"""What was put around a body, or done to its bytes as a whole: each undone, to get what may have been signed.

Each function undoes one mistake: from what came it gives what was signed, where the mistake can have happened.
"""

from __future__ import annotations

import ast
import binascii
import json
import re
import unicodedata
import warnings
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_plus

from .causes import Cause, cause
from .rewritten import read

__all__ = ["AROUND", "EDGES", "PLAIN_SIGNED", "WHOLE", "Guess", "framed", "literal", "unzipped", "what_is_around"]

Guess = tuple[tuple[Cause, ...], bytes]
"""Mistakes, and the bytes that were signed if they were made."""

PLAIN_SIGNED = "it was signed before that"
_BOM = b"\xef\xbb\xbf"
_MAX_LITERAL = 65_536  # bytes; a Python literal costs far more memory than its text
_MAX_UNPACKED = 1024 * 1024

_Undo = Callable[[bytes], Iterator[tuple[str, bytes]]]


def framed(body: bytes, undos: tuple[_Undo, ...] | None = None) -> Iterator[Guess]:
    """Give the mistakes that do not look inside the JSON; all, or those that are named."""
    for undo in undos or (*EDGES, *WHOLE):
        for name, signed in undo(body):
            if signed != body:
                shown = {"signed": PLAIN_SIGNED} if name == "body_gzip" else {}
                yield (cause(name, **shown),), signed


def _ends(body: bytes) -> Iterator[tuple[str, bytes]]:
    if body.endswith(b"\r\n"):
        yield "body_newline_added", body[:-2]
    if body.endswith(b"\n"):
        yield "body_newline_added", body[:-1]
    else:
        yield "body_newline_lost", body + b"\n"
        yield "body_newline_lost", body + b"\r\n"
    yield "body_nul_signed", body + b"\0"
    stripped = body.strip()
    if stripped + b"\n" != body and stripped + b"\r\n" != body:
        yield "body_white_space", stripped
    yield "signed_empty", b""


def _line_ends(body: bytes) -> Iterator[tuple[str, bytes]]:
    if b"\r" in body and b"\r\n" in body:
        yield "body_crlf", body.replace(b"\r\n", b"\n")
    elif b"\n" in body:
        yield "body_crlf_lost", body.replace(b"\n", b"\r\n")


def _mark(body: bytes) -> Iterator[tuple[str, bytes]]:
    if body.startswith(_BOM):
        yield "body_bom_added", body[3:]
    else:
        yield "body_bom_lost", _BOM + body


def _charset(body: bytes) -> Iterator[tuple[str, bytes]]:
    if body.isascii():
        return
    try:
        text = body.decode()
    except UnicodeDecodeError:
        yield "body_latin1", body.decode("latin-1").encode()
        yield "body_latin1", body.decode("cp1252", "replace").encode()
        yield "signed_replaced", body.decode("utf-8", "replace").encode()
        return
    for charset in ("latin-1", "cp1252"):
        try:
            narrow = text.encode(charset)
        except UnicodeEncodeError:
            continue
        yield "body_latin1_twice" if _is_utf8(narrow) else "signed_latin1", narrow
    yield "signed_latin1_twice", body.decode("latin-1").encode()
    if _decodes(body, "cp1252"):
        yield "signed_latin1_twice", body.decode("cp1252").encode()
    yield "signed_replaced", body.decode("ascii", "replace").encode()
    yield "signed_question_marks", text.encode("ascii", "replace")


def _wide(body: bytes) -> Iterator[tuple[str, bytes]]:
    if b"\0" in body or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        for charset in ("utf-16", "utf-16-be"):
            if _decodes(body, charset):
                yield "body_utf16", body.decode(charset).encode()
    elif _is_utf8(body):
        text = body.decode()
        yield "signed_utf16", (little := text.encode("utf-16-le"))
        yield "signed_utf16", text.encode("utf-16-be")
        yield "signed_utf16", b"\xff\xfe" + little


def _normal(body: bytes) -> Iterator[tuple[str, bytes]]:
    if not body.isascii() and _is_utf8(body):
        text = body.decode()
        yield "signed_nfc", unicodedata.normalize("NFC", text).encode()
        yield "body_nfc", unicodedata.normalize("NFD", text).encode()


def _unpacked(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Give what is inside, where one serialisation or encoding too many was done."""
    if (plain := unzipped(body)) is not None:
        yield "body_gzip", plain
    elif re.fullmatch(rb"[A-Za-z0-9+/_-]+={0,2}\s*", body):
        with suppress(binascii.Error):
            yield "body_base64", b64decode(body.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
    elif body.startswith((b"b'", b'b"')):
        inside = literal(body)
        if isinstance(inside, bytes):
            yield "body_bytes_repr", inside
    elif body.startswith(b'"') and (found := read(body)) and isinstance(found.value, str):
        yield "body_json_string", found.value.encode()
    elif b"%7B" in body[:200].upper():
        form = unquote_plus(body.decode("latin-1"))
        for signed in (form, form.partition("=")[2], form.removesuffix("=")):
            yield "body_form", signed.encode()


def unzipped(body: bytes) -> bytes | None:
    """Decompress gzip or deflate; None where it is neither."""
    if body[:2] not in (b"\x1f\x8b", b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
        return None
    try:
        return zlib.decompressobj(47).decompress(body, _MAX_UNPACKED)
    except zlib.error:
        return None


def _packed(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Give what was signed where the signer encoded once too often."""
    yield "signed_base64", b64encode(body)
    yield "digest_of_text", repr(body).encode()
    if _is_utf8(body):
        yield "signed_json_string", json.dumps(body.decode()).encode()


def what_is_around(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Give (mistake, JSON) where something came around a JSON text that its readers do not see."""
    if b"\r" not in body and body == body.strip():
        return
    for name, inside in (*_ends(body), *_line_ends(body)):
        if name in AROUND and inside != body:
            yield name, inside


def literal(body: bytes) -> Any:
    """Read a Python literal; None where it is none, or too long for that."""
    if len(body) > _MAX_LITERAL:
        return None
    try:
        with warnings.catch_warnings():
            # Python warns of escapes that it does not know, and would quote the body.
            warnings.simplefilter("ignore")
            return ast.literal_eval(body.decode())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _decodes(body: bytes, charset: str) -> bool:
    try:
        body.decode(charset)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8(body: bytes) -> bool:
    return _decodes(body, "utf-8")


EDGES: tuple[_Undo, ...] = (_ends, _line_ends, _mark)
WHOLE: tuple[_Undo, ...] = (_charset, _wide, _normal, _unpacked, _packed)
AROUND = {"body_newline_added", "body_crlf", "body_white_space"}
"""The mistakes that leave the same JSON value to a parser."""
