"""Event loops that end before their members were closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from swarm_support import wait_until

from conftest import SOON
from libswarm import Job, Master, aio


def abandon(cluster: str, url: str, end: Callable[[asyncio.AbstractEventLoop], object], at_work: bool) -> weakref.ref[Any]:
    """Runs a worker in a loop that is then ended. A weak reference to the worker."""
    loop = asyncio.new_event_loop()

    async def main() -> weakref.ref[Any]:
        worker = aio.Worker(cluster, url=url, lease=60)
        begun = asyncio.Event()

        @worker.process
        async def handle(job: Job) -> None:
            job.on("delete", lambda: print(worker))
            begun.set()
            await asyncio.Event().wait()

        await worker.start()
        await worker.ready()
        if at_work:
            await begun.wait()
        return weakref.ref(worker)

    worker = loop.run_until_complete(main())
    end(loop)
    return worker


def closed(loop: asyncio.AbstractEventLoop) -> None:
    """Ends a loop as a program that does only this."""
    loop.close()


def elsewhere(loop: asyncio.AbstractEventLoop) -> None:
    """Ends a loop in another thread."""
    thread = threading.Thread(target=loop.close)
    thread.start()
    thread.join()


def dropped(loop: asyncio.AbstractEventLoop) -> None:
    """Forgets a loop without a word."""


def cancelled(loop: asyncio.AbstractEventLoop) -> None:
    """Ends a loop as `asyncio.run` does."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.mark.parametrize("at_work", [False, True], ids=["idle", "at work"])
@pytest.mark.parametrize("end", [closed, elsewhere, cancelled, dropped])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_worker_leaves_when_its_loop_has_ended(
    end: Callable[[asyncio.AbstractEventLoop], object], at_work: bool, master: Master, cluster: str, url: str
) -> None:
    if at_work:
        master.add_job("active", id="active")
    worker = abandon(cluster, url, end, at_work)
    if end is dropped:
        gc.collect()
    # Long before its lease ends.
    wait_until(lambda: master.stats().members == 1, SOON, "the worker has left")
    if at_work:
        job = master.job("active")
        assert job is not None
        assert (job.state, job.attempt) == ("waiting", 1)
    gc.collect()
    assert worker() is None


def test_a_master_leaves_when_its_loop_has_ended(master: Master, cluster: str, url: str) -> None:
    left: list[Any] = []

    async def main() -> None:
        master = aio.Master(cluster, url=url)
        await master.ready()
        await master.add_job()
        left.append(master)

    asyncio.run(main())
    wait_until(lambda: master.stats().members == 1, SOON, "the other master has left")
    assert master.stats().waiting == 1
