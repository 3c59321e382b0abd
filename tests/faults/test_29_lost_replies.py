"""Fault 29: the replies of add and of sync are lost at every batch, 10,000 jobs. Each job exists once, each runs, and none is
left assigned to a worker that does not know it."""

from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Language, Proxy, Redis, wait_until
from team import Team

JOBS = 10_000
LANGUAGES = list(Language)


class EveryOther:
    """Loses the reply to a script call, lets the repetition through, and so on."""

    def __init__(self) -> None:
        self._lost_last = False

    def __call__(self, request: bytes) -> bool:
        if b"EVALSHA" not in request:
            return False
        self._lost_last = not self._lost_last
        return self._lost_last


@pytest.mark.parametrize(("producer", "consumer"), list(zip(LANGUAGES, LANGUAGES[1:] + LANGUAGES[:1], strict=True)))
def test_each_job_exists_and_runs_once(
    server: Redis, tmp_path: Path, producer: Language, consumer: Language, evidence: Evidence
) -> None:
    with (
        Proxy(server.port) as before_master,
        Proxy(server.port) as before_worker,
        Team(server, tmp_path, lease=20.0) as team,
    ):
        master = team.master(producer, url=before_master.url, timeout=30_000)
        worker = team.worker(consumer, url=before_worker.url, behave="echo", timeout=30_000)
        before_master.drop_reply = EveryOther()
        before_worker.drop_reply = EveryOther()

        ids = team.flood(master, JOBS)
        assert len(set(ids)) == JOBS
        observer = team.master()
        wait_until(lambda: int(team.stats(observer)["completed"]) == JOBS, 60, "all jobs are completed")
        wait_until(lambda: team.count(worker, "completed") == JOBS, 10, "the worker noted all")

        evidence.measured("replies lost by the master", before_master.dropped, at_least=3)
        evidence.measured("replies lost by the worker", before_worker.dropped, at_least=3)
        evidence.measured("jobs assigned twice", team.count(worker, "added") - JOBS, at_most=0)
        assert (team.count(worker, "added"), team.count(worker, "refused")) == (JOBS, 0)
        stats = team.stats(observer)
        assert (stats["added"], stats["active"], stats["waiting"]) == (str(JOBS), "0", "0")
        team.check(observer, evidence)
