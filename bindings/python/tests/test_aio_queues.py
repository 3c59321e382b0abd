"""Work queues in an event loop."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

import libswarm
from conftest import SOON
from libswarm import Job, NewJob, PermanentFailure, RetryAfter, aio
from libswarm.aio import Master, Worker
from test_aio import in_loop, until


@in_loop
async def test_handlers_of_tasks_and_what_they_raise(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    @worker.task("mail")
    async def mail(job: Job) -> str:
        await asyncio.sleep(0)
        if job.payload == "hopeless":
            raise PermanentFailure("no such address")
        if job.attempt == 1:
            raise RetryAfter(0.01, "busy")
        if job.attempt == 2:
            raise ValueError("again")
        return f"mailed {job.payload} {job.headers['to']} at attempt {job.attempt}"

    async with Master(cluster, url=url) as master, worker:
        headers = {"to": "ann"}
        assert (
            await master.run(1, task="mail", retries=2, backoff=0.01, headers=headers, timeout=SOON)
            == "mailed 1 ann at attempt 3"
        )
        with pytest.raises(libswarm.SwarmJobFailed, match=r"^no such address$"):
            await master.run("hopeless", task="mail", retries=2, backoff=3600, timeout=SOON)
        plain = await master.add_job(2, result=True)
        assert (await master.stats()).waiting == 1

        async def any_other(job: Job) -> str:
            return f"plain {job.payload}"

        worker.process({"": any_other})
        assert await master.result(plain, timeout=SOON) == "plain 2"
        with pytest.raises(libswarm.SwarmInvalidArgument, match="handler already"):
            worker.process(any_other)


@in_loop
async def test_a_handler_is_cancelled_when_its_time_is_over(cluster: str, url: str) -> None:
    reasons: list[object] = []
    worker = Worker(cluster, url=url, slots=1)

    @worker.process
    async def handle(job: Job) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            reasons.append(job.delete_reason)
            raise

    async with Master(cluster, url=url) as master, worker:
        with pytest.raises(libswarm.SwarmRunTimeout) as caught:
            await master.run(timeouts={"run": 0.05}, retries=1, backoff=0, timeout=SOON)
        assert caught.value.reason == "run_timeout"
        await until(lambda: reasons == ["timed_out", "timed_out"], "both attempts were notified")
        with pytest.raises(libswarm.SwarmTotalTimeout):
            await master.run(timeouts={"total": 0.05}, timeout=SOON)
        await until(lambda: len(reasons) == 3, "the last was notified")


@in_loop
async def test_a_listener_may_raise_the_same(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    @worker.on_add
    async def start(job: Job) -> None:
        await asyncio.sleep(0)
        raise RetryAfter(0) if job.attempt == 1 else PermanentFailure("enough")

    async with Master(cluster, url=url) as master, worker:
        with pytest.raises(libswarm.SwarmJobFailed, match=r"^enough$"):
            await master.run(retries=5, backoff=3600, timeout=SOON)


@in_loop
async def test_groups(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, slots=4)

    @worker.process
    async def halve(job: Job) -> int:
        if job.payload % 2:
            raise PermanentFailure(f"{job.payload} is odd")
        return int(job.payload) // 2

    async with Master(cluster, url=url) as master, worker:
        four, error, three = await master.run_many([8, 3, NewJob(6, priority=9)], timeout=SOON)
        assert (four, str(error), type(error), three) == (4, "3 is odd", libswarm.SwarmJobFailed, 3)
        seen: dict[int, Any] = {}
        async for position, outcome in master.run_each([NewJob(8, delay=0.2), 3, 6]):
            seen[position] = outcome
        assert list(seen)[-1] == 0
        assert (seen[0], str(seen[1]), seen[2]) == (4, "3 is odd", 3)
        assert {one.position: one.outcome async for one in master.run_each(range(0, 4000, 2))} == {n: n for n in range(2000)}
        assert [one async for one in master.run_each([])] == []
        with pytest.raises(libswarm.SwarmTimeout):
            async for _ in master.run_each([2], task="nobody's", timeout=0.05):
                pass


@in_loop
async def test_a_cancelled_wait_for_an_outcome_loses_none(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master:
        outcomes = master.run_each(["a"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(outcomes), 0.05)
        async with Worker(cluster, url=url) as worker:
            worker.on("add", lambda job: job.complete(job.payload))
            assert await anext(outcomes) == (0, "a")
            with pytest.raises(StopAsyncIteration):
                await anext(outcomes)
            # Several tasks may share one.
            shared = master.run_each(range(100))

            async def some() -> list[int]:
                return [outcome async for _, outcome in shared]

            parts = await asyncio.gather(some(), some(), some())
            assert sorted(itertools.chain(*parts)) == list(range(100))


@in_loop
async def test_groups_end_with_their_master(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master:
        leaving = Master(cluster, url=url)
        given_up = leaving.run_each(["given up"])
        kept = leaving.run_each(["kept"], keep=True)
        while (await master.stats()).waiting < 2:
            await asyncio.sleep(0.005)
        waiting = asyncio.ensure_future(anext(given_up))
        await asyncio.sleep(0)
        await leaving.close()
        with pytest.raises(libswarm.SwarmClosed):
            await waiting
        with pytest.raises(libswarm.SwarmClosed):
            await anext(kept)
        with pytest.raises(libswarm.SwarmClosed):
            leaving.run_each([1])
        while (await master.stats()).waiting != 1:
            await asyncio.sleep(0.005)


@in_loop
async def test_inspection(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master:
        await master.pause("t")
        assert await master.add_jobs(["a", NewJob("b", task="t", priority=2, id="b")], ids=["x", "y"]) == ["x", "b"]
        assert await master.queues() == ([(2, "t", 1, 0), (0, "", 1, 0)], ["t"], "", [])
        assert [job.id for job in (await master.jobs("waiting")).jobs] == ["b", "x"]
        async with Worker(cluster, url=url, tasks=["t", ""], name="ann") as worker:
            worker.on("add", lambda job: None)
            await until(lambda: worker.jobs, "one is active")
            job = worker.jobs["x"]
            job.progress([1, 2])
            while (info := await master.job("x")) is None or info.progress is None:
                await asyncio.sleep(0.005)
            assert (info.state, info.progress, info.holder) == ("active", [1, 2], worker.incarnation)
            assert [(member.role, member.name) for member in await master.members()] == [("master", ""), ("worker", "ann")]
            await job.fail_permanently("no")
            assert await master.retry_failed(["x"]) == 1
            await until(lambda: "x" in worker.jobs, "it is active again")
            await worker.jobs["x"].retry("no", 0)
            assert await master.delete_failed() == 1
            await master.resume("t")
            await until(lambda: "b" in worker.jobs, "the other is active")
            worker.set_tasks(["t"])
            while [member.tasks for member in await master.members()][1] != ["t"]:
                await asyncio.sleep(0.005)
            await master.add_job("left")
            assert (await master.stats()).waiting == 1
        assert await master.job("nobody") is None


def test_threads_and_asyncio_export_the_same() -> None:
    own = {"__version__", "disable_logging", "enable_logging", "processes", "ready", *libswarm.errors.__all__}
    assert set(aio.__all__) == set(libswarm.__all__) - own


@in_loop
async def test_a_run_reports_that_a_job_with_this_id_existed(cluster: str, url: str) -> None:
    async with Master(cluster, url=url) as master, Worker(cluster, url=url) as worker:
        worker.on_add(lambda job: None if job.id == "active" else job.complete(job.payload))
        existed: list[str] = []

        def refuse(id: str) -> None:
            raise KeyError(id)

        def end(id: str) -> None:
            existed.append(id)
            (active,) = worker.jobs.values()
            active.complete("of the first")

        assert await master.run("new", id="new", on_existed=existed.append, timeout=SOON) == "new"
        assert existed == []

        async def run() -> Any:
            return await master.run("again", id="active", on_existed=end, timeout=SOON)

        async def run_many() -> Any:
            return (await master.run_many(["again"], ids=["active"], on_existed=end, timeout=SOON))[0]

        async def run_each() -> Any:
            return (await anext(aiter(master.run_each(["again"], ids=["active"], on_existed=end, timeout=SOON)))).outcome

        for again in (run, run_many, run_each):
            await master.add_job("first", id="active", result=True)
            await until(lambda: worker.jobs, "it is active")
            assert await again() == "of the first"
        assert existed == ["active"] * 3

        await master.add_job("first", id="active", result=True)
        await until(lambda: worker.jobs, "it is active")
        with pytest.raises(KeyError):
            await master.run("again", id="active", on_existed=refuse, timeout=SOON)
        with pytest.raises(libswarm.SwarmTimeout):
            await master.run("again", id="active", on_existed=existed.append, timeout=0.2)
        assert existed == ["active"] * 4
        waiting = asyncio.create_task(run())
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
