"""Signing inputs that are nearly right: what a sender may have MACed instead of the eight lines (SPEC §5)."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import NamedTuple

from ..grammar import NONCE
from .bodies import Cover
from .causes import Cause, cause

__all__ = ["LINES", "Draft", "Form", "forms"]

LINES = ("version", "purpose", "api key id", "key id", "timestamp", "nonce", "length", "digest")
"""What each of the eight lines holds."""

_PURPOSE, _API_KEY_ID, _KEY_ID, _TIMESTAMP, _NONCE, _LENGTH, _DIGEST = range(1, 8)
_THE_API_KEY = "(the api key itself)"
# Stands for the three digits of milliseconds that nobody knows any more; no header and no line holds it.
_UNKNOWN = "\0ms"
_THOUSANDTHS = [f"{number:03}".encode() for number in range(1000)]


class Draft(NamedTuple):
    """What was perhaps MACed.

    Attributes:
        lines: as text; of eight, unless one was left out.
        joint: what stands between them.
        end: what stands after the last one.
        whole: the bytes that were MACed instead of lines, or None.
        what: those bytes in words, for people.
    """

    lines: tuple[str, ...]
    joint: str = "\n"
    end: str = ""
    whole: bytes | None = None
    what: str = ""

    def __repr__(self) -> str:
        return f"<Draft of {len(self.lines)} lines>"

    def message(self) -> bytes:
        """Give the bytes that are MACed."""
        if self.whole is not None:
            return self.whole
        return (self.joint.join(self.lines) + self.end).encode("utf-8", "surrogatepass")

    def messages(self) -> Iterator[bytes]:
        """Give what may have been MACed: one message, or a thousand where the milliseconds are not known."""
        if self.whole is not None:
            yield self.whole
            return
        before, unknown, after = self.message().partition(_UNKNOWN.encode())
        if not unknown:
            yield before
            return
        for digits in _THOUSANDTHS:
            yield before + digits + after

    def settled(self, message: bytes) -> Draft:
        """Give the same with the milliseconds that one of its messages has."""
        place = -1 if self.whole is not None else self.message().find(_UNKNOWN.encode())
        if place < 0:
            return self
        digits = message[place : place + 3].decode()
        return self._replace(lines=tuple(line.replace(_UNKNOWN, digits) for line in self.lines))

    def line(self, index: int, text: str) -> Draft:
        """Give the same with another line."""
        return self._replace(lines=(*self.lines[:index], text, *self.lines[index + 1 :]))

    def stamped(self, timestamp: str, nonce: str) -> Draft:
        """Give the same with what a request carries, as it was received."""
        return self.line(_TIMESTAMP, timestamp).line(_NONCE, nonce)

    def over(self, cover: Cover) -> Draft:
        """Give the same over another body."""
        return self._replace(lines=(*self.lines[:_LENGTH], str(cover.length), cover.digest))

    def signed_by(self, api_key_id: str | None, key_id: str | None) -> Draft:
        """Give the same with the ids that come with a secret, where they do."""
        draft = self if api_key_id is None else self.line(_API_KEY_ID, api_key_id)
        return draft if key_id is None else draft.line(_KEY_ID, key_id)

    def shown(self) -> tuple[str, ...]:
        """Give the lines for people: no api key, no body, and line ends that can be seen."""
        if self.whole is not None:
            return (self.what,)
        lines = [_THE_API_KEY if line.startswith(("rpx_", "rps_")) else line for line in self.lines]
        mark = {"\n": "", "\r\n": "\\r"}.get(self.joint, self.joint)
        end = self.end.replace("\r", "\\r").replace("\n", "\\n")
        return (*(line + mark for line in lines[:-1]), lines[-1] + end)


Edit = Callable[[Draft, Cover], Iterator[tuple[Cause, Draft]]]


class Form(NamedTuple):
    """One way to get the signing input wrong.

    Attributes:
        edit: the right draft and what it covers → the mistake, and what it makes of the draft.
        heavy: True where the whole body is MACed.
    """

    edit: Edit
    heavy: bool = False


def forms(api_key: str | None, key_ids: list[str] | None) -> list[Form]:
    """Give every form, those that move lines last, so that two can be made one after the other.

    Args:
        api_key: as it was sent, or None.
        key_ids: those that may stand in the fourth line of a request that came without one; None: it is not in doubt.
    """

    def third_line(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
        if api_key is not None and len(draft.lines[_API_KEY_ID]) == 16:
            plain, labelled = (sha256(text.encode()).hexdigest() for text in (api_key, "rp1-api-key\n" + api_key))
            yield cause("api_key_in_line"), draft.line(_API_KEY_ID, api_key)
            yield cause("api_key_id_uncut"), draft.line(_API_KEY_ID, labelled)
            yield cause("api_key_id_unlabelled"), draft.line(_API_KEY_ID, plain[:16])

    def fourth_line(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
        if key_ids is None:
            return
        if draft.lines[_KEY_ID] != "-":
            yield cause("key_id_dash"), draft.line(_KEY_ID, "-")
        elif draft.lines[_PURPOSE] == "request":
            for key_id in key_ids:
                yield cause("key_id_header_lost", key_id=key_id), draft.line(_KEY_ID, key_id)

    edits = (_purpose, third_line, fourth_line, _dash, _rendered, _nonce, _length, _digest)
    return [
        Form(_milliseconds),
        *(Form(edit) for edit in edits),
        *(Form(edit, heavy=True) for edit in (_body_for_digest, _body_alone)),
        *(Form(edit) for edit in (_digest_alone, _order, _joint, _end)),
    ]


def _purpose(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
    wanted = draft.lines[_PURPOSE]
    signed = "event" if wanted == "request" else "request"
    swapped = draft.line(_PURPOSE, signed)
    yield cause("purpose_swapped", signed=signed, wanted=wanted), swapped
    if signed == "event":
        # The timestamp and the nonce of an event are dashes, so its signer may have written those as well.
        yield cause("purpose_swapped", signed=signed, wanted=wanted), swapped.line(_TIMESTAMP, "-").line(_NONCE, "-")


def _dash(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
    if "-" in draft.lines:
        yield cause("dash_left_empty"), draft._replace(lines=tuple("" if line == "-" else line for line in draft.lines))


def _milliseconds(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
    sent = draft.lines[_TIMESTAMP]
    if len(sent) == 10 and sent.isdecimal():
        yield cause("timestamp_milliseconds"), draft.line(_TIMESTAMP, sent + _UNKNOWN)


def _rendered(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
    sent = draft.lines[_TIMESTAMP]
    if len(sent) != 10 or not sent.isdecimal():
        return
    moment = datetime.fromtimestamp(int(sent), UTC)
    plain = moment.isoformat().removesuffix("+00:00")
    spaced = plain.replace("T", " ")
    for text in (f"{plain}Z", f"{plain}.000Z", f"{plain}.000000Z", f"{plain}+00:00", plain, spaced, f"{spaced}+00:00"):
        yield cause("timestamp_rendered", shape=text), draft.line(_TIMESTAMP, text)
    number = int(sent)
    others = (f"{sent}.0", f"{sent}.000", f"{number:,}", f"{number:x}", f"{number:e}", f'"{sent}"', f"0{sent}")
    for text in (*others, format_datetime(moment, usegmt=True), moment.strftime("%Y%m%dT%H%M%SZ")):
        yield cause("timestamp_rendered", shape=text), draft.line(_TIMESTAMP, text)
    for step in (-1, 1, -2, 2, -3, 3):
        text = str(number + step)
        yield cause("timestamp_read_twice", signed=text, sent=sent), draft.line(_TIMESTAMP, text)


def _nonce(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
    sent = draft.lines[_NONCE]
    if sent == "-":
        return
    for text in ("", "-"):
        yield cause("nonce_missing"), draft.line(_NONCE, text)
    for padding in ("=", "=="):
        yield cause("nonce_padded"), draft.line(_NONCE, sent + padding)
    if not NONCE.matches(sent):
        return
    standard = sent.replace("-", "+").replace("_", "/")
    raw = urlsafe_b64decode(sent + "=" * (-len(sent) % 4)) if len(sent) % 4 != 1 else b""
    spellings = (standard, standard + "==", sent.lower(), sent.upper(), sent.replace("-", ""), raw.hex())
    for text in dict.fromkeys(spellings):
        if text != sent:
            yield cause("nonce_rewritten"), draft.line(_NONCE, text)


def _length(draft: Draft, cover: Cover) -> Iterator[tuple[Cause, Draft]]:
    if cover.data is None or cover.data.isascii() or len(draft.lines) != len(LINES):
        return
    text = cover.data.decode("utf-8", "replace")
    for characters in (len(text), len(text.encode("utf-16-le")) // 2):
        yield cause("length_in_characters", characters=characters), draft.line(_LENGTH, str(characters))


def _digest(draft: Draft, cover: Cover) -> Iterator[tuple[Cause, Draft]]:
    raw = bytes.fromhex(cover.digest)
    yield cause("digest_uppercase"), draft.line(_DIGEST, cover.digest.upper())
    for text in (b64encode(raw), urlsafe_b64encode(raw), urlsafe_b64encode(raw).rstrip(b"=")):
        yield cause("digest_base64"), draft.line(_DIGEST, text.decode())
    yield cause("digest_prefixed"), draft.line(_DIGEST, "sha256=" + cover.digest)
    for once in (raw, cover.digest.encode()):
        yield cause("digest_twice"), draft.line(_DIGEST, sha256(once).hexdigest())


def _digest_alone(draft: Draft, cover: Cover) -> Iterator[tuple[Cause, Draft]]:
    for whole in (cover.digest.encode(), bytes.fromhex(cover.digest)):
        yield cause("digest_alone"), draft._replace(whole=whole, what="(the digest alone)")


def _body_for_digest(draft: Draft, cover: Cover) -> Iterator[tuple[Cause, Draft]]:
    if cover.data is not None:
        whole = draft.line(_DIGEST, "").message() + cover.data
        yield cause("body_for_digest"), draft._replace(whole=whole, what="(seven lines and the body)")


def _body_alone(draft: Draft, cover: Cover) -> Iterator[tuple[Cause, Draft]]:
    if cover.data is not None:
        yield cause("body_alone"), draft._replace(whole=cover.data, what="(the body alone)")
        stamped = f"{draft.lines[_TIMESTAMP]}.".encode() + cover.data
        yield cause("body_with_timestamp"), draft._replace(whole=stamped, what="(timestamp, dot, body)")


def _order(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
    yield cause("version_line_missing"), draft._replace(lines=draft.lines[1:])
    for index in range(1, 7):
        before, (first, second), after = draft.lines[:index], draft.lines[index : index + 2], draft.lines[index + 2 :]
        if first != second:
            why = cause("lines_order", first=LINES[index], second=LINES[index + 1])
            yield why, draft._replace(lines=(*before, second, first, *after))


def _joint(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
    yield cause("lines_crlf"), draft._replace(joint="\r\n")
    yield cause("lines_escaped_newline"), draft._replace(joint="\\n")
    named = {"": "nothing", " ": "a space", ".": "a dot", ":": "a colon", ",": "a comma", "|": "a bar"}
    for joint, name in named.items():
        yield cause("lines_other_separator", joint=name), draft._replace(joint=joint)


def _end(draft: Draft, _: Cover) -> Iterator[tuple[Cause, Draft]]:
    for end in dict.fromkeys(("\n", draft.joint)):
        if end:
            yield cause("lines_final_newline"), draft._replace(end=end)
