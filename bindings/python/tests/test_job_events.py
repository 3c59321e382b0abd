"""Transitions of jobs, from threads and event loops."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import libswarm
from conftest import SOON
from libswarm import Job, JobEvent, Master, Worker, aio
from test_aio import in_loop


def kinds(events: list[JobEvent]) -> list[tuple[str, str]]:
    return [(event.id, event.kind) for event in events]


def test_a_follower_gets_the_transitions_and_continues_where_it_was(master: Master, cluster: str, url: str) -> None:
    events = master.events()
    before = time.time() - 1

    def handler(job: Job) -> None:
        if job.payload == "fail":
            raise ValueError("no")

    worker = Worker(cluster, url=url)
    worker.process(handler)
    with worker:
        good = master.add_job(1)
        found = [next(events) for _ in range(3)]
        assert kinds(found) == [(good, "added"), (good, "assigned"), (good, "completed")]
        assert all(before < event.time < time.time() + 1 for event in found)
        assert (found[1].worker, found[1].fence > 0, found[0].fence, found[0].due_at) == (worker.incarnation, True, 0, None)
        bad = master.add_job("fail", task="")
        failed = [next(events) for _ in range(3)][-1]
        assert (failed.id, failed.kind, failed.reason, failed.text) == (bad, "failed", "failed", "ValueError: no")
    late = master.add_job(1, delay=3600)
    added, delayed = next(events), next(events)
    assert (added.id, delayed.kind) == (late, "delayed")
    assert delayed.due_at is not None
    assert 3500 < delayed.due_at - time.time() < 3601
    again = master.events(after=found[0].position)
    assert kinds([next(again) for _ in range(2)]) == kinds(found[1:])
    assert next(master.events(after="0")) == found[0]
    for wrong in ("x", "1", ""):
        with pytest.raises(libswarm.SwarmInvalidArgument, match="after"):
            master.events(after=wrong)
    with pytest.raises(libswarm.SwarmInvalidArgument):
        master.events(after=1)  # type: ignore[arg-type]


def test_an_iterator_ends_with_close_and_with_its_master(cluster: str, url: str) -> None:
    with Master(cluster, url=url) as master:
        events = master.events()
        finished = threading.Event()

        def follow() -> None:
            for _ in events:
                pass
            finished.set()

        thread = threading.Thread(target=follow)
        thread.start()
        events.close()
        assert finished.wait(SOON)
        thread.join()
        events.close()
        assert list(events) == []
        rest = master.events()
        master.add_job(1)
        assert next(rest).kind == "added"
    assert list(rest) == []
    with pytest.raises(libswarm.SwarmClosed):
        master.events()


def test_recording_always_and_its_bound_are_options(cluster: str, url: str) -> None:
    with Master(cluster, url=url, events="always", events_max=100) as master:
        master.ready()
        first = master.add_job(1)
        event = next(master.events(after="0"))
        assert event.id == first
        ids = master.add_jobs(range(500))
        events = master.events(after=event.position)
        assert next(events).kind == "missed"
        rest = [next(events)]
        while rest[-1].id != ids[-1]:
            rest.append(next(events))
        assert 100 <= len(rest) <= 200
    for wrong in ({"events": "never"}, {"events_max": 99}, {"events_max": 1_000_001}, {"events_max": "5"}):
        with pytest.raises(libswarm.SwarmInvalidArgument, match="events"):
            Master(cluster, url=url, **wrong)


@in_loop
async def test_an_async_iterator_survives_cancelled_waits(cluster: str, url: str) -> None:
    async with aio.Master(cluster, url=url) as master:
        events = master.events()
        await events.ready()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 0.01)
        ids = await master.add_jobs(range(10))
        found = []
        async for event in events:
            found.append(event)
            if len(found) == len(ids):
                break
        assert kinds(found) == [(id, "added") for id in ids]
        waiting = asyncio.ensure_future(anext(events, None))
        await asyncio.sleep(0)
        events.close()
        assert await asyncio.wait_for(waiting, SOON) is None
        with pytest.raises(libswarm.SwarmInvalidArgument):
            master.events(after="x")
        rest = master.events(after=found[0].position)
        assert (await anext(rest)).id == ids[1]
    async for event in rest:
        assert event.id in ids
