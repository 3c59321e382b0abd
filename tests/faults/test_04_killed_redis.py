"""Fault 4: Redis with `appendfsync always` is killed with -9 under load and is back after 1 s, after 2 L and after 10 L. No
accepted completion is undone and no job is lost; work resumes within 2 s; an outage shorter than L less its margin moves no
job."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Language, Redis, wait_until
from team import Team

LANGUAGES = list(Language)
ACTIVE = 5
FLOOD = 2000


@dataclass(frozen=True)
class Case:
    """An outage, in seconds, and the lease of the members."""

    outage: float
    lease: float
    producer: Language

    @property
    def moves(self) -> bool:
        """Whether members lose their leases."""
        return self.outage >= self.lease - max(self.lease / 10, 0.5)


CASES = {
    "1 s": Case(1.0, 5.0, Language.RUST),
    "2 L": Case(2.0, 1.0, Language.PYTHON),
    "10 L": Case(10.0, 1.0, Language.NODE),
}


def play(server: Redis, folder: Path, evidence: Evidence, *, case: Case) -> None:
    """Workers in every language, some of which have active jobs; a flood of jobs is under way when the server dies."""
    with Team(server, folder, case.lease) as team:
        master = team.master(case.producer, timeout=60_000)
        holders = [team.worker(language, slots=ACTIVE, tasks=["active"]) for language in LANGUAGES]
        team.add(master, ACTIVE * len(holders), task="active")
        for holder in holders:
            team.wait_for_notes(holder, "add", ACTIVE, 5)
        workers = [team.worker(language, behave="echo", slots=20) for language in LANGUAGES]

        master.send("flood", count=FLOOD, payload=b'{"n":1}')
        wait_until(lambda: all(team.notes(worker, "completed") for worker in workers), 20, "all complete jobs")
        server.kill()
        killed = time.monotonic()
        before = {worker: len(team.notes(worker, "completed")) for worker in workers}
        wait_until(lambda: time.monotonic() > killed + case.outage, case.outage + 1, "the outage is over")
        server.start()
        opened = time.monotonic()

        # What the flood still had to add, and more for everybody.
        answer = master.answer()
        assert answer.ok, answer.fields
        team.ledger.add(answer.list("ids"), b'{"n":1}')

        def all_work() -> bool:
            team.add(master, 4 * len(workers))
            return all(len(team.notes(worker, "completed")) > before[worker] for worker in workers)

        wait_until(all_work, 10, "all complete jobs again")
        for worker in workers:
            first = next(note for note in team.notes(worker, "completed") if note.t > opened)
            evidence.measured(f"work resumed after {case.outage:g} s", first.t - opened, "s", at_most=2, detail=worker.language)
        wait_until(lambda: team.stats(master)["waiting"] == "0", 30, "all jobs without a task are done")
        moved = sum(len(team.notes(holder, "delete", "close")) for holder in holders)
        if case.moves:
            assert moved >= len(holders), "an outage of more than a lease moves the jobs"
            wait_until(lambda: int(team.stats(master)["active"]) == ACTIVE * len(holders), 10, "the long-lived jobs run again")
        else:
            evidence.measured("jobs moved by an outage shorter than the lease", moved, at_most=0)
        # Among them: no job is lost, no accepted completion is undone.
        team.check(master, evidence)


SCENARIOS: dict[str, Scenario] = {name: partial(play, case=case) for name, case in CASES.items()}
LANES = [Lane(len(CASES), SCENARIOS, {"appendonly": "yes", "appendfsync": "always"})]


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_when_redis_is_killed(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
