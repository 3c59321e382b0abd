"""The faults whose recovery depends on the lease, with the default options of each language: a lease of 15 s, in Node of 60 s.
All that waits for leases waits at the same time."""

import pytest
import test_01_killed_worker as killed
import test_02_stopped_worker as stopped
import test_06_emptied_redis as emptied
import test_08_half_open as half_open
import test_10_partition as partition
from at_once import Lane, Played, Scenario
from evidence import Evidence


def _numbered(number: int, scenarios: dict[str, Scenario]) -> dict[str, Scenario]:
    return {f"{number:02}-{name}": scenario for name, scenario in scenarios.items()}


WAITING = {
    **_numbered(1, killed.scenarios(None)),
    **_numbered(2, stopped.scenarios(None)),
    **_numbered(10, partition.scenarios(None, None)),
}
# They are over in seconds, and are played while the others wait.
SHORT = {**_numbered(6, emptied.scenarios(None)), **_numbered(8, half_open.scenarios(None))}
LANES = [Lane(len(WAITING), WAITING), Lane(3, SHORT)]
DONE = {
    1: "kill -9 of a worker with 500 active jobs, default options",
    2: "SIGSTOP of a worker for 2 L, default options",
    6: "Redis loses all its data, default options",
    8: "half-open connections, default options",
    10: "members cut off for 0.5 L and for 1.5 L, default options",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.fault(int(name[:2]), DONE[int(name[:2])])) for name in {**SHORT, **WAITING}]
)
def test_default_options(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
