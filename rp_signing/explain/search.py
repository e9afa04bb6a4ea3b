"""The search: one near-miss after another under the received MAC, cheap ones first, within bounds.

Rule: the whole body is hashed here and nowhere else in this package, and each time is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import chain, combinations
from typing import NamedTuple, cast

from ..grammar import spell_mac
from ..keys import Secret
from ..signing import matches
from .bodies import MAX_PAIRED, Cover
from .causes import Cause
from .envelopes import Guess
from .keys import Key
from .lines import Draft, Form

__all__ = ["MAX_HASHES", "MAX_HASHES_SINGLE", "MAX_MACS", "Found", "Meter", "Search"]

MAX_HASHES_SINGLE = 60
"""How often the whole body is hashed at the most, while one mistake is looked for."""

MAX_HASHES = 600
"""The same, for one mistake and then for two."""

MAX_MACS = 400_000
"""How many signing inputs are MACed at the most."""


class Meter:
    """Counts what the search costs.

    Attributes:
        hashes: how often a whole body was hashed.
        macs: how many MACs were compared.
        stopped: True when something was left untried.
    """

    def __init__(self) -> None:
        self.hashes: int = 0
        self.macs: int = 0
        self.stopped: bool = False
        self.limit = MAX_HASHES_SINGLE

    def may_hash(self) -> bool:
        """Tell whether the body may be hashed once more, and count it."""
        if self.hashes >= self.limit:
            self.stopped = True
            return False
        self.hashes += 1
        return True

    def cover(self, causes: tuple[Cause, ...], data: bytes, *, keep: bool = True) -> Cover | None:
        """Hash a body; None when that is over the limit."""
        if not self.may_hash():
            return None
        return Cover(causes, len(data), sha256(data).hexdigest(), data if keep else None)

    def fitting(self, key: Key, messages: Iterable[bytes], signature: str) -> bytes | None:
        """Give the first message of which this key gives this signature; None where it is none."""
        # `matches` asks a secret for an HMAC that is keyed, and it is the one place where MACs are compared.
        secret = cast("Secret", key)
        for message in messages:
            if self.macs >= MAX_MACS:
                self.stopped = True
                break
            self.macs += 1
            if matches(secret, message, signature):
                return message
        return None


class Found(NamedTuple):
    """What would have matched.

    Attributes:
        causes: the mistakes; none where it matches as it is.
        draft: what was MACed.
        key_id: of the key that did, 16 hex digits.
    """

    causes: tuple[Cause, ...]
    draft: Draft
    key_id: str


# How many mistakes with the key, with the body, with the lines; the cheap combinations first. The fourth number is how
# often the body may have been hashed by then, so that those that MAC it whole leave something for the others.
_LEVELS = (
    ((0, 0, 0, MAX_HASHES_SINGLE),),
    ((1, 0, 0, MAX_HASHES_SINGLE), (0, 0, 1, MAX_HASHES_SINGLE), (0, 1, 0, MAX_HASHES_SINGLE)),
    (
        *((0, 1, 0, 180), (2, 0, 0, 180), (1, 1, 0, 180), (1, 0, 1, 180), (0, 1, 1, 290)),
        *((0, 2, 0, MAX_HASHES), (0, 0, 2, MAX_HASHES)),
    ),
)


_Edited = tuple[tuple[Cause, ...], Draft, bool]
"""Mistakes with the lines, the draft that they make, and whether the whole body is MACed in it."""


class Search:
    """Looks for what was signed.

    Args:
        draft: the eight lines as the receiver has them.
        body: what they are of.
        mac: the one that came, 32 bytes.
        keys: gives those that take no, one and two mistakes.
        bodies: gives the near-misses of the body, for one and for two mistakes.
        lines: those of the signing input.
        meter: counts.

    Attributes:
        received: the draft over the body, as the receiver has it.
    """

    def __init__(
        self,
        draft: Draft,
        body: bytes,
        mac: bytes,
        keys: Callable[[int], Iterable[Key]],
        bodies: tuple[Callable[[], Iterable[Guess]], Callable[[], Iterable[Guess]]],
        lines: list[Form],
        meter: Meter,
    ) -> None:
        self._signature = spell_mac(mac)
        self._keys = [list(keys(0)), list(keys(1))]
        self._doubly = keys
        singles, self._bodies = bodies
        self._singles: Iterator[Guess] = iter(singles())
        self._forms = lines
        self._meter = meter
        self._draft = draft
        self._size = len(body)
        cover = meter.cover((), body)
        self._plain = [] if cover is None else [cover]
        self._near: list[Cover] = []
        self.received: Draft = draft.over(self._plain[0]) if self._plain else draft

    def run(self, known: int = 0) -> Found | None:
        """Look for up to two mistakes, so many of which are known already."""
        for level in _LEVELS[: 3 - min(known, 2)]:
            for keys, bodies, lines, limit in level:
                self._meter.limit = limit if known == 0 else MAX_HASHES
                signers = list(self._doubly(2)) if keys == 2 else self._keys[keys]
                found = self._try(signers, self._covers(bodies), lines) if signers else None
                if found is not None:
                    return found
        return None

    def _try(self, keys: list[Key], covers: Iterable[Cover], lines: int) -> Found | None:
        for cover in covers:
            # Most keys go with the same ids, so that the drafts are made once for all of them.
            drafts: dict[tuple[str | None, str | None], list[_Edited]] = {}
            for key in keys:
                ids = key.api_key_id, key.fourth
                if ids not in drafts:
                    drafts[ids] = list(self._edited(self._draft.over(cover).signed_by(*ids), cover, lines))
                # Under another fourth line than its own, one key would MAC the same body again and again.
                own = lines == 1 and key.fourth in (None, key.key_id)
                for causes, edited, heavy in drafts[ids]:
                    if heavy and not (own and self._meter.may_hash()):
                        continue
                    message = self._meter.fitting(key, edited.messages(), self._signature)
                    if message is not None:
                        return Found((*key.causes, *cover.causes, *causes), edited.settled(message), key.key_id)
        return None

    def _edited(self, draft: Draft, cover: Cover, lines: int) -> Iterator[_Edited]:
        """Give the drafts after so many mistakes with the lines."""
        if lines == 0:
            yield (), draft, False
        elif lines == 1:
            for form in self._forms:
                yield from (((why,), edited, form.heavy) for why, edited in form.edit(draft, cover))
        else:
            # From the end, so that the one with a thousand messages comes last.
            for later, earlier in combinations([form for form in reversed(self._forms) if not form.heavy], 2):
                for why, edited in earlier.edit(draft, cover):
                    yield from (((why, more), again, False) for more, again in later.edit(edited, cover))

    def _covers(self, mistakes: int) -> Iterator[Cover]:
        if mistakes == 0:
            yield from self._plain
        elif mistakes == 2 and self._size > MAX_PAIRED:
            self._meter.stopped = True
        elif self._plain:
            yield from self._of_one() if mistakes == 1 else self._of_two()

    def _of_one(self) -> Iterator[Cover]:
        # They come again at each level, and go on where an earlier one had to stop.
        yield from list(self._near)
        for causes, data in self._singles:
            if any(data == known.data for known in (*self._plain, *self._near)):
                continue
            cover = self._meter.cover(causes, data)
            if cover is None:
                self._singles = chain([(causes, data)], self._singles)
                return
            self._near.append(cover)
            yield cover

    def _of_two(self) -> Iterator[Cover]:
        # Not the bytes: hundreds of bodies would be kept.
        seen = {(known.length, hash(known.data)) for known in (*self._plain, *self._near)}
        for causes, data in self._bodies():
            mark = (len(data), hash(data))
            if mark not in seen:
                seen.add(mark)
                cover = self._meter.cover(causes, data, keep=False)
                if cover is None:
                    return
                yield cover
