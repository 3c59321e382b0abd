"""Fault 5: a machine with `appendfsync everysec` loses its power, and Redis comes back without the last second. Only operations
of the last 2 s are lost; each job is in one state, the counts agree, and fences never repeat."""

import time
from pathlib import Path

from evidence import Evidence
from flow import Flow, first_after
from swarm_support import Language, Redis, wait_until
from team import CLUSTER, Team

LANGUAGES = list(Language)
LEASE = 5.0
RATE = 500
ACTIVE = 5
# So old is the disk with which it comes back: less than 2 s, for Redis may write a second late.
AGE = 1.0


def test_only_the_last_two_seconds_are_lost(tmp_path: Path, evidence: Evidence) -> None:
    config = {"appendonly": "yes", "appendfsync": "everysec", "auto-aof-rewrite-percentage": "0"}
    with Redis(config) as server, Team(server, tmp_path, LEASE) as team:
        master, observer = team.master(timeout=30_000), team.master()
        holders = [team.worker(language, slots=ACTIVE, tasks=["active"]) for language in LANGUAGES]
        team.add(observer, ACTIVE * len(holders), task="active")
        for holder in holders:
            team.wait_for_notes(holder, "add", ACTIVE, 5)
        workers = [team.worker(language, behave="echo") for language in LANGUAGES]
        with Flow(team, master, RATE) as flow:
            wait_until(lambda: all(len(team.notes(worker, "completed")) > 100 for worker in workers), 20, "all complete jobs")
            # For two seconds, so that what is older than them differs from what is not.
            began = time.monotonic()
            wait_until(lambda: time.monotonic() > began + 2, 3, "two seconds of work")

            disk = server.copy_of_disk()
            copied = time.monotonic()
            # Each holder completes a job, which the disk still has as assigned to it.
            undone = [team.notes(holder, "add")[0] for holder in holders]
            for holder, active in zip(holders, undone, strict=True):
                holder.call("complete", fence=active.fence, payload=b"1")
            wait_until(lambda: time.monotonic() > copied + AGE, AGE + 1, "the disk is old enough")
            server.lose_power(disk)
            killed = time.monotonic()
            server.start()
            opened = time.monotonic()

            wait_until(lambda: all(first_after(team.notes(w, "completed"), opened) for w in workers), 10, "all work again")
            flow.stop()
        flow.doubt(killed - 2, opened)
        resumed = [note.t - opened for worker in workers if (note := first_after(team.notes(worker, "completed"), opened))]
        evidence.measured("work resumed", max(resumed), "s", at_most=2)

        # The completions of the holders are undone: their jobs run again, somewhere.
        def again() -> bool:
            # Members may be back before the test has seen that the server is.
            begun = {note.job for holder in holders for note in team.notes(holder, "add") if note.t > killed}
            return {note.job for note in undone} <= begun

        wait_until(again, LEASE + 5, "the jobs whose completions were undone run again")
        evidence.measured("completions undone, all of the last 2 s", len(undone), at_least=len(holders))

        def quiet() -> bool:
            stats = team.stats(observer)
            return stats["waiting"] == "0" and int(stats["active"]) == ACTIVE * len(holders)

        wait_until(quiet, 30, "all but the long-lived jobs are done")
        lost = len(team.ledger.added) - int(server.command("HGET", f"{{{CLUSTER}}}:meta", "added"))
        evidence.measured("jobs lost, all added in the last 2 s", lost, at_least=1)
        done = {note.job for worker in workers for note in team.notes(worker, "completed")}
        old = {job for t, ids in flow.added if t < killed - 2 for job in ids}
        evidence.measured("jobs lost that were added before", len(old - done), at_most=0)
        team.check(observer, evidence)
