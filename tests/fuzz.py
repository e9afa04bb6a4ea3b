"""What atheris throws at the gate: ``python tests/fuzz.py TARGET [FOLDER...] [-max_total_time=60]``.

A target is a function of bytes; whatever it raises is a finding. `soak_fuzz` runs each for a minute, from the inputs in
``fuzz_corpus``, and keeps what it finds there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris
from spec_page import API_KEY, SECRET

with atheris.instrument_imports(include=["rp_signing"]):
    from rp_signing import (
        Keyring,
        MemoryNonceStore,
        Signer,
        VerificationError,
        Verifier,
        canonical,
        canonicalize,
        grammar,
        parse,
        wire,
    )
    from rp_signing.errors import CanonicalizationError
    from rp_signing.exact import write_exactly

CORPUS = Path(__file__).parent / "fuzz_corpus"
"""A file for each target, an input in hex on each line."""

NOW = 1795424400
KEYRING = Keyring.of({API_KEY: [SECRET]})
BODY = b'{"event":"Order Completed","type":"track","userId":"user-123"}'


def signed(body: bytes) -> dict[str, str]:
    """The five headers of a body, always with the same nonce."""
    return Signer(api_key=API_KEY, secret=SECRET, clock=lambda: NOW, nonce=lambda: "n" * 22).sign(body)


def gate() -> Verifier:
    """A gate that has taken nothing."""
    return Verifier(KEYRING, nonces=MemoryNonceStore(born=0), clock=lambda: NOW)


def parse_target(data: bytes) -> None:
    """What is read has one canonical form, by both paths, and is read from it again; the rest is refused."""
    try:
        value = parse(data)
    except CanonicalizationError:
        value = CanonicalizationError
    try:
        exact = canonical.parse_exactly(data)
    except CanonicalizationError:
        exact = CanonicalizationError
    assert (value is CanonicalizationError) == (exact is CanonicalizationError)
    if value is CanonicalizationError:
        return
    written = canonicalize(value)
    assert written == write_exactly(value) == write_exactly(exact)
    assert canonicalize(parse(written)) == written


def headers_target(data: bytes) -> None:
    """Headers are taken or refused, by a glance as by the careful way, as bytes, as text and in any case."""
    pairs = [(name.strip(), value) for name, _, value in (line.partition(b":") for line in data.split(b"\n"))]
    lowered = [(name.lower(), value) for name, value in pairs]
    texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
    seen = [_read(shape) for shape in (lambda: pairs, lambda: lowered, lambda: iter(pairs), lambda: texts)]
    assert all(one == seen[0] for one in seen), seen
    glanced = wire.glance(pairs)
    assert glanced is None or (grammar.TIMESTAMP.matches(glanced[2]) and grammar.NONCE.matches(glanced[3]))


def _read(shape: Callable[[], Any]) -> object:
    try:
        return wire.read_headers(shape()), gate().admit(shape(), BODY)
    except VerificationError as error:
        return error.reason


def verify_target(data: bytes) -> None:
    """A request that is not the one that was signed is refused; the one that was is taken if its body is JSON."""
    head, _, body = data.partition(b"\n\n")
    pairs = [(name, value) for name, _, value in (line.partition(b": ") for line in head.split(b"\n"))]
    ours = {name.lower().encode(): value.encode() for name, value in signed(BODY).items()}
    try:
        gate().verify(pairs, body)
    except VerificationError:
        pass
    else:
        told = {name.lower(): value for name, value in pairs}
        assert body == BODY
        assert all(told[name] == value for name, value in ours.items() if name in told)
    if body:
        _take(body)


def _take(body: bytes) -> None:
    seen: object
    wanted: object
    try:
        seen = canonicalize(gate().verify(signed(body), body).payload)
    except VerificationError as refusal:
        seen = refusal.reason
    try:
        wanted = canonicalize(parse(body))
    except CanonicalizationError as refusal:
        wanted = refusal.reason
    assert seen == wanted


TARGETS: dict[str, Callable[[bytes], None]] = {
    "parse": parse_target,
    "headers": headers_target,
    "verify": verify_target,
}


def inputs(target: str) -> list[bytes]:
    """The inputs that are kept for a target."""
    return [bytes.fromhex(line) for line in (CORPUS / f"{target}.hex").read_text(encoding="ascii").split()]


def main() -> None:
    """Fuzz one target."""
    target = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
