"""Fault 1: kill -9 of a worker that holds 500 jobs. All start elsewhere within L + 1 s of its last renewal; none is lost."""

from pathlib import Path

import pytest
from swarm_support import Language, Redis
from team import Team

LANGUAGES = list(Language)
JOBS = 500
LEASE = 2.0


@pytest.mark.parametrize(("victim", "heir"), list(zip(LANGUAGES, LANGUAGES[1:] + LANGUAGES[:1], strict=True)))
def test_jobs_of_a_killed_worker_start_elsewhere(server: Redis, tmp_path: Path, victim: Language, heir: Language) -> None:
    with Team(server, tmp_path, LEASE) as team:
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
        started = team.wait_for_notes(survivor, "add", JOBS, LEASE + 5)

        late = [note.t - lease_end for note in started if note.t > lease_end + 1]
        assert not late, f"{len(late)} jobs started up to {max(late):.2f} s after the lease ended"
        assert {note.job for note in started} == set(ids)
        team.check(team.master())
