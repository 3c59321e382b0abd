"""Fault 20: one of 10 workers is 100 times slower. The others lose less than 5 % of their throughput, and what it has not taken
up stays bounded."""

from pathlib import Path

from evidence import Evidence
from swarm_support import Redis, wait_until
from team import CLUSTER, Team

JOBS = 10_000
SLOTS = 20
# So long that the slots of the fast ones are what bounds their throughput, and not the machine, in ms.
WORK = 50
STEADY = 2500
# Percent of the throughput without the slow worker.
LEAST = 95


def test_a_slow_worker_delays_no_other(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
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


def test_the_others_are_as_fast_as_without_it(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master()
        fast = [team.worker(behave="wait", burn=WORK, slots=SLOTS // 4) for _ in range(9)]

        def throughput() -> float:
            before = {worker: len(team.notes(worker, "completed")) for worker in fast}
            done = int(team.stats(master)["completed"])
            team.add(master, STEADY)
            # Those of the slow one take longer.
            wait_until(lambda: int(team.stats(master)["completed"]) >= done + STEADY - SLOTS, 60, "nearly all are completed")
            times = sorted(note.t for worker in fast for note in team.notes(worker, "completed")[before[worker] :])
            # Without the beginning, when the slots fill, and the end, when they empty.
            middle = times[len(times) // 10 : -len(times) // 10]
            return (len(middle) - 1) / (middle[-1] - middle[0])

        alone = throughput()
        team.worker(behave="wait", burn=100 * WORK, slots=SLOTS // 4)
        # Again if something else had the processors meanwhile; a slow worker that hinders the others does so each time.
        shares: list[float] = []
        while max(shares, default=0) < LEAST and len(shares) < 3:
            shares.append(100 * throughput() / alone)
        evidence.measured("throughput of the others beside it", max(shares), "%", at_least=LEAST)
        wait_until(lambda: team.stats(master)["active"] == "0", 100 * WORK / 1000 + 10, "all are completed")
        team.check(master, evidence)
