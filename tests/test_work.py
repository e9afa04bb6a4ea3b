"""What was made fast stays so: the calls that a hot path makes and the bytes that it keeps are counted, not seconds."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from corpus import astral_event, float_event, typical_event
from parties import BODY, KEYS, NOW, Clock, signer
from spec_page import API_KEY, SECRET

from rp_signing import Keyring, MemoryNonceStore, Verifier, canonicalize, parse, sign_event
from rp_signing.ingest.judge import verified
from rp_signing.replay import Claim, Window
from rp_signing.signing import usable_secrets

HERE = Path(__file__).parent


def calls(work: Callable[[], Any]) -> Counter[str]:
    """Count the calls that some work makes, by name, of Python and of C; warmed up first."""
    work()
    made: Counter[str] = Counter()

    def heard(frame: Any, event: str, called: Any) -> None:
        if event == "call":
            made[frame.f_code.co_name] += 1
        elif event == "c_call":
            made[called.__name__] += 1

    sys.setprofile(heard)
    try:
        work()
    finally:
        sys.setprofile(None)
    del made["setprofile"]
    return made


def gate() -> Verifier:
    """A gate with a memory store."""
    return Verifier(Keyring.of(KEYS), nonces=MemoryNonceStore(born=0), clock=Clock())


def headers() -> list[tuple[bytes, bytes]]:
    """A signed request's headers as an ASGI server gives them."""
    return [(name.lower().encode(), value.encode()) for name, value in signer(Clock()).sign(BODY).items()]


@pytest.mark.parametrize(("event", "most"), [(typical_event, 15), (float_event, 60), (astral_event, 40)])
def test_canonicalize_leaves_the_writing_to_the_engine(event: Callable[[], Any], most: int) -> None:
    """Some tens of calls for an event of 900 bytes, not one for each value; and none of the exact path."""
    made = calls(partial(canonicalize, event()))
    assert made.total() <= most, made
    assert made["dumps"] in (1, 2)
    assert not made["write_exactly"]


def test_text_outside_the_bmp_is_passed_over_at_once() -> None:
    """A text of 100,000 characters that a name must not have takes some tens of calls, not one for each."""
    made = calls(partial(canonicalize, {"\U0001f6d2": ["\uff0c" * 100_000, "\ue000"]}))
    assert made.total() <= 30, made
    assert made["dumps"] == 1


def test_a_canonical_text_is_parsed_by_the_engine() -> None:
    """One read, one writing to compare with, and no look at each character."""
    made = calls(partial(parse, canonicalize(typical_event())))
    assert made.total() <= 15, made
    assert (made["loads"], made["dumps"], made["decode"]) == (1, 1, 0)


@pytest.mark.parametrize("more", [[], [(b"host", b"a"), (b"content-type", b"application/json"), (b"accept", b"*/*")]])
def test_a_check_hashes_once(more: list[tuple[bytes, bytes]]) -> None:
    """One digest of the body, one copy of the prepared MAC, one comparison, about thirty calls in all."""
    made = calls(partial(gate().check, [*headers(), *more], BODY, NOW))
    assert (made["openssl_sha256"], made["copy"], made["compare_digest"]) == (1, 1, 1)
    assert made.total() <= 32, made


def test_an_event_of_a_batch_is_written_and_hashed_once() -> None:
    """One writing, one digest, one MAC, and no look at the types of what `parse` gave; about thirty calls."""
    event = parse(canonicalize(sign_event(typical_event(), api_key=API_KEY, secret=SECRET)))
    entry = Keyring.of(KEYS).find(API_KEY)
    assert entry is not None
    made = calls(partial(verified, event, entry, usable_secrets(entry)))
    assert (made["dumps"], made["openssl_sha256"], made["finalize"], made["get_referents"]) == (1, 1, 1, 0)
    assert made.total() <= 32, made


@pytest.mark.parametrize("others", [1, 1_000])
def test_a_check_looks_nothing_up_one_by_one(others: int) -> None:
    """As many calls among a thousand api keys as among two: their number adds nothing."""
    keys = {f"rpx_test_{number:022d}": [f"{number:032d}"] for number in range(others)}
    many = Verifier(Keyring.of({**keys, **KEYS}), nonces=None)
    alone = Verifier(Keyring.of(KEYS), nonces=None)
    signed = headers()
    assert calls(partial(many.check, signed, BODY, NOW)) == calls(partial(alone.check, signed, BODY, NOW))


def test_signing_makes_one_digest_and_one_mac() -> None:
    """About twenty calls."""
    made = calls(partial(signer(Clock()).sign, BODY))
    assert (made["openssl_sha256"], made["copy"]) == (1, 1)
    assert made.total() <= 25, made


def claims(count: int, begin: int = 0) -> list[Claim]:
    """Claims of one api key, a thousand a second."""
    return [
        Claim(
            "a" * 16, None, NOW + number // 1000, f"{number:022d}", 9, "d" * 64, "k" * 16, "s", False, False, Window()
        )
        for number in range(begin, begin + count)
    ]


def test_a_claim_costs_the_same_among_many() -> None:
    """As many calls for a claim among 20,000 live nonces as for the first ones."""
    store, clock = MemoryNonceStore(born=0), Clock()
    waiting = iter(claims(20_004))

    def claim() -> None:
        store.claim(next(waiting), clock)

    few = calls(claim)
    for _ in range(20_000):
        claim()
    many = calls(claim)
    assert many == few
    assert many.total() <= 25, many


@pytest.mark.parametrize("rate", [1_000, 1_600, 2_500])
def test_a_nonce_takes_little_memory(rate: int) -> None:
    """At most 130 bytes at any fill of a set, 90 on average, where a dict of digests takes 116."""
    store = MemoryNonceStore(born=0)
    # Made before the measuring begins: Python keeps the tuples that are freed meanwhile.
    made = [claim._replace(timestamp=NOW + number // rate) for number, claim in enumerate(claims(4 * rate))]
    tracemalloc.start()
    try:
        for claim in made:
            store.claim(claim, Clock())
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept / len(made) <= 130


_COLLECTED = """
import gc
from corpus import typical_event
from rp_signing import canonicalize, parse, sign_event
from rp_signing.cli.serve import collect_seldom
from rp_signing.events import judge_events
from rp_signing.ingest.judge import verified
from rp_signing.keys import ApiKey
from spec_page import API_KEY, SECRET

made = [sign_event(typical_event(seed), api_key=API_KEY, secret=SECRET) for seed in range(100)]
body, entry = canonicalize({"batch": made}), ApiKey(API_KEY, [SECRET])
collect_seldom()
looks = []
gc.callbacks.append(lambda phase, _: looks.append(phase))
events = parse(body)["batch"]
assert not judge_events("batch", events)
taken = [verified(event, entry, list(entry.secrets.values())) for event in events]
print(len(taken), looks)
"""


def test_a_server_takes_a_batch_without_a_look_at_the_heap() -> None:
    """A batch of 100 events makes two thousand objects that hold others, and Python's collector stays away."""
    done = subprocess.run([sys.executable, "-c", _COLLECTED], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout == "100 []\n"
