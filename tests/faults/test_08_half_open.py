"""Fault 8: the blocking connection of a worker, then its command connection falls silent. Traffic resumes within 5 s of the
moment by which that must be noticed, and `health()` is red meanwhile."""

import time
from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Language, Proxy, Redis, wait_until
from team import Team

LEASE = 6.0
# A command that only that connection sends.
CONNECTIONS = {"blocking": b"XREAD", "command": b"EVALSHA"}


def noticed_within(connection: str, lease: float) -> float:
    """The bounds of docs/explanation/architecture.md, with the default `timeout` of 5 s."""
    if connection == "blocking":
        return min(max(lease / 3, 1.0), 4.0) + 2.0
    return min(max(lease / 3, 0.5), 5.0)


def play(server: Redis, folder: Path, evidence: Evidence, *, connection: str, language: Language, lease: float | None) -> None:
    """A worker completes a steady flow of jobs when one of its connections falls silent."""
    with Proxy(server.port) as proxy, Team(server, folder, lease) as team:
        noticed = noticed_within(connection, team.lease_of(language))
        master = team.master()
        worker = team.worker(language, behave="echo", url=proxy.url)
        team.add(master, 1)
        team.wait_for_notes(worker, "completed", 1, 5)

        # No new connection can be made until the silence is noticed: else it could be over before a check.
        proxy.refuse = True
        proxy.silence(CONNECTIONS[connection])
        silent = time.monotonic()
        team.add(master, 1)
        wait_until(lambda: worker.call("health")["healthy"] == "false", noticed + 2, "health() is red")
        evidence.measured(f"red with a silent {connection} connection", time.monotonic() - silent, "s", detail=language)
        assert time.monotonic() - silent <= noticed + 0.5, "it took longer than the bound"
        proxy.refuse = False

        back = team.wait_for_notes(worker, "completed", 2, 20)[1].t - silent
        evidence.measured(f"traffic back after the bound ({connection})", back - noticed, "s", at_most=5, detail=language)
        wait_until(lambda: worker.call("health")["healthy"] == "true", 5, "health() is green again")
        assert not team.notes(worker, "close"), "the lease was kept"
        team.check(master, evidence)


def scenarios(lease: float | None) -> dict[str, Scenario]:
    """Each connection in each language."""
    return {
        f"{connection}-{language}": partial(play, connection=connection, language=language, lease=lease)
        for connection in CONNECTIONS
        for language in Language
    }


LANES = [Lane(4, scenarios(LEASE))]


@pytest.mark.parametrize("name", LANES[0].scenarios)
def test_traffic_resumes_after_a_half_open_connection(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
