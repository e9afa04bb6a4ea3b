"""Write the vectors: python tests/make_vectors.py [--check].

This is the second implementation of SPEC.md. It imports nothing of `rp_signing`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import vector_body
import vector_canonical
import vector_events
import vector_headers
import vector_ingest
import vector_keys
import vector_parse
import vector_replay
import vector_spelling
from vector_flags import FLAGS
from vector_suite import Suite, pretty

FOLDER = Path(__file__).resolve().parent.parent / "rp_signing" / "conformance" / "vectors"


def suites() -> list[Suite]:
    """All suites, in the order in which an implementer needs them."""
    verify, events = Suite("verify"), Suite("events")
    for part in (vector_headers, vector_spelling, vector_body):
        part.add(verify)
    for part in (vector_events, vector_ingest):
        part.add(events)
    keys = (vector_keys.hmac_suite(), vector_keys.keys_suite(), vector_keys.input_suite())
    first = (vector_canonical.suite(), vector_parse.suite())
    return [*first, *keys, vector_keys.sign_suite(), verify, events, vector_replay.suite()]


def files() -> dict[str, bytes]:
    """The bytes of every file, by its name."""
    made = suites()
    hunted = {flag for suite in made for vector in suite.vectors for flag in vector["flags"]}
    assert hunted == FLAGS.keys(), hunted ^ FLAGS.keys()
    return {f"{suite.name}.json": (pretty(suite.document()) + "\n").encode() for suite in made}


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say which ones differ."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: make_vectors.py [--check]\n")
        return 2
    made = files()
    found = {path.name: path.read_bytes() for path in FOLDER.glob("*")}
    different = [name for name in sorted(made | found) if made.get(name) != found.get(name)]
    if arguments:
        sys.stdout.writelines(f"differs: {name}\n" for name in different)
        return 1 if different else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in different:
        if name in made:
            (FOLDER / name).write_bytes(made[name])
        else:
            (FOLDER / name).unlink()
    sys.stdout.writelines(f"written: {name}\n" for name in different)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
