"""Timing: whether the time of a refusal tells anything of a secret, by dudect's method."""

from soak_part import Advance, Part, Row

from benchmarks import timing

CONTROLS = {"target": "", "same": ", control of two equal classes", "==": ", control compared by =="}


def run(samples: int, advance: Advance) -> list[Row]:
    """So many samples of each class; a control that does not behave makes the run void, and is a row that is broken."""
    done = 0.0

    def more(calls: int) -> None:
        nonlocal done
        before, done = int(done), done + calls / (2 * timing.FINDINGS)
        advance(int(done) - before)

    rows = []
    for found in timing.findings(samples, more):
        wanted = {"equal": f"|t| < {timing.LIMIT}", "different": f"|t| ≥ {timing.LIMIT}"}.get(found.wanted, "by design")
        seen = f"t = {found.t:+.1f}, medians {found.medians[0]:,} and {found.medians[1]:,} ns"
        rows.append(Row(f"{found.target}{CONTROLS[found.kind]}", wanted, seen, found.holds))
    return rows


PARTS = [
    Part("timing", "the time that a refusal takes tells nothing of a secret", 1_000_000, 0, run, "samples of a class"),
]
