"""Where an extra is missing, what needs it says which line brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = "import sys; sys.modules.update(dict.fromkeys({missing!r})); "


@pytest.mark.parametrize(
    ("asked", "missing", "extra"),
    [
        ("from rp_signing import RetainPixel", ["httpx2"], "client"),
        ("from rp_signing.sdk import split", ["pydantic"], "client"),
        ("from rp_signing.testing import RecordingClient", ["httpx2"], "client"),
        ("from rp_signing.testing import AsyncRecordingClient", ["pydantic"], "client"),
        ("import rp_signing.events", ["pydantic"], "client"),
        ("import rp_signing.conformance.adapter", ["pydantic"], "client"),
        ("from rp_signing.ingest.app import Ingest", ["pydantic"], "ingest"),
        ("from rp_signing.ingest.postgres import PostgresEventStore", ["psycopg"], "postgres"),
        ("from rp_signing.stores.postgres import connect", ["psycopg_pool"], "postgres"),
        ("from rp_signing.stores.redis import RedisNonceStore", ["redis"], "redis"),
        ("from rp_signing.otel import OpenTelemetryObserver", ["opentelemetry"], "otel"),
    ],
)
def test_a_missing_extra_is_named_with_what_brings_it(asked: str, missing: list[str], extra: str) -> None:
    """The ImportError has the line to type."""
    code = WITHOUT.format(missing=missing) + asked
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"rp-signing[{extra}]" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize("module", ["ingest.sqlite", "keyfile", "middleware.asgi", "middleware.wsgi", "testing"])
def test_what_needs_no_extra_needs_none(module: str) -> None:
    """Middlewares, files and valid requests for tests work by `pip install rp-signing` alone."""
    missing = ["click", "httpx2", "httpcore2", "jinja2", "opentelemetry", "psycopg", "pydantic", "redis", "uvicorn"]
    code = WITHOUT.format(missing=missing) + f"import rp_signing.{module}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
