"""Slots and pauses of running workers, and jobs that workers add."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, NewJob, Worker, aio
from libswarm.types import MemberInfo
from test_aio import in_loop, until


def is_shown(master: Master, worker: Worker, right: Callable[[MemberInfo], bool]) -> bool:
    """Whether the registration of the worker is such."""
    return any(right(member) for member in master.members() if member.incarnation == worker.incarnation)


class Running:
    """A handler whose jobs run until they must stop."""

    def __init__(self, worker: Worker, threads: int | None = None) -> None:
        self.gates: list[threading.Event] = []
        worker.process(self.handle, threads=threads)

    def handle(self, job: Job) -> None:
        gate = threading.Event()
        self.gates.append(gate)
        gate.wait(SOON)

    def open(self) -> None:
        """Lets the active jobs finish."""
        gates, self.gates = self.gates, []
        for gate in gates:
            gate.set()


def test_a_paused_worker_keeps_its_jobs_and_is_assigned_no_others(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, slots=3)
    running = Running(worker)
    with worker:
        master.add_job(1)
        wait_until(lambda: len(running.gates) == 1, SOON, "a job runs")
        worker.pause()
        assert worker.paused
        wait_until(lambda: is_shown(master, worker, lambda own: own.paused and own.free == 0), SOON, "it is shown")
        master.add_jobs([2, 3])
        running.open()
        wait_until(lambda: master.stats().completed == 1, SOON, "the job is completed")
        assert master.stats().waiting == 2
        worker.resume()
        wait_until(lambda: len(running.gates) == 2, SOON, "both others run")
        running.open()
        assert not worker.paused


def test_the_threads_of_a_handler_follow_the_slots(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    running = Running(worker)
    with worker:
        master.add_jobs(range(60))
        wait_until(lambda: len(running.gates) == 10, SOON, "as many run as by default")
        assert master.set_worker_slots(worker.incarnation, 15)
        wait_until(lambda: len(running.gates) == 15, SOON, "fifteen run")
        worker.set_slots(2)
        wait_until(lambda: is_shown(master, worker, lambda own: (own.slots, own.active) == (2, 15)), SOON, "it is shown")
        running.open()
        wait_until(lambda: len(running.gates) == 2, SOON, "two run")
        wait_until(lambda: is_shown(master, worker, lambda own: (own.free, own.active) == (0, 2)), SOON, "no more")
        worker.set_slots(20)
        wait_until(lambda: len(running.gates) == 20, SOON, "twenty run")
        for slots in (0, -1, 2**32, 1.5, "3", True):
            with pytest.raises(libswarm.SwarmInvalidArgument, match="slots"):
                worker.set_slots(slots)  # type: ignore[arg-type]
        master.pause_worker(worker.incarnation)
        running.open()
        wait_until(lambda: master.stats().active == 0, SOON, "all have finished")


def test_a_worker_can_be_paused_and_have_its_slots_set_before_it_starts(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, slots=4, priority_slots={1: 2})
    with pytest.raises(libswarm.SwarmInvalidArgument, match="guarantees 2 slots"):
        worker.set_slots(1)
    worker.set_slots(3)
    worker.pause()
    assert worker.paused
    running = Running(worker)
    with worker:
        wait_until(lambda: is_shown(master, worker, lambda own: own.paused and own.slots == 3), SOON, "it is shown")
        with pytest.raises(libswarm.SwarmInvalidArgument, match="guarantees 2 slots"):
            worker.set_slots(1)
        master.add_jobs([1, 2, 3])
        worker.resume()
        wait_until(lambda: len(running.gates) == 1, SOON, "the job of its one slot for other priorities runs")
        worker.pause()
        running.open()
        wait_until(lambda: master.stats().active == 0, SOON, "it has finished")
    with pytest.raises(libswarm.SwarmClosed):
        worker.pause()


def test_a_master_pauses_and_resumes_a_worker(master: Master, cluster: str, url: str) -> None:
    with Worker(cluster, url=url, slots=1) as worker:
        worker.ready()
        assert master.pause_worker(worker.incarnation) is True
        wait_until(lambda: worker.paused, SOON, "the worker follows")
        master.add_job("x")
        assert master.resume_worker(worker.incarnation) is True
        assert next(iter(worker)).payload == "x"
        assert master.pause_worker("nobody") is False
        assert master.set_worker_slots(master.incarnation, 1) is False
        with pytest.raises(libswarm.SwarmInvalidArgument, match="slots"):
            master.set_worker_slots(worker.incarnation, 0)
        with pytest.raises(libswarm.SwarmInvalidArgument, match="incarnation"):
            master.pause_worker(7)  # type: ignore[arg-type]


def test_a_handler_adds_jobs_with_the_connection_of_its_worker(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, slots=1)

    @worker.task("split")
    def split(job: Job) -> list[str]:
        added = worker.add_many(job.payload, ids=[f"{job.id}-{n}" for n in job.payload], task="part", result=True)
        assert not any(part.existed for part in added)
        assert worker.add(0, id=f"{job.id}-1", task="part") == libswarm.types.Added(f"{job.id}-1", True)
        return [part.id for part in added]

    @worker.task("part")
    def part(job: Job) -> int:
        return int(job.payload) * 2

    with pytest.raises(libswarm.SwarmClosed):
        worker.add(1)
    with worker:
        ids = master.run([1, 2, 3], task="split", timeout=SOON)
        assert [master.result(id, timeout=SOON) for id in ids] == [2, 4, 6]
        assert worker.health().added == 3
        worker.add_many([NewJob(1, id="own", task="later"), 2], task="other")
        worker.add("short", id="ephemeral", ephemeral=True, task="other")
        assert (master.job("own") or pytest.fail("no job")).task == "later"
        with pytest.raises(libswarm.SwarmInvalidArgument, match="priority"):
            worker.add(1, priority="high")  # type: ignore[arg-type]
        with pytest.raises(libswarm.SwarmTooLarge):
            worker.add(b"x" * 600_000)
        worker.add(1, id="deleted", task="other")
        assert worker.delete_job("deleted")
    assert (master.stats().waiting, master.job("ephemeral")) == (2, None)


@in_loop
async def test_workers_of_an_event_loop(cluster: str, url: str) -> None:
    worker = aio.Worker(cluster, url=url)
    gate = asyncio.Event()
    running: list[object] = []

    @worker.task("split")
    async def split(job: Job) -> list[str]:
        adds = [worker.add(n, task="part", result=True) for n in job.payload]
        return [added.id for added in await asyncio.gather(*adds)]

    @worker.task("part")
    async def part(job: Job) -> int:
        running.append(job.payload)
        await gate.wait()
        return int(job.payload) * 2

    async with aio.Master(cluster, url=url) as master, worker:
        await worker.ready()
        ids = await master.run(list(range(30)), task="split", timeout=SOON)
        await until(lambda: len(running) == 10, "the jobs")
        worker.set_slots(12)
        await until(lambda: len(running) == 12, "the jobs")
        assert await master.set_worker_slots(worker.incarnation, 15)
        await until(lambda: len(running) == 15, "the jobs")
        assert await master.pause_worker(worker.incarnation)
        await until(lambda: worker.paused, "the jobs")
        gate.set()
        assert await asyncio.gather(*(master.result(id, timeout=SOON) for id in ids[:15])) == [2 * n for n in range(15)]
        assert len(running) == 15
        worker.resume()
        assert await master.result(ids[29], timeout=SOON) == 58
        assert [added.existed for added in await worker.add_many([1, 2], ids=["a", "a"], task="none")] == [False, True]
