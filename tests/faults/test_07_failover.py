"""Fault 7: the master behind Sentinels, and the owner of the slot in a Redis Cluster, are killed under 1,000 jobs a second.
Work resumes within 2 s of the failover, and no worker is left wedged."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from flow import Flow, first_after
from swarm_support import Cluster, Language, Redis, Sentinels, wait_until
from team import CLUSTER, Team

LANGUAGES = list(Language)
RATE = 1000
KEY = f"{{{CLUSTER}}}:meta"


def play(_server: Redis, folder: Path, evidence: Evidence, *, kind: str) -> None:
    """Workers in every language, and a steady flow of jobs."""
    made: dict[str, Callable[[], AbstractContextManager[Sentinels | Cluster]]] = {
        "Sentinel": Sentinels,
        "Cluster": partial(Cluster, replicas=1),
    }
    with made[kind]() as servers:
        first = servers.master if isinstance(servers, Sentinels) else servers.owner(KEY)
        with Team(first, folder, 10.0, servers.url) as team:
            master, observer = team.master(timeout=30_000), team.master(timeout=30_000)
            workers = [team.worker(language, behave="echo", slots=100) for language in LANGUAGES]
            with Flow(team, master, RATE) as flow:
                wait_until(lambda: all(len(team.notes(worker, "completed")) > 200 for worker in workers), 20, "all complete jobs")
                began = time.monotonic()
                wait_until(lambda: time.monotonic() > began + 2, 3, "two seconds of work")
                killed = time.monotonic()
                evidence.measured(f"flow ({kind})", flow.rate(began, killed), "jobs/s", at_least=0.9 * RATE)

                team.server = servers.kill_master() if isinstance(servers, Sentinels) else servers.kill_owner(KEY)
                promoted = time.monotonic()
                evidence.measured(f"failover ({kind})", promoted - killed, "s")

                wait_until(
                    lambda: all(first_after(team.notes(w, "completed"), promoted) for w in workers), 20, "all complete jobs again"
                )
                flow.stop()
            for worker in workers:
                note = first_after(team.notes(worker, "completed"), promoted)
                assert note is not None
                took = note.t - promoted
                evidence.measured(f"work resumed after the failover ({kind})", took, "s", at_most=2, detail=worker.language)
            # Replication is asynchronous: what was not replicated is lost. A replica that lags by a second is a broken one.
            flow.doubt(killed - 1, promoted)
            wait_until(lambda: team.stats(observer)["waiting"] == team.stats(observer)["active"] == "0", 30, "all is done")
            for worker in workers:
                assert worker.call("health")["healthy"] == "true", f"{worker.language} is not healthy"
            team.check(observer, evidence)


SCENARIOS: dict[str, Scenario] = {kind: partial(play, kind=kind) for kind in ("Sentinel", "Cluster")}
LANES = [Lane(1, SCENARIOS)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_work_resumes_after_a_failover(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
