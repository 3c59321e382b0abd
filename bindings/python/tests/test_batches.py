"""Handlers of several jobs at once."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, Worker, aio
from test_aio import in_loop, until


def test_jobs_that_wait_are_handled_together(master: Master, cluster: str, url: str) -> None:
    sizes: list[int] = []
    worker = Worker(cluster, url=url)

    @worker.process_batches(size=20)
    def double(jobs: list[Job]) -> list[int]:
        sizes.append(len(jobs))
        return [job.payload * 2 for job in jobs]

    ids = master.add_jobs(range(45), result=True)
    with worker:
        assert [master.result(id, timeout=SOON) for id in ids] == [2 * n for n in range(45)]
    assert 1 < max(sizes) <= 20


def test_the_first_job_waits_for_others_and_a_full_batch_waits_no_longer(master: Master, cluster: str, url: str) -> None:
    batches: list[list[Any]] = []
    worker = Worker(cluster, url=url, tasks=["a", "b", ""])
    worker.process_batches(lambda jobs: batches.append([job.payload for job in jobs]), size=3, wait=60)
    with worker:
        master.add_job(1)
        master.add_job("other", task="a")
        master.add_job(2)
        wait_until(lambda: len(worker.jobs) == 3, SOON, "all wait")
        assert batches == []
        master.add_job(3)
        wait_until(lambda: batches == [[1, 2, 3]], SOON, "the batch of jobs without a task is full")
        # What waits is requeued.
        worker.drain()
        wait_until(lambda: master.stats().waiting == 1, SOON, "the other is requeued")
    timed = Worker(cluster, url=url, tasks=["a"])
    timed.process_batches(lambda jobs: batches.append([job.payload for job in jobs]), size=3, wait=0.05)
    with timed:
        wait_until(lambda: batches[1:] == [["other"]], SOON, "its wait is over")


def test_a_batch_by_group_has_the_jobs_of_one_group_and_task(master: Master, cluster: str, url: str) -> None:
    batches: list[list[str]] = []
    worker = Worker(cluster, url=url, tasks=["t", ""])
    worker.process_batches(lambda jobs: batches.append([job.id for job in jobs]), size=2, wait=60, by="group")
    with worker:
        added = [("x1", "x", ""), ("1", "", ""), ("t1", "x", "t"), ("y1", "y", ""), ("2", "", ""), ("x2", "x", "")]
        for id, group, task in added:
            master.add_job(0, id=id, group=group, task=task)
        wait_until(lambda: sorted(batches) == [["1", "2"], ["x1", "x2"]], SOON, "two batches are full")
        master.add_job(0, id="t2", group="x", task="t")
        wait_until(lambda: batches[2:] == [["t1", "t2"]], SOON, "the group of the other task is full")
        wait_until(lambda: list(worker.jobs) == ["y1"], SOON, "one waits")


def test_each_job_has_its_own_outcome(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    def handle(jobs: list[Job]) -> list[str]:
        if jobs[0].payload == "wrong":
            return ["too few"]
        jobs[0].complete("own").wait()
        jobs[1].fail_permanently("hopeless")
        raise ValueError("the others")

    worker.process_batches({"": handle}, size=4, wait=60)

    def run(payloads: list[str]) -> list[str]:
        outcomes: list[Any] = []
        threads = [
            threading.Thread(target=lambda id=id: outcomes.append((id, outcome_of(id))))
            for id in master.add_jobs(payloads, result=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [outcome for _, outcome in outcomes]

    def outcome_of(id: str) -> str:
        try:
            return str(master.result(id, timeout=SOON))
        except libswarm.SwarmJobFailed as error:
            return str(error)

    with worker:
        assert sorted(run(["a", "b", "c", "d"])) == ["ValueError: the others", "ValueError: the others", "hopeless", "own"]
        assert all("batch of 4 jobs returned 1 results" in outcome for outcome in run(["wrong", "b", "c", "d"]))


def test_a_job_that_is_deleted_while_it_waits_is_not_in_the_batch(master: Master, cluster: str, url: str) -> None:
    batches: list[list[str]] = []
    worker = Worker(cluster, url=url)
    worker.process_batches(lambda jobs: batches.append(sorted(job.id for job in jobs)), size=2, wait=60)
    with worker:
        master.add_job(1, id="waiting")
        wait_until(lambda: "waiting" in worker.jobs, SOON, "it waits")
        assert master.delete_job("waiting")
        wait_until(lambda: not worker.jobs, SOON, "it has stopped")
        master.add_jobs([1, 2], ids=["b", "c"])
        wait_until(lambda: batches == [["b", "c"]], SOON, "the others")


def test_values_out_of_bounds_are_refused(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    refused: list[dict[str, Any]] = [
        {"size": 0},
        {"size": 1001},
        {"size": 1.5},
        {"size": 2, "wait": 61},
        {"size": 2, "by": "groups"},
    ]
    for options in refused:
        with pytest.raises(libswarm.SwarmInvalidArgument):
            worker.process_batches(lambda jobs: None, **options)


@in_loop
async def test_batches_of_an_event_loop(cluster: str, url: str) -> None:
    worker = aio.Worker(cluster, url=url)
    cancelled: list[list[str]] = []

    @worker.process_batches(size=3, wait=60)
    async def handle(jobs: list[Job]) -> list[int]:
        try:
            if any(job.id.startswith("slow") for job in jobs):
                await asyncio.sleep(SOON)
        except asyncio.CancelledError:
            cancelled.append(sorted(job.id for job in jobs))
            raise
        return [job.payload * 2 for job in jobs]

    async with aio.Master(cluster, url=url) as master, worker:
        assert await asyncio.gather(*(master.run(n, timeout=SOON) for n in range(6))) == [0, 2, 4, 6, 8, 10]
        ids = [f"slow-{n}" for n in range(3)]
        await master.add_jobs([1, 2, 3], ids=ids)
        await until(lambda: len(worker.jobs) == 3, "they run")
        await master.delete_job(ids[0])
        await until(lambda: worker.jobs.get(ids[0]) is None or worker.jobs[ids[0]].delete_reason is not None, "one is deleted")
        assert cancelled == []
        await master.delete_jobs(ids[1:])
        await until(lambda: cancelled == [ids], "all are deleted")
        await until(lambda: not worker.jobs, "all have stopped")
