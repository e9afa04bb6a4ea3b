"""``conform``: whether another implementation, or a running server, keeps to SPEC.md."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypedDict, Unpack

import click
from rich.progress import TimeElapsedColumn

from ..conformance.driver import Crash
from ..conformance.escape import visible
from ..conformance.junit import junit
from ..conformance.levels import LEVELS
from ..conformance.outcome import Outcome, Status
from ..conformance.page import page
from ..conformance.report import Report, read_expected
from ..conformance.trial import Trial
from ..conformance.vectors import SUITES, load_vectors
from ..sdk.credentials import fault_of_url
from .answer import as_json
from .conform_table import print_report
from .options import existing_file, secret_in, timeout_option
from .terminal import progress, wide_console

_new = click.Path(dir_okay=False, writable=True, path_type=Path)


class _Options(TypedDict):
    """What was typed after ``conform``."""

    command: tuple[str, ...]
    level: str | None
    suites: tuple[str, ...]
    expected: Path | None
    timeout: float
    url: str | None
    api_key: str | None
    secret_file: Path | None
    own: bool
    junit_file: Path | None
    html_file: Path | None
    as_json: bool


@click.command(
    short_help="Judge an SDK in any language, or a running server.", context_settings={"allow_interspersed_args": False}
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
@click.option(
    "--level",
    type=click.Choice(list(LEVELS)),
    metavar="LEVEL",
    help=f"Run the suites of this level, and want all of them: {', '.join(LEVELS)}.",
)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    type=click.Choice(SUITES),
    metavar="SUITE",
    help=f"Run this suite; may be repeated: {', '.join(SUITES)}.",
)
@click.option(
    "--expected",
    type=existing_file,
    metavar="FILE",
    help="Failures that are known: an id a line, and `# why` after it. One that passes fails the run.",
)
@timeout_option
@click.option("--url", metavar="URL", help="Probe the server that runs there instead. It stores some hundred events.")
@click.option("--api-key", metavar="K", help="With --url: an api key that the server takes.")
@click.option("--secret-file", type=existing_file, metavar="F", help="With --url: a file that holds its secret.")
@click.option("--i-own-this-server", "own", is_flag=True, help="With --url: probe one that is not on this machine.")
@click.option("--junit", "junit_file", type=_new, metavar="FILE", help="Write the report as JUnit XML.")
@click.option("--html", "html_file", type=_new, metavar="FILE", help="Write the report as one HTML page.")
@as_json
def conform(**options: Unpack[_Options]) -> None:
    """Judge an implementation of RP1 in any language by every vector, or a running server by its answers.

    rp-signing conform -- node adapter.mjs

    rp-signing conform --url http://127.0.0.1:8000 --api-key K --secret-file F

    rp_signing/conformance/README.md says how an adapter is written. Exit codes: 0 all passed but for what is listed
    as skipped, 1 something failed or crashed, 2 usage, or the adapter does not start.
    """
    _check_usage(options)
    expected = _expected(options["expected"])
    started = time.monotonic()
    target, outcomes, known = _probe(options) if options["url"] else _try_vectors(options)
    seconds = time.monotonic() - started
    levels = not options["url"] and not options["suites"]
    report = Report(target, tuple(outcomes), seconds, expected, frozenset(known), levels)
    _write(options["junit_file"], lambda: junit(report))
    _write(options["html_file"], lambda: page(report).encode())
    if options["as_json"]:
        click.echo(json.dumps(report.document(), indent=2))  # in ASCII: an adapter may have written a lone surrogate
    else:
        print_report(wide_console(), report)
    sys.exit(0 if report.ok else 1)


def _check_usage(options: _Options) -> None:
    """Refuse options that make no sense together, and files that could not be written in the end."""
    if bool(options["command"]) == bool(options["url"]):
        raise click.UsageError("say what is judged: an adapter, `-- COMMAND…`, or a server, `--url URL`")
    if options["level"] and options["suites"]:
        raise click.UsageError("--level and --suite both say which suites run; give one of them")
    of_a_server = {"--api-key": options["api_key"], "--secret-file": options["secret_file"]}
    if options["url"]:
        if missing := [name for name, value in of_a_server.items() if not value]:
            raise click.UsageError(f"--url needs {' and '.join(missing)}")
        if options["level"] or options["suites"]:
            raise click.UsageError("a server has no levels and no suites; every probe is run")
    elif given := [name for name, value in {**of_a_server, "--i-own-this-server": options["own"]}.items() if value]:
        raise click.UsageError(f"{given[0]} goes with --url")
    for path in (options["junit_file"], options["html_file"]):
        if path and not path.resolve().parent.is_dir():
            raise click.UsageError(f"{path} cannot be written: there is no such folder")


def _expected(path: Path | None) -> dict[str, str]:
    try:
        return read_expected(path.read_text(encoding="utf-8")) if path else {}
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{path}: {visible(str(error))}") from None


def _try_vectors(options: _Options) -> tuple[str, list[Outcome], set[str]]:
    """Ask an adapter for every vector of the suites that it takes, or is to take."""
    vectors = load_vectors()
    outcomes = []
    try:
        trial = Trial(options["command"], options["timeout"])
    except Crash as crash:
        _usage(f"{options['command'][0]}: {crash}")
    with trial:
        hello = trial.hello
        needed = options["suites"] or (LEVELS[options["level"]] if options["level"] else hello.suites)
        outcomes += [_not_taken(suite) for suite in SUITES if suite in needed and suite not in hello.suites]
        chosen = [one for one in vectors if one["suite"] in needed and one["suite"] in hello.suites]
        with _progress(len(chosen)) as advance:
            for vector in chosen:
                outcomes.append(trial.judge(vector))
                advance(outcomes[-1])
    return f"{hello.name} {hello.version}", outcomes, {one["id"] for one in vectors}


def _not_taken(suite: str) -> Outcome:
    why = "its hello does not name this suite, which --level or --suite asks for"
    return Outcome(f"{suite}-not-taken", suite, Status.FAILED, (), "the suite as a whole", detail=why)


def _probe(options: _Options) -> tuple[str, list[Outcome], set[str]]:
    """Send every probe to a running server."""
    from ..conformance.blackbox import (
        PROBES,
        Unreachable,
        probe_server,
    )  # it brings an HTTP talker that adapters need not

    url, secret = options["url"] or "", secret_in(options["secret_file"] or Path())
    if fault := fault_of_url(url):
        _usage(f"--url must be like http://127.0.0.1:8000; {fault}")
    try:
        with _progress(len(PROBES)) as advance:
            outcomes = probe_server(url, options["api_key"] or "", secret, advance, options["own"])
    except (ValueError, OSError, Unreachable) as error:
        _usage(str(error))
    return url, outcomes, {probe.id for probe in PROBES}


def _usage(message: str) -> NoReturn:
    raise click.UsageError(visible(message)) from None


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show how far the run is, on a terminal only; yields what is called with each outcome."""
    with progress(TimeElapsedColumn()) as bar:
        task = bar.add_task("", total=total)
        yield lambda outcome: bar.update(task, advance=1, description=f"{outcome.suite:<13}")


def _write(path: Path | None, write: Callable[[], bytes]) -> None:
    if path:
        try:
            path.write_bytes(write())
        except OSError as error:
            _usage(f"{path} cannot be written: {error.strerror}")
