"""Does the time that a refusal takes tell anything of a secret? ``python -m benchmarks.timing``, by dudect's method.

Two classes of inputs, one call a sample, in random order, garbage collection off; the slow tail is cropped, since it is
the machine's and not ours; Welch's t says whether the two classes take different times. Beside each target stand two
controls: one with two classes that are the same, where a difference is a fault of the measurement, and one with `==` in
place of the constant-time comparison, where no difference is. When either does not behave, the run is void.
"""

from __future__ import annotations

import gc
import math
import operator
import random
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from rp_signing import VerificationError, Verifier, sign_event, signing, verify_event
from rp_signing.wire import KEY_ID, SIGNATURE, SIGNATURE_MEMBER

from . import sender

SAMPLES = 1_000_000
"""Samples of each class."""

LIMIT = 4.5
"""|t| from which dudect calls two classes different."""

_CROPS = (0.5, 0.9)
"""Shares of the fastest samples that are looked at: noise hides a small difference, and a late one is cut off."""

_POOL = 64
"""Inputs of each class in a block: what is measured should be the class, not where one object lies in memory.

So few that the processor's nearest cache holds them all: of a thousand, the place of each is what shows most.
"""

_BLOCK = 50_000

Input = Any
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Target:
    """Something to time.

    Attributes:
        name: what is asked.
        call: takes an input; its `VerificationError` is part of what is timed.
        make: gives a fresh input of class 0 or 1.
        secret: whether a difference would tell of a secret; else it is there by design, and said.
    """

    name: str
    call: Callable[[Input], object]
    make: Callable[[int], Input]
    secret: bool = True


@dataclass(frozen=True)
class Finding:
    """What came out.

    Attributes:
        target: its name.
        kind: ``target``, ``same`` (the null control) or ``==`` (the positive control).
        t: Welch's t of the crop that shows most; + when class 1 takes longer.
        medians: nanoseconds of class 0 and of class 1.
        wanted: ``equal``, ``different`` or ``by design``.
    """

    target: str
    kind: str
    t: float
    medians: tuple[int, int]
    wanted: str

    @property
    def holds(self) -> bool:
        """Whether it is as wanted."""
        different = abs(self.t) >= LIMIT
        return {"equal": not different, "different": different, "by design": True}[self.wanted]


def _targets() -> Iterator[Target]:
    body = sender.body_of(800)
    verifier = Verifier(sender.KEYRING, nonces=None)
    headers = sender.SIGNER.sign(body)

    def with_mac(side: int) -> Input:
        return sender.asgi({**headers, SIGNATURE: _spoiled(headers[SIGNATURE], side)})

    def with_key_id(side: int) -> Input:
        # The right key id with a wrong MAC, or one that nobody has.
        wrong = {SIGNATURE: f"sha256={secrets.token_hex(32)}"}
        return sender.asgi({**headers, **wrong, **({KEY_ID: secrets.token_hex(8)} if side else {})})

    def check(signed: Input) -> object:
        return verifier.check(signed, body)

    event = sign_event(sender.new_events(1)[0], api_key=sender.API_KEY, secret=sender.SECRET)

    def with_event_mac(side: int) -> Input:
        return {**event, SIGNATURE_MEMBER: _spoiled(event[SIGNATURE_MEMBER], side)}

    def check_event(signed: Input) -> object:
        return verify_event(signed, keyring=sender.KEYRING, api_key=sender.API_KEY)

    yield Target("verify: MAC wrong in its first or in its last byte", check, with_mac)
    yield Target("verify_event: MAC wrong in its first or in its last byte", check_event, with_event_mac)
    yield Target("verify: right key id or one that nobody has", check, with_key_id, secret=False)


def _spoiled(signature: str, side: int) -> str:
    """Give a signature with its first or its last byte wrong, and every other byte right.

    A digit stays a digit and a letter a letter: the time to read a spelling may depend on how it is spelled.
    """
    prefix, digits = signature[:7], list(signature[7:])
    for place in (-2, -1) if side else (0, 1):
        kind = "0123456789" if digits[place].isdigit() else "abcdef"
        digits[place] = secrets.choice(kind.replace(digits[place], ""))
    return prefix + "".join(digits)


def _samples(target: Target, samples: int, same: bool, advance: Advance) -> tuple[list[int], list[int]]:
    """Time so many calls of each class, in random order; nanoseconds."""
    taken: tuple[list[int], list[int]] = ([], [])
    done = 0
    call, clock, refused = target.call, perf_counter_ns, suppress(VerificationError)
    collecting = gc.isenabled()
    gc.disable()
    try:
        while done < 2 * samples:
            pools = _pool(target, same)
            sides = [side for side in (0, 1) for _ in range(min(_BLOCK, 2 * samples - done) // 2)]
            random.shuffle(sides)
            spans = []
            for side in sides:
                given = pools[side][int(random.random() * _POOL)]
                begun = clock()
                with refused:
                    call(given)
                spans.append(clock() - begun)
            for side, span in zip(sides, spans, strict=True):
                taken[side].append(span)
            done += len(sides)
            advance(len(sides))
    finally:
        if collecting:
            gc.enable()
    return taken


def _pool(target: Target, same: bool) -> tuple[list[Input], list[Input]]:
    """Make inputs of both classes in random order, so that no class has the better places in memory.

    In pairs, always the one before the other, two equal classes differed by a |t| of 4 now and then.
    """
    pools: tuple[list[Input], list[Input]] = ([], [])
    order = [0, 1] * _POOL
    random.shuffle(order)
    for side in order:
        pools[side].append(target.make(0 if same else side))
    return pools


def welch(first: list[int], second: list[int]) -> float:
    """Give Welch's t of two lists; + when the second is larger."""
    means = [math.fsum(spans) / len(spans) for spans in (first, second)]
    variances = [
        math.fsum((span - mean) ** 2 for span in spans) / (len(spans) - 1)
        for spans, mean in zip((first, second), means, strict=True)
    ]
    spread = math.sqrt(variances[0] / len(first) + variances[1] / len(second))
    return (means[1] - means[0]) / spread if spread else 0.0


def _find(target: Target, kind: str, samples: int, advance: Advance) -> Finding:
    taken = _samples(target, samples, kind == "same", advance)
    every = sorted([*taken[0], *taken[1]])
    crops = [every[int(share * (len(every) - 1))] for share in _CROPS]
    cropped = [[[span for span in spans if span <= most] for spans in taken] for most in crops]
    # Two classes so far apart that the fastest half is all of one say enough in the other crop.
    ts = [welch(*both) for both in cropped if min(map(len, both)) > 1]
    wanted = "different" if kind == "==" else "equal" if target.secret or kind == "same" else "by design"
    medians = tuple(sorted(spans)[len(spans) // 2] for spans in taken)
    return Finding(target.name, kind, max(ts, key=abs), medians, wanted)  # type: ignore[arg-type]


FINDINGS = 9
"""How many `findings` gives."""


def findings(samples: int, advance: Advance) -> Iterator[Finding]:
    """Time every target and its controls, so many samples of each class."""
    for target in _targets():
        yield _find(target, "target", samples, advance)
        yield _find(target, "same", samples, advance)
        with patch.object(signing, "compare_digest", operator.eq):
            yield _find(target, "==", samples, advance)


def main() -> int:
    """Measure, and print the table; 1 when a secret shows, 2 when the run is void."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    console = Console()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("timing", total=2 * samples * FINDINGS)
        found = list(findings(samples, lambda more: progress.advance(task, more)))
    console.print(table_of(found, samples))
    void = [one for one in found if one.kind != "target" and not one.holds]
    if void:
        console.print("[bold red]void[/]: a control did not behave; run it again on a quieter machine")
        return 2
    return 0 if all(one.holds for one in found) else 1


def table_of(found: list[Finding], samples: int) -> Table:
    """Give the table for people."""
    table = Table(title=f"{samples:,} samples of each class; |t| < {LIMIT} is equal", title_justify="left")
    for heading, justify in (("asked", "left"), ("", "left"), ("medians, ns", "right"), ("t", "right"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    names = {
        "target": "ours",
        "same": "control: two equal classes",
        "==": "control: compared by ==",
    }
    for one in found:
        verdict = "by design" if one.wanted == "by design" else f"{'' if one.holds else 'NOT '}{one.wanted}"
        medians = f"{one.medians[0]:,} {one.medians[1]:,}"
        table.add_row(one.target if one.kind == "target" else "", names[one.kind], medians, f"{one.t:+.1f}", verdict)
    return table


if __name__ == "__main__":
    sys.exit(main())
