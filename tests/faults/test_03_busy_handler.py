"""Fault 3: a handler computes for 4 L so that nothing else of its language runs (the event loop is blocked, the GIL held).
Nothing is given again, and the lease is renewed all the while."""

from pathlib import Path

import pytest
from swarm_support import Language, Redis, wait_until
from team import Team

LEASE = 1.0


@pytest.mark.parametrize("language", list(Language))
def test_a_busy_handler_keeps_its_job(server: Redis, tmp_path: Path, language: Language) -> None:
    with Team(server, tmp_path, LEASE) as team:
        master = team.master()
        busy = team.worker(language, behave="burn", burn=int(4 * LEASE * 1000))
        incarnation = busy.call("ready")["incarnation"]
        team.add(master, 1)
        team.wait_for_notes(busy, "add", 1, 5)
        idle = team.worker()

        lease_ends = set()

        def finished() -> bool:
            lease_ends.add(round(team.lease_end(incarnation), 1))
            return int(team.stats(master)["completed"]) == 1

        wait_until(finished, 4 * LEASE + 3, "the job is completed")
        assert len(lease_ends) >= 8, f"over four leases the lease was renewed only {len(lease_ends)} times"
        wait_until(lambda: team.count(busy, "completed") == 1, 2, "the worker heard of it")
        assert (team.count(busy, "refused"), team.count(busy, "closed")) == (0, 0)
        assert team.count(idle, "added") == 0
        team.check(master)
