"""Programs that keep the GIL or their event loop: the lease is renewed all the same."""

from __future__ import annotations

import asyncio
import ctypes
import time

from swarm_support import wait_until

from conftest import SOON
from libswarm import Job, Master, Worker, aio

LEASE = 1.0


def hold_the_gil(seconds: float) -> None:
    """Sleeps in C without giving the GIL away: no other Python thread runs meanwhile."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def test_no_job_moves_while_the_gil_is_held_for_four_leases(master: Master, cluster: str, url: str) -> None:
    assigned: list[Job] = []
    worker = Worker(cluster, url=url, lease=LEASE)
    worker.on("add", assigned.append)
    lost: list[object] = []
    worker.on_close(lost.append)
    with worker, Worker(cluster, url=url, lease=LEASE, name="the other") as other:
        other.on("add", lambda job: None)
        worker.ready()
        other.ready()
        ids = master.add_jobs(range(10), result=True)
        wait_until(lambda: len(assigned) == 5 and len(other.jobs) == 5, SOON, "each has its half")
        hold_the_gil(4 * LEASE)
        stats = master.stats()
        assert (stats.active, stats.crashes, stats.members) == (10, 0, 3)
        assert {job.id for job in assigned} < set(ids)
        for job in assigned:
            job.complete(job.fence).wait(SOON)
            assert master.result(job.id, timeout=SOON) == job.fence
        assert not lost


def test_no_job_moves_while_the_event_loop_is_blocked_for_four_leases(cluster: str, url: str) -> None:
    async def main() -> None:
        lost: list[object] = []
        async with aio.Master(cluster, url=url) as master, aio.Worker(cluster, url=url, lease=LEASE) as worker:
            worker.on("close", lost.append)
            worker.on("add", lambda job: None)
            id = await master.add_job(result=True)
            while not worker.jobs:
                await asyncio.sleep(0.005)
            time.sleep(4 * LEASE)
            await worker.jobs[id].complete("still mine")
            assert await master.result(id, timeout=SOON) == "still mine"
            assert (await master.stats()).crashes == 0
            assert not lost

    asyncio.run(main())
