"""What the conformance tests share: driver processes and servers that outlive one test."""

from collections.abc import Callable, Iterator

import pytest
from scenario import Drivers
from swarm_support import Redis


@pytest.fixture(scope="session")
def drivers() -> Iterator[Drivers]:
    shared = Drivers()
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[dict[str, str]], Redis]]:
    """A server with these settings, shared by all tests that ask for the same."""
    running: dict[str, Redis] = {}

    def server(config: dict[str, str]) -> Redis:
        key = repr(sorted(config.items()))
        if key not in running:
            running[key] = Redis(config)
        return running[key]

    yield server
    for one in running.values():
        one.close()
