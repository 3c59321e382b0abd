"""Fault 2: SIGSTOP a worker for 2 L, then SIGCONT. Within 1 s its jobs emit `delete` and it emits `close`; all its late
completions are refused."""

import time
from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Language, Redis, wait_until
from team import Team

JOBS = 20
LEASE = 1.5


def play(server: Redis, folder: Path, evidence: Evidence, *, language: Language, lease: float | None) -> None:
    """Stops a worker for two of its leases."""
    with Team(server, folder, lease) as team:
        two_leases = 2 * team.lease_of(language)
        master = team.master()
        sleeper = team.worker(language, behave="late")
        ids = set(team.add(master, JOBS))
        team.wait_for_notes(sleeper, "add", JOBS, 10)
        heir = team.worker()

        sleeper.pause()
        paused = time.monotonic()
        team.wait_for_notes(heir, "add", JOBS, team.lease_of(language) + 5)
        wait_until(lambda: time.monotonic() >= paused + two_leases, two_leases + 1, "it slept for two leases")
        sleeper.resume()
        resumed = time.monotonic()

        closed = team.wait_for_notes(sleeper, "close", 1, 10)
        refused = team.wait_for_notes(sleeper, "refused", JOBS, 10)
        deleted = team.notes(sleeper, "delete")
        assert {note.job for note in deleted} == ids
        late = max(note.t for note in (*deleted, *closed)) - resumed
        evidence.measured("all jobs stopped after it went on", late, "s", at_most=1)
        assert {note.job for note in refused} == ids
        assert {note.fields["code"] for note in refused} == {"STALE_FENCE"}
        assert not team.notes(sleeper, "completed")
        # It registers again and takes jobs again.
        readied = team.wait_for_notes(sleeper, "ready", 2, 10)
        assert readied[0].fields["incarnation"] != readied[1].fields["incarnation"]
        team.check(master, evidence)


def scenarios(lease: float | None) -> dict[str, Scenario]:
    """One in each language."""
    return {language: partial(play, language=language, lease=lease) for language in Language}


LANES = [Lane(4, scenarios(LEASE))]


@pytest.mark.parametrize("name", LANES[0].scenarios)
def test_a_worker_that_slept_too_long_gives_up_its_jobs(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
