"""What lives as long as the whole run: the servers of the networked stores, each started when it is first needed."""

import logging
from collections.abc import Iterator

import pytest
from leaks import Watch
from store_kinds import Started

pytest_plugins = ["rp_signing.testing.plugin"]


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Whatever a test does, no secret and no api key gets into what the package logs."""
    watch, logger = Watch(), logging.getLogger("rp_signing")
    logger.addHandler(watch)
    try:
        yield
    finally:
        logger.removeHandler(watch)
    assert watch.found == []


@pytest.fixture(scope="session")
def kinds() -> Iterator[Started]:
    """Every kind of store by its name."""
    with Started() as started:
        yield started
