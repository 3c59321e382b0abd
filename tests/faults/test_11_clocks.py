"""Fault 11: the wall clocks of members are an hour off and are stepped, and Redis' clock is stepped by 60 s and by an hour,
ahead and back. No lease expires, nothing is lost, deadlines never move back, and what is due later comes when it should."""

import time
from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Driver, Language, Redis, WallClock, wait_until
from team import CLUSTER, Team

LANGUAGES = list(Language)
LEASE = 2.0
ACTIVE = 5
# Of a delayed job, in seconds.
DELAY = 1.0
HOUR = 3600.0


def play_member(server: Redis, folder: Path, evidence: Evidence, *, language: Language) -> None:
    """A master and a worker with a clock that is an hour ahead, and then an hour behind."""
    with Team(server, folder, LEASE) as team:
        clock = WallClock(folder, HOUR)
        master = team.master(language, clock)
        worker = team.worker(language, clock)
        team.add(master, ACTIVE)
        team.wait_for_notes(worker, "add", ACTIVE, 5)
        for offset in (HOUR, -HOUR):
            clock.step(offset)
            stepped = time.monotonic()
            _delayed(team, master, worker, evidence, "members")
            wait_until(lambda s=stepped: time.monotonic() > s + 2 * LEASE, 2 * LEASE + 1, "two leases have passed")  # type: ignore[misc]
        _nothing_moved(team, [worker], evidence, "members")
        team.check(master, evidence)


def play_server(_server: Redis, folder: Path, evidence: Evidence, *, step: float) -> None:
    """Workers in every language have active jobs while Redis' clock is stepped, and stepped back to where it was."""
    folder.mkdir()
    clock = WallClock(folder)
    with Redis(clock=clock) as server, Team(server, folder, LEASE) as team:
        master = team.master()
        workers = [team.worker(language, slots=ACTIVE) for language in LANGUAGES]
        team.add(master, ACTIVE * len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", ACTIVE, 5)
        echo = team.worker(behave="echo", tasks=["echo"])
        incarnations = [worker.call("ready")["incarnation"] for worker in workers]
        deadlines = dict.fromkeys(incarnations, 0.0)
        back = 0.0

        def check() -> None:
            nonlocal back
            for incarnation in incarnations:
                score = float(server.command("ZSCORE", f"{{{CLUSTER}}}:due", f"L:{incarnation}") or 0)
                back = max(back, deadlines[incarnation] - score)
                deadlines[incarnation] = score

        for offset in (step, 0.0):
            clock.step(offset)
            stepped = time.monotonic()
            _delayed(team, master, echo, evidence, "Redis", task="echo")

            def two_leases(stepped: float = stepped) -> bool:
                check()
                return time.monotonic() > stepped + 2 * LEASE

            wait_until(two_leases, 2 * LEASE + 1, "two leases have passed")
        _nothing_moved(team, workers, evidence, "Redis")
        evidence.measured("deadlines moved back", back, "ms", at_most=0)

        # Leases that really end do so in time.
        incarnation, heir = incarnations[0], team.worker(slots=ACTIVE)
        workers[0].kill()
        killed = time.monotonic()
        team.wait_for_notes(heir, "add", ACTIVE, LEASE + 5)
        taken = max(note.t for note in team.notes(heir, "add")) - killed
        evidence.measured("jobs of a killed worker start elsewhere", taken, "s", at_most=LEASE + 1, detail=incarnation)
        team.check(master, evidence)


def _delayed(team: Team, master: Driver, worker: Driver, evidence: Evidence, whose: str, task: str | None = None) -> None:
    before = len(team.notes(worker, "add"))
    began = time.monotonic()
    team.add(master, 1, delay=int(DELAY * 1000), task=task)
    added = time.monotonic()
    started = team.wait_for_notes(worker, "add", before + 1, DELAY + 10)[-1]
    assert started.t >= began + DELAY - 0.01, "it came too soon"
    late = started.t - added - DELAY
    evidence.measured(f"lateness of a delayed job after a step of the clock of {whose}", late, "s", at_most=1)


def _nothing_moved(team: Team, workers: list[Driver], evidence: Evidence, whose: str) -> None:
    moved = sum(len(team.notes(worker, "delete", "close")) for worker in workers)
    evidence.measured(f"leases and jobs lost by steps of the clock of {whose}", moved, at_most=0)


SCENARIOS: dict[str, Scenario] = {f"member-{language}": partial(play_member, language=language) for language in LANGUAGES}
SCENARIOS |= {f"server-{step:+.0f}": partial(play_server, step=step) for step in (60.0, -60.0, HOUR, -HOUR)}
LANES = [Lane(4, SCENARIOS)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_clocks_that_are_wrong_change_nothing(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
