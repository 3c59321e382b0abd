"""Fault 15: a job that kills its process each time fails as `poison` after `max_crashes`; other jobs are not charged for it."""

from pathlib import Path

from evidence import Evidence
from swarm_support import Redis, wait_until
from team import Team

LEASE = 1.0
MAX_CRASHES = 3
OTHERS = 20


def test_a_job_that_kills_its_worker_fails_and_its_neighbours_do_not(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Team(server, tmp_path, LEASE) as team:
        master = team.master()
        (poison,) = team.add(master, 1, b'"poison"')
        others = team.add(master, OTHERS)
        for _ in range(MAX_CRASHES + 1):
            victim = team.worker(slots=1)
            (note,) = team.wait_for_notes(victim, "add", 1, LEASE + 5)
            assert note.job == poison, "it goes first again, so it is found out soon"
            victim.kill()
            wait_until(lambda: team.stats(master)["active"] == "0", LEASE + 5, "its job is requeued")
        worker = team.worker(behave="echo")
        wait_until(lambda: int(team.stats(master)["completed"]) == OTHERS, 10, "all others are completed")
        failed = master.call("job", id=poison)
        assert (failed["state"], failed["reason"]) == ("failed", "poison")
        stats = team.stats(master)
        assert (stats["crashes"], stats["failures"]) == (str(MAX_CRASHES + 1), "1")
        assert {note.job for note in team.notes(worker, "add")} == set(others)
        evidence.measured("workers it killed", int(stats["crashes"]), at_most=MAX_CRASHES + 1)
        evidence.measured("neighbours failed or assigned twice", abs(team.count(worker, "added") - OTHERS), at_most=0)
        team.check(master, evidence)
