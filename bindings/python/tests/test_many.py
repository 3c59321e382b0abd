"""Many threads, many objects: nothing is lost, nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from swarm_support import wait_until

from conftest import SOON
from libswarm import Job, Master, Worker, aio


def descriptors() -> int:
    """Open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    """Threads of this process, Python's and others."""
    return len(os.listdir("/proc/self/task"))


def resident_kib() -> int:
    """Memory of this process."""
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))


def test_one_master_serves_many_threads(master: Master) -> None:
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(master.add_job, range(800)))
    assert len(set(ids)) == 800
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(master.delete_job, ids))
    assert master.stats().waiting == 0


def test_jobs_finish_from_many_threads_at_once(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    with ThreadPoolExecutor(8) as pool:
        worker.on("add", lambda job: pool.submit(job.complete, job.payload))
        with worker:
            ids = master.add_jobs(range(2000), result=True)
            assert [master.result(id, timeout=SOON) for id in ids] == list(range(2000))
            wait_until(lambda: not worker.jobs, SOON, "none is active")


def test_objects_made_and_closed_leave_nothing_behind(cluster: str, url: str) -> None:
    def once(n: int) -> None:
        with Master(cluster, url=url) as master, Worker(cluster, url=url) as worker:
            worker.on("add", Job.complete)
            if n % 10 == 0:
                master.run(timeout=SOON)
            elif n % 10 < 5:
                master.ready()
                worker.ready()

    def at_rest() -> tuple[int, int]:
        gc.collect()
        return descriptors(), threads()

    once(0)
    before = at_rest()
    for n in range(100):
        once(n)
    wait_until(lambda: at_rest() <= before, SOON, f"{before} descriptors and threads as before")


def test_objects_dropped_without_close_leave_nothing_behind(cluster: str, url: str) -> None:
    def once() -> None:
        Master(cluster, url=url).add_job()

    once()
    before = (descriptors(), threads())
    for _ in range(30):
        once()
    wait_until(lambda: (gc.collect() or 1) and (descriptors(), threads()) <= before, SOON, "descriptors and threads as before")


def test_event_loops_leave_nothing_behind(cluster: str, url: str) -> None:
    async def once() -> None:
        async with aio.Master(cluster, url=url) as master, aio.Worker(cluster, url=url) as worker:
            worker.on("add", Job.complete)
            await master.run(timeout=SOON)

    asyncio.run(once())
    before = (descriptors(), threads())
    for _ in range(30):
        asyncio.run(once())
    wait_until(lambda: (gc.collect() or 1) and (descriptors(), threads()) <= before, SOON, "descriptors and threads as before")


def test_jobs_leave_no_memory_behind(master: Master, cluster: str, url: str) -> None:
    done = threading.Event()
    left = 0

    worker = Worker(cluster, url=url, slots=100)

    @worker.on_add
    def start(job: Job) -> None:
        nonlocal left
        job.on("delete", lambda: job.stopped())
        job.complete(job.payload)
        left -= 1
        if left == 0:
            done.set()

    def round_of_jobs() -> None:
        nonlocal left
        left = 5000
        done.clear()
        master.add_jobs([{"n": n, "text": "x" * 1000} for n in range(left)])
        assert done.wait(60)

    with worker:
        round_of_jobs()
        round_of_jobs()
        gc.collect()
        before = resident_kib()
        for _ in range(4):
            round_of_jobs()
        gc.collect()
        # 20,000 jobs of 1 KiB; a leak of each would be over 20 MiB.
        assert resident_kib() - before < 10_000
