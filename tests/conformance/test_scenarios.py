"""Each scenario in each language and each pair of languages."""

from collections.abc import Callable

import pytest
from scenario import Drivers, Player, Scenario, load
from swarm_support import Language, Redis

CASES = [
    pytest.param(scenario, pair, id=f"{scenario.name}-{pair[0]}-{pair[1]}") for scenario in load() for pair in scenario.pairs
]


@pytest.mark.parametrize(("scenario", "pair"), CASES)
def test_scenario(
    scenario: Scenario, pair: tuple[Language, Language], drivers: Drivers, servers: Callable[[dict[str, str]], Redis]
) -> None:
    server = servers(scenario.server)
    cluster = f"{scenario.name}-{pair[0]}-{pair[1]}"
    try:
        Player(scenario, drivers, server, cluster, pair, {"url": server.url}).play()
        outside = [key for key in server.command("KEYS", "*") if not key.startswith(f"{{{cluster}}}:".encode())]
        assert not outside, f"keys outside the prefix: {outside}"
    finally:
        server.command("FLUSHALL")
