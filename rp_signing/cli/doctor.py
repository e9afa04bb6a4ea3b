"""``doctor``: what stands between here and an endpoint, and what it does to requests."""

from __future__ import annotations

import sys
from pathlib import Path as File

import click
import httpx2
from rich.markup import escape
from rich.table import Table

from ..sdk.credentials import fault_of_url
from ..signing import Signer
from .answer import as_json, print_json
from .options import existing_file, secret_in, timeout_option
from .path_probes import PROBES, Finding, Hopeless, Path
from .terminal import progress, wide_console


@click.command(short_help="Probe what the way to an endpoint changes.")
@click.option("--url", required=True, metavar="URL", help="Of the endpoint, as senders use it: https://HOST.")
@click.option("--api-key", required=True, metavar="K", help="An api key that the endpoint takes.")
@click.option(
    "--secret-file",
    required=True,
    type=existing_file,
    metavar="F",
    help="A file that holds its secret.",
)
@timeout_option
@as_json
def doctor(url: str, api_key: str, secret_file: File, timeout: float, as_json: bool) -> None:
    """Probe the way to an endpoint: what proxies and gateways on it change about a request. Stores nothing.

    Exit code 0 when requests arrive as they were sent, 1 when something changes them.
    """
    if fault := fault_of_url(url):
        raise click.UsageError(f"--url must be like https://ingest.example; {fault}")
    try:
        signer = Signer(api_key=api_key, secret=secret_in(secret_file))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with httpx2.Client(timeout=timeout, follow_redirects=False) as http:
        findings = _examined(Path(http, url, signer))
    if as_json:
        print_json({"fine": _fine(findings), "findings": [finding._asdict() for finding in findings]})
    else:
        _print(findings)
    sys.exit(0 if _fine(findings) else 1)


def _examined(path: Path) -> list[Finding]:
    """Ask each probe; where the first is refused, the others would say the same."""
    findings: list[Finding] = []
    with progress() as bar:
        for probe in bar.track(PROBES, description="probing"):
            try:
                fine, detail = probe.ask(path)
            except Hopeless as error:
                return [Finding(probe.name, False, str(error))]
            except httpx2.HTTPError as error:
                fine, detail = False, _unanswered(error)
                if not findings:
                    return [Finding(probe.name, fine, detail)]
            findings.append(Finding(probe.name, fine, detail))
    return findings


def _unanswered(error: httpx2.HTTPError) -> str:
    """Say why no answer came: by the error's kind, and by what the operating system or TLS said of a connection."""
    kind = type(error).__name__
    if isinstance(error, httpx2.ProxyError):
        return f"no answer: {kind}"  # its text may hold the proxy's address, and in it a password
    said = f"{kind}: {error}".rstrip(": ")
    return f"no connection: {said}" if kind in ("ConnectError", "ConnectTimeout") else f"no answer: {said}"


def _fine(findings: list[Finding]) -> bool:
    return all(finding.fine for finding in findings)


def _print(findings: list[Finding]) -> None:
    console = wide_console()
    table = Table(title="the way to the endpoint", title_justify="left", header_style="bold")
    table.add_column("sent")
    table.add_column("")
    table.add_column("what becomes of it", overflow="fold")
    for finding in findings:
        mark = "[green]fine[/]" if finding.fine else "[red]refused[/]" if len(findings) == 1 else "[red]altered[/]"
        table.add_row(finding.probe, mark, escape(finding.detail))
    console.print(table)
    if _fine(findings):
        console.print("[green]Requests arrive as they were sent.[/]")
    elif len(findings) == 1:
        console.print("[red]The first request was not taken; nothing more was asked.[/]")
    else:
        console.print("[red]Something on the way changes requests.[/]")
