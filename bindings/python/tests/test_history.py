"""Completed jobs that are kept, and logs of jobs, from threads and event loops."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, JobInfo, LogLine, Master, NewJob, Worker, aio
from test_aio import in_loop


def shown(master: Master, id: str) -> JobInfo:
    info = master.job(id)
    assert info is not None
    return info


def work(job: Job) -> Any:
    job.log(f"attempt {job.attempt}")
    if job.payload == "fails":
        raise ValueError("no")
    return {"got": job.payload} if job.payload != "bytes" else b"\xff"


def test_completed_jobs_are_shown(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, completed_max=2, completed_ttl=60, completed_max_bytes=2**20)
    worker.process(work)
    with worker:
        master.add_many([NewJob(1, id="a", keep_completed=0), NewJob(2, id="b"), NewJob("bytes", id="c")])
        wait_until(lambda: master.stats().completed == 3, SOON, "they are done")
        assert master.job("a") is None
        b = shown(master, "b")
        assert (b.state, b.result, b.result_omitted, b.attempt, b.reason) == ("completed", {"got": 2}, False, 1, "")
        assert b.assigned_at is not None
        assert b.completed_at is not None
        assert b.assigned_at <= b.completed_at + 0.001 < time.time() + 60
        assert b.holder == worker.health().incarnation
        assert [line.text for line in b.log] == ["attempt 1"]
        assert isinstance(b.log[0], LogLine)
        assert b.assigned_at <= b.log[0].time + 1
        assert shown(master, "c").result == b"\xff"
        page = master.jobs("completed")
        assert ({job.id for job in page.jobs}, page.next) == ({"b", "c"}, None)
        assert page.jobs[0].log == []
        assert master.stats().kept == 2
        assert master.delete_completed(["b", "nobody"]) == 1
        assert master.delete_completed() == 1
        assert master.job("b") is None


def test_a_job_is_kept_for_its_own_time(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    worker.process(work)
    with worker:
        brief = master.add("x", keep_completed=0.05).id
        kept = master.add("x", keep_completed=60).id
        wait_until(lambda: master.job(brief) is None and master.stats().kept == 1, SOON, "the end of the first")
        assert (master.job(brief), shown(master, kept).result) == (None, {"got": "x"})


def test_a_log_stays_with_a_failed_job(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    worker.process(work)
    with worker:
        id = master.add("fails", retries=1, backoff=0.0).id
        wait_until(lambda: master.stats().failed == 1, SOON, "the failure")
        assert [line.text for line in shown(master, id).log] == ["attempt 1", "attempt 2"]


def test_log_lines_that_are_no_text_are_refused(master: Master, cluster: str, url: str) -> None:
    def log(job: Job) -> None:
        for bad in (1, None, b"x", "\ud800"):
            with pytest.raises(libswarm.SwarmInvalidArgument, match="text"):
                job.log(bad)  # type: ignore[arg-type]
        job.log("é" * 2000)

    worker = Worker(cluster, url=url)
    worker.process(log)
    with worker:
        id = master.add(1, keep_completed=60).id
        wait_until(lambda: master.stats().kept == 1, SOON, "the completion")
        (line,) = shown(master, id).log
        assert len(line.text.encode()) <= 1024
        assert line.text.endswith("é…")
    for bad in (-1, 11 * 365 * 86_400, "long"):
        with pytest.raises(libswarm.SwarmInvalidArgument, match="keep_completed"):
            master.add(1, keep_completed=bad)  # type: ignore[arg-type]


@in_loop
async def test_in_an_event_loop(cluster: str, url: str) -> None:
    worker = aio.Worker(cluster, url=url, completed_max=1)

    async def handler(job: Job) -> str:
        job.log("here")
        return "done"

    worker.process(handler)
    async with worker, aio.Master(cluster, url=url) as master:
        id = (await master.add(1)).id
        while (info := await master.job(id)) is None or info.state != "completed":
            await asyncio.sleep(0.01)
        assert (info.result, [line.text for line in info.log]) == ("done", ["here"])
        assert await master.delete_completed() == 1
