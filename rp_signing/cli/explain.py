"""``explain``: why a signature failed, with both signing inputs side by side."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any, BinaryIO

import click

from .. import canonical, wire
from ..errors import CanonicalizationError
from ..explain import LINES, Explanation, explain_event
from ..explain import explain as explain_request
from ..keyfile import load_keyring
from ..keys import Keyring
from .answer import as_json, print_json, read_body, refuse
from .bytes import header_lines
from .options import keys_option, now_option

_LABEL = max(map(len, LINES)) + 2
_MARK = "≠ "
_LEFT_OUT = "(left out)"
_NOT_HERE = "Most often it was signed with a secret that is not in the keys file."
_ALTERED = (
    "It names one of them: most often the body or a header is not what was signed, else the secret was another than "
    "its key id says."
)
_COMPARE = "Compare the lines below with those that the signer made."
_ONCE = "Whether it came before is not looked at: what a server refused as replayed verifies here."


@click.command(short_help="Say why a signature does not match.")
@keys_option
@click.option(
    "--headers",
    type=click.File("rb"),
    metavar="FILE",
    help="The request's headers, one `Name: value` a line. With --event they give the api key alone.",
)
@click.option("--event", is_flag=True, help="Look at the event's own signature instead of the request's.")
@now_option
@as_json
def explain(keys: Path, headers: BinaryIO | None, event: bool, now: float | None, as_json: bool) -> None:
    """Say why the body on standard input is refused under its headers.

    Tries what usually goes wrong, one mistake after another and then two at once, and says what would have matched. It
    reads and writes nothing else, and accepts nothing: exit 0 only where `verify` would. It hashes the body 60 times at
    the most for one mistake and 600 times in all, and says when it stopped looking.
    """
    if headers is None and not event:
        raise click.UsageError("give the request's --headers, or --event")
    try:
        keyring = load_keyring(keys)
        pairs = header_lines(headers.read()) if headers else []
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    explanation = _of_event(keyring, pairs, as_json) if event else explain_request(keyring, pairs, read_body(), now=now)
    if as_json:
        print_json(_document(explanation))
    else:
        _print(explanation, keyring, shutil.get_terminal_size().columns)
    sys.exit(0 if explanation.verified else 1)


def _of_event(keyring: Keyring, pairs: list[tuple[str, str]], as_json: bool) -> Explanation:
    """Explain one event; of a batch, the first that is refused."""
    try:
        payload = canonical.parse(read_body())
    except CanonicalizationError as error:
        refuse(error, as_json, verified=False, causes=[{"cause": error.reason.value, "detail": error.detail}])
    api_key = next((value for name, value in pairs if name.lower() == wire.API_KEY.lower()), None)
    batch = payload.get("batch") if isinstance(payload, dict) else None
    events = batch if isinstance(batch, list) and batch else [payload]
    explanations = [explain_event(one, keyring=keyring, api_key=api_key) for one in events[:1]]
    for one in events[1:]:
        if not explanations[-1].verified:
            break
        explanations.append(explain_event(one, keyring=keyring, api_key=api_key))
    last = explanations[-1]
    if len(events) > 1 and not last.verified:
        return last._replace(detail=f"event {len(explanations) - 1} of the batch: {last.detail}")
    return last


def _document(explanation: Explanation) -> dict[str, Any]:
    return {
        "verified": explanation.verified,
        "reason": explanation.reason and explanation.reason.value,
        "detail": explanation.detail,
        "causes": [cause._asdict() for cause in explanation.causes],
        "signing_input": {"received": explanation.received, "signed": explanation.signed},
        "stopped": explanation.stopped,
    }


def _print(explanation: Explanation, keyring: Keyring, width: int) -> None:
    if explanation.verified:
        click.secho("verified", fg="green", bold=True)
        if explanation.received is not None and explanation.received[LINES.index("purpose")] == "request":
            click.echo(_wrapped(_ONCE, width, 0))
        return
    refused = f"{click.style('refused', fg='red', bold=True)}  "
    click.echo(refused + _wrapped(f"{explanation.reason}: {explanation.detail}", width, 9))
    if len(explanation.causes) > 1:
        click.echo(f"\n{len(explanation.causes)} mistakes at once; each has to be mended.")
    for cause in explanation.causes:
        click.echo(f"\n{click.style('cause', fg='yellow', bold=True)}    {click.style(cause.cause, bold=True)}")
        click.echo(" " * 9 + _wrapped(cause.detail, width, 9))
    if not explanation.causes:
        said = "Nothing matched of all that is known by name."
        received = explanation.received
        entry = keyring.find_id(received[LINES.index("api key id")]) if received else None
        if received and entry:
            named = received[LINES.index("key id")] in entry.secrets
            said += f" Active secrets of this api key: {', '.join(entry.secrets) or 'none'}."
            said += f" {_ALTERED if named else _NOT_HERE} {_COMPARE}"
        click.echo("\n" + _wrapped(said, width, 0))
    if explanation.stopped:
        click.echo(
            _wrapped(
                f"Stopped looking after {explanation.tried:,} MACs and {explanation.hashed:,} hashes of the body: "
                "some of the rarer pairs were not tried.",
                width,
                0,
            )
        )
    if explanation.received is not None:
        click.echo("\n" + "\n".join(_side_by_side(explanation.received, explanation.signed, width)))


def _wrapped(text: str, width: int, indent: int) -> str:
    return textwrap.fill(text, max(width, 40) - indent, break_on_hyphens=False).replace("\n", "\n" + " " * indent)


def _side_by_side(received: tuple[str, ...], signed: tuple[str, ...] | None, width: int) -> list[str]:
    """Give the lines of both signing inputs; those that differ are marked."""
    room = max(16, min(64, (width - len(_MARK) - _LABEL - 2) // 2))
    if signed is None:
        room = 64
    head = f"{' ' * len(_MARK)}{'':<{_LABEL}}{'signing input here':<{room}}" + ("  what was signed" if signed else "")
    rows = [click.style(head.rstrip(), bold=True)]
    aligned = signed
    if signed is not None and len(signed) == len(LINES) - 1:
        aligned = (_LEFT_OUT, *signed)
    elif signed is not None and len(signed) == 1:
        aligned = (*signed, *[""] * (len(LINES) - 1))
    for index, (label, ours) in enumerate(zip(LINES, received, strict=True)):
        theirs = ours if aligned is None else aligned[index]
        differs = theirs != ours
        row = f"{_MARK if differs else '  '}{label:<{_LABEL}}{_short(ours, room):<{room}}"
        if signed is not None:
            row += "  " + _short(theirs, room)
        rows.append(click.style(row.rstrip(), fg="yellow") if differs else row.rstrip())
    if signed == received:
        rows.append(
            _wrapped("Both are the same: what differs is the secret, the MAC's making, or its spelling.", width, 0)
        )
    return rows


def _short(text: str, room: int) -> str:
    """Take out the middle of what is too long; both ends stay, where differences show."""
    return text if len(text) <= room else f"{text[: room - 9]}…{text[-8:]}"
