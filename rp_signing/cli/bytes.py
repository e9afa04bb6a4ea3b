"""``canonicalize``, ``sign`` and ``verify``: one body, from standard input."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

import click

from .. import canonical
from ..errors import CanonicalizationError, VerificationError
from ..keyfile import load_keyring
from ..signing import Signer, sign_event
from ..stores.memory import MemoryNonceStore
from ..verifier import Verified, Verifier
from .answer import as_json, print_json, read_body, refuse, write_bytes
from .options import existing_file, keys_option, nonce_option, now_option, secret_in, timestamp_option


@click.command(short_help="Write the canonical form of some JSON.")
@as_json
def canonicalize(as_json: bool) -> None:
    """Write the canonical form (RFC 8785) of the JSON on standard input to standard output."""
    try:
        written = canonical.canonicalize(canonical.parse(read_body()))
    except CanonicalizationError as error:
        refuse(error, as_json)
    if as_json:
        digest = hashlib.sha256(written).hexdigest()
        print_json({"canonical": written.decode(), "length": len(written), "digest": digest})
    else:
        write_bytes(written)


@click.command(short_help="Sign a body: print its five headers.")
@click.option("--api-key", required=True, metavar="K", help="The api key.")
@click.option(
    "--secret-file",
    required=True,
    type=existing_file,
    metavar="F",
    help="A file that holds the secret; one line end after it is not part of it.",
)
@timestamp_option
@nonce_option
@click.option("--event", is_flag=True, help="Sign the event itself: print it with its integrity_signature.")
@as_json
def sign(api_key: str, secret_file: Path, timestamp: int | None, nonce: str | None, event: bool, as_json: bool) -> None:
    """Sign the body on standard input: print the five headers, one `Name: value` a line.

    An endpoint that stores events wants both: sign the event first (--event), then the request that carries it.
    """
    if event and (timestamp is not None or nonce is not None):
        raise click.UsageError("an event's own signature holds no timestamp and no nonce; they are of the request")
    secret = secret_in(secret_file)
    try:
        signer = Signer(
            api_key=api_key,
            secret=secret,
            clock=None if timestamp is None else lambda: timestamp,
            nonce=None if nonce is None else lambda: nonce,
        )
        if event:
            payload = canonical.parse(read_body())
            if not isinstance(payload, dict):
                raise click.UsageError("an event is a JSON object; each event of a batch is signed on its own")
            signed = sign_event(payload, api_key=api_key, secret=secret)
            write_bytes(canonical.canonicalize(signed))
            return
        headers = signer.sign(read_body())
    except CanonicalizationError as error:
        refuse(error, as_json)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        print_json(headers)
    else:
        click.echo("\n".join(f"{name}: {value}" for name, value in headers.items()))


@click.command(short_help="Verify a body under its headers.")
@keys_option
@click.option(
    "--headers",
    required=True,
    type=click.File("rb"),
    metavar="FILE",
    help="The request's headers, one `Name: value` a line: what `sign` prints.",
)
@now_option
@as_json
def verify(keys: Path, headers: BinaryIO, now: float | None, as_json: bool) -> None:
    """Verify the body on standard input under its headers; a refusal says its reason.

    Single use is not looked at here: the nonces that a server has seen are in its own store.
    """
    try:
        keyring = load_keyring(keys)
        pairs = header_lines(headers.read())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    verifier = Verifier(keyring, nonces=MemoryNonceStore(born=0), clock=None if now is None else lambda: now)
    try:
        verified = verifier.verify(pairs, read_body())
    except VerificationError as error:
        refuse(error, as_json, verified=False, public_code=error.public_code)
    _print_verified(verified, as_json)


def header_lines(text: bytes) -> list[tuple[str, str]]:
    """Read ``Name: value`` lines; an octet is a character, as on the wire.

    Raises:
        ValueError: a line has no colon.
    """
    pairs = []
    for number, line in enumerate(text.decode("latin-1").split("\n"), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"line {number} of the headers is no `Name: value`")
        pairs.append((name, value.strip(" \t\r")))
    return pairs


def _print_verified(verified: Verified, as_json: bool) -> None:
    claim = verified.claim
    shown = {
        "api_key_id": claim.api_key_id,
        "key_id": claim.key_id,
        "timestamp": claim.timestamp,
        "nonce": claim.nonce,
        "length": claim.length,
        "digest": claim.digest,
        "live": claim.live,
    }
    if as_json:
        print_json({"verified": True, "reason": None, **shown})
        return
    click.secho("verified", fg="green", bold=True)
    for name, value in shown.items():
        click.echo(f"  {name:<11} {value}")
