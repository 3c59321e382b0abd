"""Limits, from threads and event loops."""

from __future__ import annotations

import asyncio
import pickle
import queue
import time
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, RateLimited, Worker, aio
from test_aio import in_loop


def test_jobs_wait_for_their_limits(master: Master, cluster: str, url: str) -> None:
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    with Worker(cluster, url=url) as worker:
        worker.on("add", jobs.put)
        assert not master.limit("api", concurrency=1)
        assert master.limit("api", concurrency=1)
        first, second = (job.id for job in master.add_many([1, 2], limits=["api", {"name": "tenant:1", "cost": 2}]))
        job = jobs.get(timeout=SOON)
        assert job.id == first
        wait_until(lambda: master.stats().blocked == 1, SOON, "a blocked job")
        info = master.limit_info("api")
        assert (info.rate, info.per, info.burst, info.concurrency, info.active, info.blocked, info.next_in) == (
            None,
            None,
            None,
            1,
            1,
            1,
            0.0,
        )
        shown = master.job(second)
        assert shown is not None
        assert (shown.state, shown.limits) == ("blocked", ["api", "tenant:1"])
        assert [limit.name for limit in master.queues().limits] == ["api"]
        job.complete()
        assert jobs.get(timeout=SOON).id == second
        assert master.remove_limit("api")
        assert not master.remove_limit("api")


def test_a_rate_in_seconds(master: Master, cluster: str, url: str) -> None:
    starts: queue.SimpleQueue[float] = queue.SimpleQueue()
    master.limit("tenant:*", rate=1, per=0.2, burst=2)
    worker = Worker(cluster, url=url)
    worker.process(lambda _: starts.put(time.monotonic()))
    with worker:
        master.add_many([1, 2, 3], limits="tenant:1")
        first, second, third = (starts.get(timeout=SOON) for _ in range(3))
        assert third - first >= 0.19
        assert second - first < third - first
    info = master.limit_info("tenant:1")
    assert (info.rate, info.per, info.burst, info.concurrency) == (1, 0.2, 2, None)


def test_a_handler_lets_its_limit_wait(master: Master, cluster: str, url: str) -> None:
    attempts: list[tuple[int, float]] = []

    def handler(job: Job) -> str:
        attempts.append((job.attempt, time.monotonic()))
        if len(attempts) == 1:
            raise RateLimited(0.2)
        if len(attempts) == 2:
            raise RateLimited(0.1, "other")
        return "done"

    worker = Worker(cluster, url=url)
    worker.process(handler)
    with worker:
        assert master.run("x", limits="api", timeout=SOON) == "done"
    assert [attempt for attempt, _ in attempts] == [1, 1, 1]
    assert attempts[1][1] - attempts[0][1] >= 0.2
    assert attempts[2][1] - attempts[1][1] >= 0.1
    copied = pickle.loads(pickle.dumps(RateLimited(0.5, "api")))
    assert (copied.after, copied.limit) == (0.5, "api")
    with pytest.raises(libswarm.SwarmInvalidArgument):
        RateLimited(-1)


@pytest.mark.parametrize(
    ("figures", "part"),
    [
        ({}, "a rate, a concurrency or both"),
        ({"rate": 0}, "rate"),
        ({"rate": 1.5}, "rate"),
        ({"rate": "x"}, "rate"),
        ({"rate": 1, "per": 0}, "per"),
        ({"rate": 1, "burst": 1_000_001}, "1,000,000"),
        ({"concurrency": -1}, "concurrency"),
        ({"concurrency": 1, "per": 1}, "per belongs to a rate"),
    ],
)
def test_figures_out_of_bounds_are_refused(master: Master, figures: dict[str, Any], part: str) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match=part):
        master.limit("api", **figures)
    assert master.queues().limits == []


@pytest.mark.parametrize(
    ("limits", "part"),
    [
        (3, "limits"),
        ({"name": "a"}, "limits"),
        ([3], "name of a limit"),
        (["a", "a"], "twice"),
        (["a", "b", "c", "d", "e"], "at most 4"),
        ([{"name": "a", "costs": 1}], "costs"),
        ([{"cost": 1}], "name"),
        ([{"name": "a", "cost": 0}], "cost"),
        ([{"name": "a", "cost": "x"}], "cost"),
        ("a:*", "without"),
    ],
)
def test_limits_of_a_job_are_checked(master: Master, limits: Any, part: str) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match=part):
        master.add(1, limits=limits)
    assert master.stats().added == 0


@in_loop
async def test_limits_in_an_event_loop(cluster: str, url: str) -> None:
    async with aio.Master(cluster, url=url) as master, aio.Worker(cluster, url=url) as worker:
        jobs: asyncio.Queue[Job] = asyncio.Queue()
        worker.on("add", jobs.put_nowait)
        assert not await master.limit("api", rate=1, per=0.1)
        await master.add("x", limits="api")
        job = await asyncio.wait_for(jobs.get(), SOON)
        await job.rate_limited(0.1, "api")
        assert (await asyncio.wait_for(jobs.get(), SOON)).attempt == 1
        assert (await master.limit_info("api")).rate == 1
        assert await master.remove_limit("api")
