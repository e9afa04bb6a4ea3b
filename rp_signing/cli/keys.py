"""``keygen``: a new api key and its secret."""

from __future__ import annotations

import secrets

import click

from ..keys import Secret, api_key_text, secret_text
from ..keys import api_key_id as id_of
from .answer import as_json, print_json


@click.command()
@click.option("--test", "test", is_flag=True, help="Make test keys instead of live ones.")
@as_json
def keygen(test: bool, as_json: bool) -> None:
    """Make an api key (128 random bits) and a secret (256 random bits, with a checksum)."""
    api_key = api_key_text(secrets.token_bytes(16), live=not test)
    secret = secret_text(secrets.token_bytes(32), live=not test)
    shown = {
        "api_key": api_key,
        "secret": secret,
        "api_key_id": id_of(api_key),
        "key_id": Secret(secret).key_id,
    }
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        click.echo(f"{name:<11} {value}")
    click.echo(
        "\nThe ids are public. Keep the other two where secrets are kept; the server's keys file takes them as",
        err=True,
    )
    click.echo('  {"api_keys": [{"api_key": "…", "secrets": ["…"]}]}', err=True)
