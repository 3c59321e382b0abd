"""Masters and workers of an event loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from swarm_support import Redis

import libswarm
from conftest import SOON
from libswarm import Added, Job
from libswarm.aio import Master, Worker

Test = Callable[..., Coroutine[Any, Any, None]]


def in_loop(test: Test) -> Callable[..., None]:
    """Runs a test in an event loop of its own."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(asyncio.wait_for(test(**fixtures), 3 * SOON))

    return run


async def until(condition: Callable[[], object], what: str) -> None:
    """Waits until `condition` is true, while the loop goes on."""
    end = asyncio.get_running_loop().time() + SOON
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"not in time: {what}"
        await asyncio.sleep(0.005)


@in_loop
async def test_adds_of_one_tick_travel_together(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master:
        ids = await asyncio.gather(*(master.add_job({"n": n}, id=f"id-{n}") for n in range(500)))
        assert ids == [f"id-{n}" for n in range(500)]
        assert await master.add(None, id="id-7") == Added("id-7", True)
        assert await master.add_many([1, 2], ids=["id-0", "new"]) == [Added("id-0", True), Added("new", False)]
        assert (await master.stats()).waiting == 501


@in_loop
async def test_an_unused_master_can_be_closed(cluster: str, url: str) -> None:
    master = Master(cluster, url=url)
    await master.close()
    await master.close()
    with pytest.raises(libswarm.SwarmClosed):
        await master.add_job(1)


@in_loop
async def test_one_bad_add_of_a_tick_fails_alone(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master:
        answers = await asyncio.gather(
            master.add_job(1),
            master.add_job(float("nan")),
            master.add_job(b"x" * (512 * 1024 + 1)),
            master.add_job(2, id="bad\nid"),
            master.add_job(3, result_ttl=0.001),
            master.add_job(4),
            return_exceptions=True,
        )
        kinds = [type(answer) for answer in answers]
        invalid = libswarm.SwarmInvalidArgument
        assert kinds == [str, invalid, libswarm.SwarmTooLarge, invalid, invalid, str]
        assert (await master.stats()).added == 2


@in_loop
async def test_run_result_and_delete(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master, Worker(cluster, url=url) as worker:
        worker.on("add", lambda job: job.complete(job.payload + 1))
        assert await master.run(1, timeout=SOON) == 2
        id = await master.add_job(2, result=True)
        assert await master.result(id, timeout=SOON) == 3
        assert await master.delete_job(id) is False
        assert await worker.delete_job(id) is False
        assert await master.delete_jobs([id]) == [False]
        assert await master.add_jobs([1, 2], ids=["a", "b"]) == ["a", "b"]
        with pytest.raises(libswarm.SwarmTimeout):
            await master.run("too late", timeout=0.0)


@in_loop
async def test_a_cancelled_wait_leaves_the_job_alone(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master:
        running = asyncio.create_task(master.run("goes on", id="mine"))
        while (await master.stats()).waiting == 0:
            await asyncio.sleep(0.005)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await master.stats()).waiting == 1
        adding = asyncio.create_task(master.add_job("cancelled"))
        await asyncio.sleep(0)
        adding.cancel()
        assert await master.add_job("not cancelled")
        async with Worker(cluster, url=url) as worker:
            worker.on("add", lambda job: job.complete("done"))
            assert await master.result("mine", timeout=SOON) == "done"


@in_loop
async def test_a_handler_is_cancelled_when_its_job_is_deleted(cluster: str, url: str) -> None:
    finished: list[object] = []
    worker = Worker(cluster, url=url, slots=2)

    @worker.process
    async def handle(job: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            finished.append((job.payload, job.delete_reason))

    async with Master(cluster, url=url) as master, worker:
        await master.add_job("one", id="one")
        await until(lambda: worker.jobs, "it is active")
        await master.delete_job("one")
        await until(lambda: finished == [("one", "deleted")], "it was cancelled")
        await until(lambda: not worker.jobs, "its slot is free")
        while (await master.stats()).deleting:
            await asyncio.sleep(0.005)
        await master.add_job("two")
        await until(lambda: worker.jobs, "the next is active")
        await worker.terminate()
        assert finished[1:] == [("two", "terminated")]
        assert (await master.stats()).waiting == 1


@in_loop
async def test_a_handler_fails_its_job_by_raising(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    @worker.process
    async def handle(job: Job) -> object:
        await asyncio.sleep(0)
        return 1 / job.payload

    async with Master(cluster, url=url) as master, worker:
        assert await master.run(2, timeout=SOON) == 0.5
        with pytest.raises(libswarm.SwarmJobFailed, match="ZeroDivisionError"):
            await master.run(0, timeout=SOON)


@in_loop
async def test_async_for_and_awaited_completions(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master:
        ids = await master.add_jobs(range(100), result=True)
        worker = Worker(cluster, url=url, slots=10)
        seen = []
        async for job in worker:
            seen.append(job.payload)
            await job.complete(job.payload**2)
            with pytest.raises(libswarm.SwarmStaleFence):
                await job.complete()
            if len(seen) == 100:
                await worker.terminate()
        assert sorted(seen) == list(range(100))
        assert await master.result(ids[9], timeout=SOON) == 81


@in_loop
async def test_several_tasks_share_one_loop(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    seen: list[int] = []

    async def work() -> None:
        async for job in worker:
            seen.append(job.payload)
            job.complete()
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    async with Master(cluster, url=url) as master:
        await master.add_jobs(range(3000))
        await until(lambda: len(seen) == 3000, "all are seen")
        await worker.terminate()
        await asyncio.gather(*tasks)
        assert sorted(seen) == list(range(3000))


@in_loop
async def test_listeners_may_be_coroutine_functions(cluster: str, url: str) -> None:
    events: list[object] = []
    worker = Worker(cluster, url=url)

    @worker.on_add
    async def start(job: Job) -> None:
        await asyncio.sleep(0)
        if job.payload == "bad":
            raise ValueError("bad")
        await job.complete(job.payload)

    @worker.on_ready
    async def ready(incarnation: str) -> None:
        events.append(incarnation)

    async with Master(cluster, url=url) as master, worker:
        assert await master.run("good", timeout=SOON) == "good"
        with pytest.raises(libswarm.SwarmJobFailed, match="ValueError: bad"):
            await master.run("bad", timeout=SOON)
        assert events == [worker.incarnation]


@in_loop
async def test_drain_waits_for_handlers(cluster: str, url: str) -> None:
    go = asyncio.Event()
    worker = Worker(cluster, url=url, slots=1)

    @worker.process
    async def handle(job: Job) -> None:
        await go.wait()

    async with Master(cluster, url=url) as master, worker:
        await master.add_jobs([1, 2])
        await until(lambda: worker.jobs, "one is active")
        draining = asyncio.create_task(worker.drain())
        await asyncio.sleep(0.05)
        assert not draining.done()
        go.set()
        await draining
        stats = await master.stats()
        assert (stats.completed, stats.waiting) == (1, 1)


@in_loop
async def test_events_of_a_master(cluster: str, url: str) -> None:
    events: list[object] = []
    master = Master(cluster, url=url)
    master.on("ready", events.append)
    master.on("close", events.append)
    await master.ready()
    await until(lambda: events, "ready is emitted")
    incarnation = master.incarnation
    await master.close()
    await master.close()
    assert events == [incarnation, None]
    with pytest.raises(libswarm.SwarmClosed):
        await master.add_job()


def test_another_loop_is_refused(cluster: str, url: str) -> None:
    master = Master(cluster, url=url)
    asyncio.run(master.ready())

    with pytest.raises(libswarm.SwarmInvalidArgument, match="another event loop"):
        asyncio.run(master.ready())


@in_loop
async def test_a_worker_that_lost_its_redis_registers_again(cluster: str, url: str) -> None:
    events: list[str] = []
    async with Master(cluster, url=url) as master:
        worker = Worker(cluster, url=url, lease=1)
        worker.on("close", lambda error: events.append(f"close {getattr(error, 'kind', None)}"))
        worker.on("ready", lambda incarnation: events.append("ready"))
        worker.on("delete", lambda job: events.append(f"delete {job.delete_reason}"))
        worker.on("add", lambda job: None)
        async with worker:
            await master.add_job("active")
            await until(lambda: worker.jobs, "it is active")
            await master.obliterate()
            await until(lambda: events.count("ready") == 2, "it is registered again")
        assert events == ["ready", "delete lease_lost", "close LEASE_LOST", "ready", "close None"]


@pytest.mark.parametrize(
    ("server", "options", "error", "mended"),
    [
        ({"requirepass": "secret"}, {}, libswarm.SwarmAuthFailed, {"password": "secret"}),
        ({"requirepass": "secret"}, {"password": "wrong"}, libswarm.SwarmAuthFailed, {"password": "secret"}),
        ({"maxmemory": "200mb", "maxmemory-policy": "allkeys-lru"}, {}, libswarm.SwarmEvictionPolicy, {"eviction": "warn"}),
    ],
)
def test_errors_that_need_the_user_are_raised_by_ready(
    server: dict[str, str], options: dict[str, Any], error: type[libswarm.SwarmError], mended: dict[str, Any], cluster: str
) -> None:
    @in_loop
    async def play(url: str) -> None:
        async with Master(cluster, url=url, **options) as master:
            with pytest.raises(error):
                await master.ready()
            with pytest.raises(error):
                await master.add_job(1)
        worker = Worker(cluster, url=url, **options)
        worker.on("add", Job.complete)
        with pytest.raises(error):
            await worker.run()
        async with Worker(cluster, url=url, **options) as worker:
            with pytest.raises(error):
                await worker.ready()
        async with Master(cluster, url=url, **mended) as master, Worker(cluster, url=url, **mended) as worker:
            await master.ready()
            await worker.ready()

    with Redis(server) as redis:
        play(url=redis.url)
