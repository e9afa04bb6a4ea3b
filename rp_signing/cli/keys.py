"""``keygen`` and ``keys``: new api keys and secrets, and their rotation."""

from __future__ import annotations

import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from ..errors import StoreError
from ..keys import ApiKey, Secret, api_key_text, secret_text
from ..keys import api_key_id as id_of
from .answer import as_json, print_json
from .rotation import KeysFile
from .stores import DATABASE, look_at_events, looked_at
from .terminal import wide_console

_HOUR = 3600
_ROOM_FOR_IDS = 70
_ID = re.compile(r"[0-9a-f]{16}")

_keys_option = click.option(
    "--keys",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="F",
    help="The keys file.",
)


@click.command(short_help="Make an api key and a secret.")
@click.option("--test", "test", is_flag=True, help="Make test keys instead of live ones.")
@as_json
def keygen(test: bool, as_json: bool) -> None:
    """Make an api key (128 random bits) and a secret (256 random bits, with a checksum)."""
    _show(_made(test), as_json)
    if not as_json:
        click.echo("`rp-signing keys add` makes a pair and writes it into the server's keys file.", err=True)


@click.group(short_help="Add, retire and look at a server's keys.")
def keys() -> None:
    """Add and retire the keys of a server's keys file, and look at them.

    Rotation: `add --to` the next secret, give it to the sender, see in `status` that the old one no longer verifies
    anything, `retire` it. A running `serve` reads the file again on SIGHUP.
    """


@keys.command(short_help="Make an api key with a secret, or its next secret.")
@_keys_option
@click.option("--to", "api_key_id", metavar="ID", help="Add the next secret of this api key, as the newest.")
@click.option("--test", "test", is_flag=True, help="Make test keys instead of live ones.")
@as_json
def add(path: Path, api_key_id: str | None, test: bool, as_json: bool) -> None:
    """Make a new api key with a secret, or with --to the next secret of one. The file is made where there is none."""
    if api_key_id is not None and test:
        raise click.UsageError("the next secret is of its api key's kind, live or test: leave --test out")
    file = _opened(path) if api_key_id is None else _opened_again(path)
    if api_key_id is None:
        made = _made(test)
        _edited(file.add_api_key, made["api_key"], made["secret"])
    else:
        entry = file.keyring.find_id(api_key_id)
        text = secret_text(secrets.token_bytes(32), live=entry is None or entry.live)
        _edited(file.add_secret, api_key_id, text)
        made = {"secret": text, "api_key_id": api_key_id, "key_id": Secret(text).key_id}
    _show(made, as_json)


@keys.command(short_help="Retire a secret: it verifies no new request.")
@_keys_option
@click.argument("key_id")
@looked_at
@click.option("--force", is_flag=True, help="Also when it verified within the last hour, or nobody knows.")
@as_json
def retire(path: Path, key_id: str, data: Path | None, events_url: str | None, force: bool, as_json: bool) -> None:
    """Retire a secret: it verifies no new request, and events received until now still verify in the audit."""
    if not _ID.fullmatch(key_id):
        raise click.UsageError("KEY_ID is 16 hex digits; `rp-signing keys status` shows them")
    file = _opened_again(path)
    now = int(time.time())
    if not force:
        last = _last_verified(data, events_url)
        if last is None:
            raise click.UsageError(
                "say where events are kept, --data DIR or --events URL, to see that nobody signs with it any more; "
                "or --force"
            )
        age = now - last.get(key_id, 0)
        if age < _HOUR:
            raise click.ClickException(
                f"{key_id} verified a request {age:,} s ago: somebody still signs with it. Wait until it has been "
                "idle for an hour, or --force: what he sends is refused from then on"
            )
    api_key_id = _edited(file.retire, key_id, now)
    if as_json:
        print_json({"api_key_id": api_key_id, "key_id": key_id, "until": now})
    else:
        click.echo(f"retired {key_id} of api key {api_key_id}; running servers read the file again on SIGHUP")


@keys.command(short_help="Show every key id, and when it last verified.")
@_keys_option
@looked_at
@as_json
def status(path: Path, data: Path | None, events_url: str | None, as_json: bool) -> None:
    """Show every key id, what it is used for, and with --data or --events when it last verified a request."""
    file = _opened_again(path)
    last = _last_verified(data, events_url)
    rows = [row for entry in file.keyring for row in _rows(entry, last)]
    if as_json:
        print_json(rows)
        return
    console = wide_console()
    table = Table(title=f"api keys: {len(file.keyring):,}", title_justify="left", header_style="bold")
    for heading in ("api key id", "kind", "key id", "state", "last verified (UTC)"):
        # An id has to be whole, to be copied: other columns give way, and where that is not enough it is folded.
        table.add_column(heading, overflow="fold", no_wrap=heading.endswith("id") and console.width >= _ROOM_FOR_IDS)
    for row in rows:
        table.add_row(
            row["api_key_id"],
            "live" if row["live"] else "test",
            row["key_id"] or "–",
            _state(row),
            "unknown" if last is None else _when(row["last_verified"]),
        )
    console.print(table)
    if last is None:
        console.print("When each last verified a request is known with --data DIR or --events URL.")


def _rows(entry: ApiKey, last: dict[str, int] | None) -> list[dict[str, Any]]:
    shared = {"api_key_id": entry.api_key_id, "live": entry.live}
    states: list[tuple[str | None, str, int | None]] = [
        (key_id, "active" if number else "newest", None) for number, key_id in enumerate(entry.secrets)
    ]
    states += [(key_id, "retired", old.until) for key_id, old in entry.retired.items()]
    if not entry.secrets:
        states.insert(0, (None, "unsigned", None))
    return [
        {
            **shared,
            "key_id": key_id,
            "state": state,
            "until": until,
            "last_verified": None if last is None or key_id is None else last.get(key_id),
        }
        for key_id, state, until in states
    ]


def _state(row: dict[str, Any]) -> str:
    return {
        "newest": "[green]newest, signs[/]",
        "active": "[green]active[/]",
        "retired": f"retired {_when(row['until'])}",
        "unsigned": "[yellow]takes unsigned requests[/]",
    }[row["state"]]


def _when(seconds: int | None) -> str:
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _last_verified(data: Path | None, events_url: str | None) -> dict[str, int] | None:
    """Ask the event store; None where none is named."""
    if data is None and events_url is None:
        return None
    if events_url is None and not (data / DATABASE).exists():  # type: ignore[operator]  # one of the two is there
        raise click.UsageError(f"there is no {DATABASE} in {data}; nothing has been stored there")
    try:
        store = look_at_events(data, events_url)
        try:
            return store.last_verified()
        finally:
            store.close()
    except (OSError, ValueError, StoreError, ImportError) as error:
        raise click.UsageError(str(error)) from None


def _opened(path: Path) -> KeysFile:
    try:
        return KeysFile(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _opened_again(path: Path) -> KeysFile:
    """Open a keys file that is to be there."""
    if not path.exists():
        raise click.UsageError(f"{path} does not exist; `rp-signing keys add --keys {path}` makes it")
    return _opened(path)


def _edited(edit: Any, *arguments: Any) -> Any:
    try:
        return edit(*arguments)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _made(test: bool) -> dict[str, str]:
    api_key = api_key_text(secrets.token_bytes(16), live=not test)
    secret = secret_text(secrets.token_bytes(32), live=not test)
    return {"api_key": api_key, "secret": secret, "api_key_id": id_of(api_key), "key_id": Secret(secret).key_id}


def _show(made: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    for name, value in made.items():
        click.echo(f"{name:<11} {value}")
    hidden = "the api key and the secret" if "api_key" in made else "the secret"
    click.echo(f"\nThe ids are public. Keep {hidden} where secrets are kept; the sender needs both.", err=True)
