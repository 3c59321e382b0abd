"""Fault 21: workers join and leave while 1,000 jobs are active. The load evens out, and a job has never two holders."""

import math
from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Driver, Redis, wait_until
from team import Team

JOBS = 1000
WORKERS = 10
LEASE = 2.0


def loads(workers: list[Driver]) -> list[int]:
    """How many active jobs each has."""
    return [int(worker.call("health")["active"]) for worker in workers]


def even(workers: list[Driver]) -> bool:
    active = loads(workers)
    return sum(active) == JOBS and max(active) - min(active) <= 1


@pytest.mark.parametrize("rebalance", [False, True])
def test_the_load_evens_out(server: Redis, tmp_path: Path, rebalance: bool, evidence: Evidence) -> None:
    with Team(server, tmp_path, LEASE) as team:
        master = team.master()
        workers = [team.worker(rebalance=rebalance) for _ in range(WORKERS)]
        team.add(master, JOBS)
        wait_until(lambda: even(workers), 10, "all jobs are active, evenly")

        joined = team.worker(rebalance=rebalance)
        if rebalance:
            wait_until(lambda: even([*workers, joined]), 10, "the load is even again")
            moves = sum(len(team.notes(worker, "delete")) for worker in workers)
            evidence.measured("moves on a join with rebalance", moves, at_most=math.ceil(JOBS / (WORKERS + 1)))
        else:
            moves = sum(len(team.notes(worker, "delete")) for worker in workers)
            evidence.measured("moves on a join without", moves, at_most=0)

        # One leaves: its jobs go to the least loaded.
        gone = workers.pop()
        gone.call("terminate", grace=1000)
        members = [*workers, joined]
        wait_until(lambda: sum(loads(members)) == JOBS, 10, "its jobs are assigned to the others")
        # Each is replaced in turn.
        for _ in range(3):
            old = members.pop(0)
            members.append(team.worker(rebalance=rebalance))
            old.call("terminate", grace=1000)
            wait_until(lambda: sum(loads(members)) == JOBS, 10, "all jobs are active")
        if rebalance:
            wait_until(lambda: even(members), 30, "the load is even at the end")
            evidence.measured("difference of the loads at the end", max(loads(members)) - min(loads(members)), at_most=1)
        for member in members:
            member.call("terminate", grace=1000)
        team.check(master, evidence)
