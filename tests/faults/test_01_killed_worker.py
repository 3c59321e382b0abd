"""Fault 1: kill -9 of a worker with 500 active jobs. All start elsewhere within L + 1 s of its last renewal; none is lost."""

from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Language, Redis
from team import Team

LANGUAGES = list(Language)
JOBS = 500
LEASE = 2.0


def play(server: Redis, folder: Path, evidence: Evidence, *, victim: Language, heir: Language, lease: float | None) -> None:
    """Kills a worker in one language and waits for its jobs at a worker in another."""
    with Team(server, folder, lease) as team:
        master = team.master()
        killed = team.worker(victim)
        ids = team.add(master, JOBS)
        team.wait_for_notes(killed, "add", JOBS, 10)
        survivor = team.worker(heir)
        incarnation = killed.call("ready")["incarnation"]
        # No master is needed: the only other member is the survivor.
        master.call("close")

        killed.kill()
        lease_end = team.lease_end(incarnation)
        started = team.wait_for_notes(survivor, "add", JOBS, team.lease_of(victim) + 5)

        late = max(note.t - lease_end for note in started)
        evidence.measured("last start after the end of the lease", late, "s", at_most=1)
        assert {note.job for note in started} == set(ids)
        team.check(team.master(), evidence)


def scenarios(lease: float | None) -> dict[str, Scenario]:
    """Each language as the victim, and as the one that goes on."""
    pairs = zip(LANGUAGES, LANGUAGES[1:] + LANGUAGES[:1], strict=True)
    return {f"{victim}-{heir}": partial(play, victim=victim, heir=heir, lease=lease) for victim, heir in pairs}


LANES = [Lane(2, scenarios(LEASE))]


@pytest.mark.parametrize("name", LANES[0].scenarios)
def test_jobs_of_a_killed_worker_start_elsewhere(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
