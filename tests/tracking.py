"""Sentry, with all that it can collect and nothing filtered; nothing is sent."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from recorded import VARIABLES


@pytest.fixture(autouse=True)
def tracked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What Sentry would send, with all that it can collect and nothing filtered."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    sent: list[str] = []

    def keep(event: Any, hint: Any) -> None:
        sent.append(json.dumps(event, default=repr))

    options: Any = {"include_local_variables": True, "event_scrubber": None}
    sentry_sdk.init(
        "https://public@sentry.invalid/1",
        before_send=keep,
        default_integrations=False,
        include_source_context=False,
        max_value_length=100_000,
        **options,
    )
    yield sent
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.init(default_integrations=False)


def collected(error: BaseException, sent: list[str]) -> str:
    """Give what Sentry and the traceback module make of an exception."""
    sentry_sdk.capture_exception(error)
    assert len(sent) == 1
    assert '"vars"' in sent[0]
    return sent.pop() + "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
