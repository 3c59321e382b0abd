"""Fault 19: 1,000 jobs of one resource, 50 workers, random kills. Their executions do not overlap, they come in order, and
waiting costs at most 3 calls per job."""

import itertools
import random
from functools import partial
from pathlib import Path

from evidence import Evidence
from swarm_support import Redis, wait_until
from team import Team

JOBS = 1000
WORKERS = 50
KILLS = 5
WORK = 0.002
LEASE = 1.0


def calls(server: Redis) -> int:
    """Scripts that clients have called."""
    commands = server.admin.info("commandstats")
    return sum(int(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("evalsha", "eval"))


def test_jobs_of_one_resource_do_not_overlap(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Team(server, tmp_path, LEASE) as team:
        master = team.master()
        workers = [team.worker(behave="wait", burn=int(WORK * 1000)) for _ in range(WORKERS)]
        ids = team.add(master, JOBS, resource="disk")
        chance = random.Random(19)
        alive = list(workers)

        def completed(enough: int) -> bool:
            return int(team.stats(master)["completed"]) >= enough

        for kill in range(1, KILLS + 1):
            wait_until(partial(completed, kill * JOBS // (KILLS + 2)), 30, "some are completed")
            # The holder, so that it matters.
            holder = next(iter(master.call("jobs", state="active", limit=10).list("ids")), None)
            incarnation = master.call("job", id=holder).get("holder") if holder else None
            victim = next((w for w in alive if w.call("ready")["incarnation"] == incarnation), chance.choice(alive))
            alive.remove(victim)
            victim.kill()
        wait_until(lambda: int(team.stats(master)["completed"]) == JOBS, 60, "all are completed")

        begun = sorted((note for worker in workers for note in team.notes(worker, "add")), key=lambda note: note.fence)
        done = {(note.job, note.fence) for worker in workers for note in team.notes(worker, "completed")}
        accepted = [note for note in begun if (note.job, note.fence) in done]
        overlap = [(one, other) for one, other in itertools.pairwise(accepted) if other.t < one.t + WORK]
        evidence.measured("executions that overlap", len(overlap), at_most=0, detail=overlap[:3])
        order = list(dict.fromkeys(note.job for note in begun))
        assert order == ids, "the jobs come in the order in which they were added"
        evidence.measured("workers killed", KILLS)
        team.check(master, evidence)


def test_waiting_for_a_resource_costs_few_calls(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    # A long lease, and only the journals of the workers are read: nothing else calls meanwhile.
    with Team(server, tmp_path, lease=60.0) as team:
        master = team.master()
        workers = [team.worker(behave="wait", burn=int(WORK * 1000)) for _ in range(WORKERS // 5)]
        before = calls(server)
        team.add(master, JOBS // 2, resource="disk")

        def all_done() -> bool:
            return sum(len(team.notes(worker, "completed")) for worker in workers) == JOBS // 2

        wait_until(all_done, 60, "all are completed")
        evidence.measured("calls of a job that waits", (calls(server) - before) / (JOBS // 2), at_most=3)
        team.check(master)
