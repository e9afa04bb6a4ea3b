"""What the design rests on, looked at again, so that a new version of a library cannot make it wrong unseen."""

from __future__ import annotations

import gc
import hmac
import marshal
import os
import uuid
from concurrent.futures import ProcessPoolExecutor
from enum import Enum
from functools import partial
from typing import Any

import orjson
from corpus import events
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from traps import disagreements

from rp_signing import canonicalize
from rp_signing.exact import write_exactly

from .measure import in_turn

DOCUMENTS = int(os.environ.get("RP_BENCH_DOCUMENTS", "1000000"))
"""Generated documents on which the fast path and the definition have to agree."""

Fact = dict[str, Any]

# Each value, what orjson writes, and what RFC 8785 has.
_DEVIATIONS: tuple[tuple[str, Any, bytes, bytes], ...] = (
    ("whole floats", 1.0, b"1.0", b"1"),
    ("1e16", 1e16, b"1e+16", b"10000000000000000"),
    ("1e20", 1e20, b"1e+20", b"100000000000000000000"),
    ("1e-6", 1e-6, b"1e-6", b"0.000001"),
    ("-0.0", -0.0, b"-0.0", b"0"),
    ("names outside the BMP", {"\ufb33": 1, "\U0001f600": 2}, '{"\ufb33":1,"\U0001f600":2}'.encode(),
     '{"\U0001f600":2,"\ufb33":1}'.encode()),
)  # fmt: skip
_SAME = (0.0, 0.1, 1e21, 1.5e300, 1e-7, 5e-324, 123456.789, 2**53 - 1, -1, '\x00\x1f\x7f\u2028"\\/', None, True, [])


def facts() -> list[Fact]:
    """Look at all of them; each with ``text``, ``holds`` and ``detail``."""
    return [_orjson(), _non_finite(), _hmac(), _scan(), _marshal(), _referents(), agreement()]


def _fact(text: str, holds: bool, detail: str) -> Fact:
    return {"text": text, "holds": holds, "detail": detail}


def _orjson() -> Fact:
    dumps = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)
    other = [name for name, value, theirs, ours in _DEVIATIONS if (dumps(value), canonicalize(value)) != (theirs, ours)]
    other += [repr(value) for value in _SAME if value != 0.0 and dumps(value) != write_exactly(value)]
    detail = f"otherwise than said: {', '.join(other)}" if other else "as said"
    return _fact("orjson deviates from RFC 8785 just as the design says", not other, detail)


def _non_finite() -> Fact:
    written = [orjson.dumps(float(name)) for name in ("nan", "inf", "-inf")]
    return _fact("orjson writes NaN and infinities as null", written == [b"null"] * 3, b" ".join(written).decode())


def _hmac() -> Fact:
    key, message = bytes(32), bytes(213)
    prepared = HMAC(key, SHA256())

    def copied() -> bytes:
        context = prepared.copy()
        context.update(message)
        return context.finalize()

    samples = in_turn({"copy": copied, "digest": partial(hmac.digest, key, message, "sha256")}, 0.5)
    ratio = samples.ratio("copy", "digest")
    detail = f"{samples.median('copy') * 1e6:.2f} µs and {samples.median('digest') * 1e6:.2f} µs, {ratio:.2f} ×"
    return _fact("a copied HMAC context costs less than hmac.digest", ratio < 1, detail)


def _scan() -> Fact:
    written = orjson.dumps(events(3)[2])
    samples = in_turn({"scan": lambda: 43 in written, "loads": partial(orjson.loads, written)}, 0.3)
    ratio = samples.ratio("scan", "loads")
    return _fact("a scan for a single byte is nearly free", ratio < 0.1, f"{ratio:.3f} × orjson.loads")


class _Mixed(bytes, Enum):
    """What orjson writes by its value, and `marshal` takes for plain bytes."""

    ONE = b"1"


def _marshal() -> Fact:
    mixed = marshal.dumps([_Mixed.ONE], 4) == marshal.dumps([b"1"], 4)
    return _fact(
        "marshal is no proof of types: it takes an Enum that is bytes too", mixed, "as said" if mixed else "it refuses"
    )


def _referents() -> Fact:
    inner = [None, True, 1, 1.5, "text", [], {}, (), uuid.UUID(int=1), _Mixed.ONE]
    seen = gc.get_referents(inner), gc.get_referents({str(number): part for number, part in enumerate(inner)})
    holds = all(any(part is found for found in level) for level in seen for part in inner)
    return _fact(
        "gc.get_referents gives every item of a list and every value of a dict", holds, f"{len(inner)} of each"
    )


def agreement() -> Fact:
    """Compare the fast path with the definition, on both cores."""
    parts = 16
    with ProcessPoolExecutor(2) as pool:
        shares = pool.map(disagreements, range(parts), [DOCUMENTS // parts] * parts)
        wrong = [found for share in shares for found in share]
    detail = f"first of {len(wrong)}: {wrong[0]}" if wrong else f"{DOCUMENTS // parts * parts:,} documents"
    return _fact("fast and exact path agree on generated documents", not wrong, detail)
