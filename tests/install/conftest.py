"""A Redis for the programs that use the installed packages, a new one for each test: examples leave jobs behind."""

from collections.abc import Iterator

import pytest
from swarm_support import Redis


@pytest.fixture
def url() -> Iterator[str]:
    with Redis() as server:
        yield server.url
