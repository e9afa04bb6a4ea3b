"""Who may have signed: the keys of a keyring in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from ..keys import ApiKey, Keyring
from .causes import Cause, cause
from .keys import MAX_OTHERS, Key, Sent, Source, active, others, spoiled, spoiled_twice, unspoiled
from .search import Meter

__all__ = ["Suspects"]

_MAX_SPOILED_OTHERS = 12
"""Of how many secrets that should not have signed a second mistake is looked for."""


class Suspects:
    """The keys that are tried. Its repr shows ids alone.

    Args:
        keyring: what the receiver knows.
        entry: what it knows of the api key that was sent, or None.
        sent: what was sent.
        meter: told when there are too many of them.
    """

    def __init__(self, keyring: Keyring, entry: ApiKey | None, sent: Sent, meter: Meter) -> None:
        self._sent = sent
        if entry is None and sent.api_key is None:
            # Which api key it is for is not known: it is each.
            self._right = [
                source._replace(api_key_id=other.api_key_id) for other in keyring for source in active(other)
            ]
            self._wrong: list[Source] = []
        else:
            self._right = [] if entry is None else active(entry)
            self._wrong = list(others(keyring, entry, sent))
        named = sent.key_id
        if any(source.key_id == named for source in self._right):
            self._wrong = [*map(_other, filter(lambda it: it.key_id != named, self._right)), *self._wrong]
            self._right = [source for source in self._right if source.key_id == named]
        self._unknown = bool(named) and not any(source.key_id == named for source in self._right)
        # Those that the key id names come first, so that none of them is cut off.
        self._wrong.sort(key=lambda source: source.key_id != named)
        if max(len(self._wrong), len(self._right)) > MAX_OTHERS:
            meter.stopped = True
            del self._wrong[MAX_OTHERS:], self._right[MAX_OTHERS:]

    def requests(self, mistakes: int) -> Iterator[Key]:
        """Give the keys that may have signed a request, with so many mistakes."""
        if not self._unknown:
            yield from self._keys(mistakes)
            return
        # The gate does not know the key id: either the key that it names signed, or it is wrong itself.
        named = str(self._sent.key_id)
        yield from (key for key in self._keys(mistakes) if mistakes and key.is_named(named))
        if mistakes:
            for key in self._keys(mistakes - 1):
                if not key.is_named(named):
                    yield key.because(cause("key_id_wrong", sent=named, key_id=key.key_id))

    def events(self, mistakes: int) -> Iterator[Key]:
        """Give the keys that may have signed an event, each under the key ids that its signer may have written."""
        for key in self._keys(mistakes):
            ids = [key.key_id, *(source.key_id for source in (*self._right, *self._wrong[:4]))]
            yield from (key.named(key_id) for key_id in dict.fromkeys(ids[:5]))

    def named(self) -> tuple[Cause, ...]:
        """Give the mistakes that the key id alone shows, whatever the MAC is."""
        if self._unknown:
            for mistakes in (1, 2):
                for key in self._keys(mistakes):
                    if key.is_named(str(self._sent.key_id)):
                        return key.causes
        return ()

    def key_ids(self) -> list[str]:
        """Give the ids that may stand in the fourth line of a request that came without one."""
        return list(dict.fromkeys(source.key_id for source in (*self._right[:4], *self._wrong[:8])))

    def _keys(self, mistakes: int) -> Iterable[Key]:
        """Give the keys that take so many mistakes, the key id not looked at."""
        api_key = self._sent.api_key
        if mistakes == 0:
            return map(unspoiled, self._right)
        if mistakes == 1:
            return _all(map(unspoiled, self._wrong), *(spoiled(source, api_key) for source in self._right))
        wrong = islice(self._wrong, _MAX_SPOILED_OTHERS)
        return _all(
            *(spoiled(source, api_key) for source in wrong),
            *(spoiled_twice(source, api_key) for source in self._right),
        )

    def __repr__(self) -> str:
        return f"<Suspects {self.key_ids()}>"


def _other(source: Source) -> Source:
    return source._replace(causes=(cause("secret_other", key_id=source.key_id),))


def _all(*parts: Iterable[Key]) -> Iterator[Key]:
    for part in parts:
        yield from part
