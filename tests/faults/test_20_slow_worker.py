"""Fault 20: one of 10 workers is 100 times slower. The others go on, and what it has not taken up stays bounded."""

from pathlib import Path

from evidence import Evidence
from swarm_support import Redis, wait_until
from team import CLUSTER, Team

JOBS = 10_000
SLOTS = 20


def test_a_slow_worker_holds_nobody_up(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master()
        fast = [team.worker(behave="wait", burn=1, slots=SLOTS) for _ in range(9)]
        slow = team.worker(behave="wait", burn=100, slots=SLOTS)
        inbox = f"{{{CLUSTER}}}:inbox:{slow.call('ready')['incarnation']}"
        longest = 0

        def all_done() -> bool:
            nonlocal longest
            longest = max(longest, int(server.command("XLEN", inbox)))
            return int(team.stats(master)["completed"]) == JOBS

        team.add(master, JOBS // 2)
        team.flood(master, JOBS // 2)
        wait_until(all_done, 60, "all are completed")
        shares = [team.count(worker, "added") for worker in fast]
        lagging = team.count(slow, "added")
        assert lagging < min(shares) / 4, f"the slow one did {lagging}, the others {shares}"
        evidence.measured("entries in its inbox", longest, at_most=128)
        evidence.measured("jobs of the slow worker", lagging)
        evidence.measured("jobs of each other one", min(shares))
        team.check(master, evidence)
