"""Unique keys: one job at a time has each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm.aio
from conftest import SOON
from libswarm import Added, Job, Master, NewJob, SwarmInvalidArgument, Unique, Worker


def taken(jobs: Iterator[Job], count: int) -> list[Any]:
    """Completes so many jobs; their payloads in order."""
    payloads = []
    for _ in range(count):
        job = next(jobs)
        payloads.append(job.payload)
        job.complete()
    return payloads


def test_an_add_is_dropped_while_another_job_has_the_key(master: Master, cluster: str, url: str) -> None:
    first = master.add(1, unique="k", result=True)
    assert first == Added(first.id, False, False)
    assert master.add(2, unique="k") == Added(first.id, True, False)
    assert master.add_job(3, unique={"key": "k"}) == first.id
    assert master.add_many([4, NewJob(5, unique="other")], unique="k")[0] == Added(first.id, True)
    existed: list[str] = []
    with Worker(cluster, url=url) as worker:
        jobs = iter(worker)
        active = next(jobs)
        finishing = threading.Thread(target=lambda: wait_until(lambda: existed, SOON, "it existed") and active.complete(10))
        finishing.start()
        assert master.run(6, unique="k", id="own", on_existed=existed.append, timeout=SOON) == 10
        finishing.join()
        assert existed == [first.id]
        assert not master.add(7, unique="k").existed


def test_a_waiting_job_is_replaced_and_the_newest_follows_an_active_one(master: Master, cluster: str, url: str) -> None:
    replace: Unique = {"key": "k", "on_conflict": "replace"}
    latest: Unique = {"key": "k", "on_conflict": "latest"}
    first = master.add("a", unique=replace)
    assert master.add("b", unique=replace) == Added(first.id, True, True)
    with Worker(cluster, url=url) as worker:
        jobs = iter(worker)
        active = next(jobs)
        follower = master.add("c", unique=latest)
        assert not follower.existed
        assert master.add_many(["d", "e"], unique=latest) == [Added(follower.id, True, True)] * 2
        assert master.add("f", unique=replace) == Added(first.id, True, False)
        assert active.payload == "b"
        active.complete()
        assert taken(jobs, 1) == ["e"]


def test_until_start_and_for_a_time(master: Master, cluster: str, url: str) -> None:
    with Worker(cluster, url=url) as worker:
        jobs = iter(worker)
        master.add(1, unique={"key": "start", "until": "start"})
        active = next(jobs)
        assert not master.add(2, unique={"key": "start", "until": "start"}).existed
        assert taken(jobs, 1) == [2]
        active.complete()
        began = time.monotonic()
        throttled = master.add(3, unique={"key": "time", "until": 0.3})
        assert taken(jobs, 1) == [3]
        again = master.add(4, unique={"key": "time", "until": 0.3})
        assert again == Added(throttled.id, True) or time.monotonic() - began > 0.3
        wait_until(lambda: not master.add(5, unique={"key": "time", "until": 0.3}).existed, SOON, "its time is over")
        assert time.monotonic() - began > 0.29


def test_a_debounced_job_starts_after_the_last_add(master: Master, cluster: str, url: str) -> None:
    began = time.monotonic()
    first = master.add(1, unique="k", debounce=0.2, max_wait=5)
    assert all(master.add(n, unique="k", debounce=0.2, max_wait=5) == Added(first.id, True, True) for n in (2, 3))
    with Worker(cluster, url=url) as worker:
        jobs = iter(worker)
        assert taken(jobs, 1) == [3]
        assert time.monotonic() - began > 0.2


def test_the_key_of_a_call_is_not_mixed_with_that_of_one_job(master: Master) -> None:
    jobs = [NewJob(1, unique="own"), NewJob(2, unique="own")]
    added = master.add_many(jobs, unique={"key": "k", "on_conflict": "replace", "until": "start"})
    assert added[1] == Added(added[0].id, True, False)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"unique": {"key": "k", "until": 366 * 86_400}}, r'unique\["until"\]'),
        ({"unique": {"key": "k", "until": "stop"}}, "end or start, or a number of seconds"),
        ({"unique": {"key": "k", "on_conflict": "keep"}}, r'unique\["on_conflict"\]'),
        ({"debounce": 1}, "set unique"),
        ({"unique": "k", "debounce": 1, "delay": 1}, "leave out delay"),
        ({"unique": "k", "debounce": 2, "max_wait": 1}, "max_wait is 1 s, it must be 2 s"),
    ],
)
def test_invalid_options_are_refused(master: Master, options: dict[str, Any], text: str) -> None:
    with pytest.raises(SwarmInvalidArgument, match=text):
        master.add_job(1, **options)
    assert master.stats().added == 0


async def _asyncio(cluster: str, url: str) -> None:
    async with libswarm.aio.Master(cluster, url=url) as master:
        first = await master.add(1, unique="k")
        assert await master.add(2, unique={"key": "k", "on_conflict": "replace"}) == Added(first.id, True, True)
        assert [job.id for job in await master.add_many([3, 4], unique="k")] == [first.id] * 2


def test_asyncio(cluster: str, url: str) -> None:
    asyncio.run(_asyncio(cluster, url))
