"""Schedules, from threads and event loops."""

from __future__ import annotations

import asyncio
import itertools
import queue
from datetime import UTC, datetime
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, Worker, aio
from test_aio import in_loop


def test_each_slot_adds_one_job(master: Master, cluster: str, url: str) -> None:
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    with Worker(cluster, url=url) as worker:
        worker.on("add", jobs.put)
        assert master.schedule("a", {"n": 1}, every=0.2, task="", priority=3) == "created"
        slots = []
        for _ in range(5):
            assert master.schedule("a", {"n": 1}, every=0.2, task="", priority=3) == "unchanged"
            job = jobs.get(timeout=SOON)
            assert (job.payload, job.priority, job.id.split("@")[0]) == ({"n": 1}, 3, "a")
            slots.append(int(job.id.split("@")[1]))
            assert job.scheduled_for == slots[-1]
            job.complete()
        assert all((later - earlier) % 200 == 0 and later > earlier for earlier, later in itertools.pairwise(slots))
        assert master.schedule("a", {"n": 2}, every=0.2, task="", priority=3) == "changed"
        info = master.schedule_info("a")
        assert info is not None
        assert (info.every, info.cron, info.overlap, info.priority, info.ended) == (0.2, None, "skip", 3, False)
        assert info.added >= 5
        assert info.next_at is not None
        assert master.unschedule("a")
        assert not master.unschedule("a")
        assert master.schedule_info("a") is None


def test_schedules_are_listed_paused_and_run_by_hand(master: Master, cluster: str, url: str) -> None:
    end = datetime(2040, 1, 1, tzinfo=UTC)
    for id in ("b", "a"):
        timing: dict[str, Any] = {"cron": "0 3 * * MON", "tz": "Europe/Berlin", "end": end}
        master.schedule(id, **timing, limit=5, jitter=60, overlap="replace", catch_up="none")
    page = master.schedules(limit=1)
    assert ([one.id for one in page.schedules], page.next) == (["a"], "a")
    rest = master.schedules(after=page.next)
    assert ([one.id for one in rest.schedules], rest.next) == (["b"], None)
    info = page.schedules[0]
    assert (info.cron, info.tz, info.end, info.limit, info.jitter) == ("0 3 * * MON", "Europe/Berlin", end.timestamp(), 5, 60.0)
    assert (info.overlap, info.catch_up, info.paused) == ("replace", "none", False)
    assert master.pause_schedule("a")
    assert master.schedules().schedules[0].paused
    assert master.resume_schedule("a")
    assert not master.pause_schedule("nothing")
    job = master.run_schedule("a")
    assert job is not None
    wait_until(lambda: master.job(job) is not None, SOON, "its job is there")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({}, "one of cron"),
        ({"cron": "* * *"}, "cron"),
        ({"cron": "61 * * * *"}, "minute"),
        ({"cron": "@daily", "tz": "Mars/Base"}, "Mars/Base"),
        ({"every": 0.01}, "every"),
        ({"every": "1"}, "every"),
        ({"every": 1, "cron": "@daily"}, "one of cron"),
        ({"every": 1, "limit": 0}, "limit"),
        ({"every": 1, "overlap": "maybe"}, "overlap"),
        ({"every": 1, "start": 100.0, "end": 50.0}, "end"),
        ({"every": 1, "overlap": "replace", "resource": "r"}, "resource"),
    ],
)
def test_bad_options_are_named(master: Master, options: dict[str, Any], part: str) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match=part):
        master.schedule("a", **options)
    with pytest.raises(libswarm.SwarmInvalidArgument):
        master.run_schedule("a")
    assert master.schedules().schedules == []


@in_loop
async def test_schedules_in_an_event_loop(cluster: str, url: str) -> None:
    async with aio.Master(cluster, url=url) as master, aio.Worker(cluster, url=url) as worker:
        assert await master.schedule("a", after_end=0.2, limit=2) == "created"
        ids = []

        async def take() -> None:
            async for job in worker:
                ids.append(job.id)
                await job.complete()
                if len(ids) == 2:
                    return

        await asyncio.wait_for(take(), SOON)
        assert int(ids[1].split("@")[1]) >= int(ids[0].split("@")[1]) + 200
        assert await master.unschedule("a")
