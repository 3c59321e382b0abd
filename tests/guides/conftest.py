from collections.abc import Iterator

import pytest
from swarm_support import Redis


@pytest.fixture
def server() -> Iterator[Redis]:
    with Redis() as running:
        yield running
