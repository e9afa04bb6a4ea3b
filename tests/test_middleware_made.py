"""How a door is made: what makes no sense is refused then, not at the first request."""

from __future__ import annotations

from typing import Any

import pytest
from parties import KEYS

from rp_signing import Keyring, MemoryNonceStore
from rp_signing.middleware.asgi import VerifyRequests as VerifyASGI
from rp_signing.middleware.wsgi import VerifyRequests as VerifyWSGI

KEYRING = Keyring.of(KEYS)


@pytest.fixture(params=[VerifyASGI, VerifyWSGI])
def door(request: pytest.FixtureRequest) -> Any:
    """Each door's class in its turn."""
    return request.param


def test_nonces_in_memory_are_refused_where_several_processes_serve(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """WEB_CONCURRENCY above 1 and a memory store do not go together, and the error says what does."""
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    with pytest.raises(ValueError, match=r"WEB_CONCURRENCY is 4.*SQLiteNonceStore"):
        door(None, KEYRING, nonces=MemoryNonceStore(born=0))
    for workers in ("1", "", "auto"):
        monkeypatch.setenv("WEB_CONCURRENCY", workers)
        door(None, KEYRING, nonces=MemoryNonceStore(born=0))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"nonces": None}, TypeError),
        ({"keyring": {"rpx_test_demo": "s"}}, TypeError),
        ({"body_timeout": 0}, ValueError),
        ({"body_timeout": float("nan")}, ValueError),
        ({"past": -1}, ValueError),
        ({"max_body": "1"}, ValueError),
    ],
)
def test_a_door_that_makes_no_sense_is_not_made(door: Any, options: dict[str, Any], error: type[Exception]) -> None:
    """A wrong argument raises when the door is made, not at the first request."""
    given = {"keyring": Keyring.of(KEYS), "nonces": MemoryNonceStore(born=0)} | options
    with pytest.raises(error, match=next(iter(options))):
        door(None, given.pop("keyring"), **given)
