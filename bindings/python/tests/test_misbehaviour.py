"""Handlers and listeners that end in unusual ways: their job fails once, and nothing else is harmed."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON, Script
from libswarm import Job, Master, Worker, aio
from test_aio import in_loop


class Mute(Exception):
    """An exception without a readable text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Odd(Exception):
    """An exception whose text is not one."""

    def __str__(self) -> Any:
        return 7

    __repr__ = __str__


class Surrogate(Exception):
    """An exception whose text has no UTF-8."""

    def __str__(self) -> str:
        return "half \ud83d"


class Stealthy(BaseException):
    """Neither an `Exception` nor one of Python's own."""

    def __str__(self) -> str:
        raise SystemExit(3)


class Late(libswarm.RetryAfter):
    """A pause that is none."""

    @property
    def seconds(self) -> Any:
        return "soon"


class Renamed(type):
    """Classes without a readable name."""

    @property
    def __name__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError("no name")


class Nameless(Exception, metaclass=Renamed):
    """An exception without a readable name."""


#: What a handler raises, and the error of its job.
RAISED: list[tuple[Callable[[], BaseException], str]] = [
    (Mute, "Mute"),
    (Odd, "Odd"),
    (Surrogate, "Surrogate: half"),
    (Stealthy, "Stealthy"),
    (lambda: Nameless(), ""),
    (lambda: Late(1, "busy"), "busy"),
    (lambda: libswarm.PermanentFailure("half \ud83d"), "half"),
    (lambda: ValueError(Mute("inner")), "ValueError"),
    (lambda: ExceptionGroup("both", [Mute(), Odd()]), "both"),
    (lambda: KeyError("x" * 100_000), "KeyError"),
    (SystemExit, "SystemExit"),
    (lambda: SystemExit(3), "SystemExit: 3"),
    (GeneratorExit, "GeneratorExit"),
    (StopIteration, "StopIteration"),
    (asyncio.CancelledError, "CancelledError"),
]
IDS = [f"{n}-{text or 'nameless'}" for n, (_, text) in enumerate(RAISED)]


@pytest.mark.parametrize(("raised", "text"), [*RAISED, (KeyboardInterrupt, "KeyboardInterrupt")], ids=[*IDS, "interrupt"])
@pytest.mark.parametrize("way", ["handler", "listener"])
def test_threads_fail_the_job_whatever_is_raised(
    raised: Callable[[], BaseException], text: str, way: str, master: Master, cluster: str, url: str
) -> None:
    worker = Worker(cluster, url=url, slots=1)

    def handle(job: Job) -> Any:
        if job.payload == "bad":
            raise raised()
        return job.complete(job.payload) if way == "listener" else job.payload

    worker.process(handle) if way == "handler" else worker.on("add", handle)
    with worker:
        with pytest.raises(libswarm.SwarmJobFailed) as caught:
            master.run("bad", timeout=SOON)
        assert text in str(caught.value)
        assert master.run("good", timeout=SOON) == "good"
        assert (master.stats().failures, master.stats().active) == (1, 0)


@pytest.mark.parametrize(("raised", "text"), RAISED, ids=IDS)
@pytest.mark.parametrize("way", ["handler", "listener", "coroutine listener"])
@in_loop
async def test_loops_fail_the_job_whatever_is_raised(
    raised: Callable[[], BaseException], text: str, way: str, cluster: str, url: str
) -> None:
    worker = aio.Worker(cluster, url=url, slots=1)

    async def handle(job: Job) -> Any:
        await asyncio.sleep(0)
        if job.payload == "bad":
            raise raised() if raised is not StopIteration else RuntimeError("StopIteration")
        if way != "handler":
            job.complete(job.payload)
        return job.payload

    def listen(job: Job) -> None:
        if job.payload == "bad":
            raise raised()
        job.complete(job.payload)

    match way:
        case "handler":
            worker.process(handle)
        case "listener":
            worker.on("add", listen)
        case _:
            worker.on("add", handle)
    async with aio.Master(cluster, url=url) as master, worker:
        with pytest.raises(libswarm.SwarmJobFailed) as caught:
            await master.run("bad", timeout=SOON)
        assert text in str(caught.value)
        assert await master.run("good", timeout=SOON) == "good"
        assert ((await master.stats()).failures, (await master.stats()).active) == (1, 0)


@in_loop
async def test_a_handler_that_cancels_itself_is_a_failed_attempt(cluster: str, url: str) -> None:
    runs: list[int] = []
    worker = aio.Worker(cluster, url=url)

    @worker.process
    async def handle(job: Job) -> None:
        runs.append(job.attempt)
        match job.payload:
            case "task":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(1)
            case "child":
                child = asyncio.create_task(asyncio.sleep(1))
                child.cancel()
                await child

    async with aio.Master(cluster, url=url) as master, worker:
        for payload in ("task", "child"):
            runs.clear()
            with pytest.raises(libswarm.SwarmJobFailed, match="CancelledError"):
                await master.run(payload, retries=1, backoff=0.01, timeout=SOON)
            assert runs == [1, 2]


@in_loop
async def test_an_interrupt_in_a_handler_charges_its_attempt(cluster: str, url: str) -> None:
    """What ends the program must not be assigned to the next worker without counting a crash."""
    async with aio.Master(cluster, url=url) as master:
        await master.add_job(1, id="deadly", retries=1)
        for attempt in (1, 2):
            program = f"""
import asyncio
from libswarm import aio

async def handle(job):
    raise KeyboardInterrupt

async def main():
    worker = aio.Worker({cluster!r}, url={url!r})
    worker.process(handle)
    await worker.run()

asyncio.run(main())
"""
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE)
            _, stderr = await process.communicate()
            assert process.returncode != 0, stderr
            job = await master.job("deadly")
            assert job is not None
            assert (job.state, job.attempt) == (("delayed", 2) if attempt == 1 else ("failed", 2)), stderr
            if attempt == 1:
                while (job := await master.job("deadly")) is not None and job.state != "waiting":
                    await asyncio.sleep(0.01)


def test_a_job_may_be_failed_with_anything(master: Master, cluster: str, url: str) -> None:
    assigned: queue.SimpleQueue[Job] = queue.SimpleQueue()
    worker = Worker(cluster, url=url)
    worker.on("add", assigned.put)
    with worker:
        for message in (
            Mute(),
            Odd(),
            Stealthy(),
            Surrogate(),
            "half \ud83d",
            None,
            7,
            b"bytes",
            type("Bare", (), {"__str__": 3})(),
        ):
            for end in ("fail", "fail_permanently", "retry"):
                id = master.add_job(result=True)
                job = assigned.get(timeout=SOON)
                getattr(job, end)(message, *[0.0] * (end == "retry")).wait(SOON)
                with pytest.raises(libswarm.SwarmJobFailed):
                    master.result(id, timeout=SOON)


def test_listeners_that_raise_exceptions_of_exit_end_no_thread(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    def leave(*arguments: object) -> None:
        raise SystemExit(3)

    for event in ("ready", "delete", "error", "message", "member"):
        worker.on(event, leave)
    worker.on("add", lambda job: job.complete() if job.payload else job.on("delete", leave))
    received = threading.Event()
    with worker:
        worker.ready()
        master.on("message", leave)
        master.on("member", leave)
        master.ready()
        id = master.add_job()
        wait_until(lambda: worker.jobs, SOON, "it is active")
        master.delete_job(id)
        wait_until(lambda: master.stats().deleting == 0, SOON, "it has stopped")
        assert len(master.send("all", 1, request=0.1).recipients) == 1
        worker.send("all", 1)
        assert master.run(1, timeout=SOON) is None
        master.on("message", lambda message: received.set())
        worker.send("all", 2)
        assert received.wait(SOON)


def test_a_log_that_raises_harms_no_job(script: Script) -> None:
    done = script("""
        import logging
        from libswarm import Master, Worker, SwarmJobFailed

        class Broken(logging.Filter):
            def filter(self, record):
                raise RuntimeError("a broken filter")

        for name in ("libswarm", "libswarm.jobs"):
            logging.getLogger(name).addFilter(Broken())
        logging.basicConfig(level=logging.DEBUG, stream=open("/dev/null", "w"))
        worker = Worker(cluster, url=url)
        worker.on("delete", lambda job: 1 / 0)

        @worker.process
        def handle(job):
            if job.payload:
                raise ValueError("bad")

        with worker, Master(cluster, url=url) as master:
            for _ in range(3):
                try:
                    master.run(1, timeout=10)
                except SwarmJobFailed as error:
                    print(error)
            print(master.run(timeout=10))
    """)
    assert done.stdout.split("\n") == ["ValueError: bad"] * 3 + ["None", ""], done.stderr


def test_a_result_of_any_kind_finishes_its_job(master: Master, cluster: str, url: str) -> None:
    class Evil(dict[str, int]):
        def items(self) -> Any:
            raise SystemExit(1)

    worker = Worker(cluster, url=url, slots=1)
    results: dict[str, Any] = {"evil": Evil(a=1), "generator": (n for n in [1])}
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    results["deep"] = deep
    worker.process(lambda job: results.get(job.payload))
    with worker:
        for name in results:
            with pytest.raises(libswarm.SwarmJobFailed):
                master.run(name, timeout=SOON)
        assert master.run("none", timeout=SOON) is None
