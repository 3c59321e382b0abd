"""Fault 12: SCRIPT FLUSH every 50 ms under load. No program sees an error, and nothing happens twice."""

import threading
from pathlib import Path

from evidence import Evidence
from swarm_support import Language, Redis, wait_until
from team import Team

JOBS_PER_LANGUAGE = 2000
FLUSHES = 5


def test_flushed_scripts_are_loaded_again_unseen(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        masters = [team.master(language) for language in Language]
        workers = [team.worker(language, behave="echo") for language in Language]
        done = threading.Event()
        flushes = 0

        def flush() -> None:
            nonlocal flushes
            while not done.wait(0.05):
                server.command("SCRIPT", "FLUSH", "SYNC")
                flushes += 1

        flusher = threading.Thread(target=flush)
        flusher.start()
        try:
            total = 0
            # A fast machine is done with one flood before there were enough flushes to show anything.
            while flushes < FLUSHES:
                for master in masters:
                    master.send("flood", count=JOBS_PER_LANGUAGE, payload=b'{"n":1}')
                for master in masters:
                    answer = master.answer()
                    assert answer.ok, answer.fields
                    team.ledger.add(answer.list("ids"), b'{"n":1}')
                total += JOBS_PER_LANGUAGE * len(masters)
            wait_until(lambda: int(team.stats(masters[0])["completed"]) == total, 60, "all jobs are completed")
            wait_until(lambda: sum(team.count(worker, "completed") for worker in workers) == total, 5, "all workers noted so")
        finally:
            done.set()
            flusher.join()
        evidence.measured("flushes", flushes, at_least=FLUSHES)
        evidence.measured("jobs", total)
        evidence.measured("jobs assigned twice", sum(team.count(worker, "added") for worker in workers) - total, at_most=0)
        errors = [error for member in (*masters, *workers) for error in team.errors(member)]
        evidence.measured("errors seen", len(errors), at_most=0, detail=errors)
        team.check(masters[0], evidence)
