"""Scenarios that mostly wait are played at the same time, each with a server of its own, and reported as a test each."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from evidence import Evidence
from swarm_support import Redis

Scenario = Callable[[Redis, Path, Evidence], None]


@dataclass(frozen=True)
class Lane:
    """Scenarios by name, of which so many are played at once. The lanes of a file go side by side. `config` is the
    servers'."""

    at_once: int
    scenarios: dict[str, Scenario]
    config: dict[str, str] = field(default_factory=dict)


class Played:
    """The scenarios of some lanes, from the moment it is made."""

    def __init__(self, lanes: list[Lane], chosen: Collection[str], folder: Path) -> None:
        self._pools = [ThreadPoolExecutor(lane.at_once) for lane in lanes]
        self._evidence: dict[str, Evidence] = {name: Evidence([]) for lane in lanes for name in lane.scenarios}
        self._outcomes = {
            name: pool.submit(partial(self._play, lane.config, scenario, folder / name, self._evidence[name]))
            for pool, lane in zip(self._pools, lanes, strict=True)
            for name, scenario in lane.scenarios.items()
            if name in chosen
        }

    def outcome(self, name: str, evidence: Evidence) -> None:
        """Waits for the end of a scenario, adds what it measured to `evidence`, and raises what it raised."""
        error = self._outcomes[name].exception()
        evidence.properties.extend(self._evidence[name].properties)
        if error is not None:
            raise error

    def close(self) -> None:
        """Waits for all that have begun; the others never do."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)

    @staticmethod
    def _play(config: dict[str, str], scenario: Scenario, folder: Path, evidence: Evidence) -> None:
        with Redis(config) as server:
            scenario(server, folder, evidence)
