"""Fixtures for pytest, which loads this module by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import TestCluster


@pytest.fixture(scope="session")
def swarm_url() -> str:
    """The URL of the Redis for tests: SWARM_REDIS_URL, or a private server that ends with this process."""
    from .testing import private_redis

    return private_redis()


@pytest.fixture
def swarm(swarm_url: str) -> Iterator[TestCluster]:
    """A cluster that no other test uses; see `libswarm.testing.cluster`."""
    from .testing import cluster

    with cluster(url=swarm_url) as made:
        yield made
