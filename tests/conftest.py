"""What lives as long as the whole run: the servers of the networked stores, each started when it is first needed."""

from collections.abc import Iterator

import pytest
from store_kinds import Started

pytest_plugins = ["rp_signing.testing.plugin"]


@pytest.fixture(scope="session")
def kinds() -> Iterator[Started]:
    """Every kind of store by its name."""
    with Started() as started:
        yield started
