"""Outcomes: the events of a worker, the log, and what is kept of a failure."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import queue
import threading
from typing import Any

import pytest
from swarm_support import Redis, wait_until

import libswarm
from conftest import SOON, Script
from libswarm import Job, Master, PermanentFailure, SwarmJobFailed, Worker, aio
from test_aio import in_loop, until

Outcome = tuple[Any, ...]


def run(job: Job) -> Any:
    """What handlers of these tests do."""
    match job.payload:
        case "bad":
            raise ValueError("no luck")
        case "hopeless":
            raise PermanentFailure("no such address")
        case payload:
            return payload


def listen(worker: Any, outcomes: list[Outcome]) -> None:
    """Collects outcomes in a list."""
    worker.on_completed(lambda job, result: outcomes.append(("completed", job.id, result)))
    worker.on_failed(lambda job, error: outcomes.append(("failed", job.id, error)))
    worker.on_retrying(lambda job, error, delay: outcomes.append(("retrying", job.id, error, delay)))


def check(outcomes: list[Outcome]) -> None:
    """The jobs good, bad (with a retry) and hopeless have the outcome of their name."""
    by_kind = {kind: [one for one in outcomes if one[0] == kind] for kind in ("completed", "retrying", "failed")}
    assert by_kind["completed"] == [("completed", "good", {"n": 1})]
    ((_, id, error, delay),) = by_kind["retrying"]
    assert (id, str(error), delay) == ("bad", "ValueError: no luck", 0.05)
    assert sorted(one[1] for one in by_kind["failed"]) == ["bad", "hopeless"]
    for _, id, error in by_kind["failed"]:
        assert type(error) is SwarmJobFailed
        assert str(error) == ("ValueError: no luck" if id == "bad" else "no such address")
        # From the program's own code on.
        assert error.traceback.startswith("Traceback (most recent call last):\n  File ")
        assert error.traceback.count("  File ") == 1 + (handler_depth(error.traceback))
        assert 'raise ValueError("no luck")' in error.traceback or "raise PermanentFailure" in error.traceback


def handler_depth(trace: str) -> int:
    """Frames of a handler that calls `run`."""
    return 1 if "in handle\n" in trace else 0


def test_threads_receive_what_redis_has_accepted(master: Master, cluster: str, url: str) -> None:
    outcomes: list[Outcome] = []
    worker = Worker(cluster, url=url)
    worker.process(run)
    listen(worker, outcomes)
    with worker:
        master.add_job({"n": 1}, id="good")
        master.add_job("bad", id="bad", retries=1, backoff=0.05)
        master.add_job("hopeless", id="hopeless", retries=1)
        wait_until(lambda: len(outcomes) >= 4, SOON, "all outcomes are reported")
    check(outcomes)
    for id in ("bad", "hopeless"):
        job = master.job(id)
        assert job is not None
        assert job.traceback.startswith("Traceback (most recent call last):\n  File ")
        assert master.jobs("failed").jobs[0].traceback


@in_loop
async def test_loops_receive_what_redis_has_accepted(cluster: str, url: str) -> None:
    outcomes: list[Outcome] = []
    worker = aio.Worker(cluster, url=url)

    @worker.process
    async def handle(job: Job) -> Any:
        return run(job)

    listen(worker, outcomes)

    @worker.on_completed
    async def also(job: Job, result: Any) -> None:
        await asyncio.sleep(0)
        outcomes.append(("also", job.id, result))

    async with aio.Master(cluster, url=url) as master, worker:
        await master.add_job({"n": 1}, id="good")
        await master.add_job("bad", id="bad", retries=1, backoff=0.05)
        await master.add_job("hopeless", id="hopeless", retries=1)
        await until(lambda: len(outcomes) >= 5, "all outcomes are reported")
    assert ("also", "good", {"n": 1}) in outcomes
    check([one for one in outcomes if one[0] != "also"])


def test_a_finish_that_redis_refuses_is_no_outcome(master: Master, cluster: str, url: str) -> None:
    outcomes: list[Outcome] = []
    assigned: queue.SimpleQueue[Job] = queue.SimpleQueue()
    worker = Worker(cluster, url=url)
    worker.on("add", assigned.put)
    with worker:
        # Added while the worker runs.
        listen(worker, outcomes)
        master.add_job(id="gone")
        job = assigned.get(timeout=SOON)
        master.delete_job("gone")
        wait_until(lambda: job.cancelled, SOON, "it is gone")
        with pytest.raises(libswarm.SwarmError):
            job.complete("late").wait(SOON)
        master.add_job(id="kept")
        job = assigned.get(timeout=SOON)
        job.complete("in time").wait(SOON)
        wait_until(lambda: outcomes, SOON, "the outcome is reported")
    assert outcomes == [("completed", "kept", "in time")]


def test_a_job_failed_with_an_exception_keeps_its_traceback(master: Master, cluster: str, url: str) -> None:
    assigned: queue.SimpleQueue[Job] = queue.SimpleQueue()
    worker = Worker(cluster, url=url)
    worker.on("add", assigned.put)
    with worker:
        for own in (None, "my own trace"):
            id = master.add_job()
            try:
                raise KeyError("missing")
            except KeyError as error:
                assigned.get(timeout=SOON).fail(error, own).wait(SOON)
            job = master.job(id)
            assert job is not None
            assert job.error == "'missing'"
            assert job.traceback == own or (own is None and 'raise KeyError("missing")' in job.traceback)


def test_a_long_traceback_keeps_its_end(master: Master, cluster: str, url: str) -> None:
    def deep(n: int) -> None:
        if n == 0:
            raise ValueError("x" * 20_000 + " the end")
        (deep if n % 2 else lambda m: deep(m))(n - 1)

    worker = Worker(cluster, url=url)
    worker.process(lambda job: deep(300))
    with worker:
        id = master.add_job()
        wait_until(lambda: (job := master.job(id)) is not None and job.state == "failed", SOON, "it has failed")
        job = master.job(id)
        assert job is not None
        assert len(job.traceback) == 16 * 1024
        assert job.traceback.endswith(" the end\n")


def test_failures_are_logged_by_default(script: Script) -> None:
    done = script("""
        import sys
        from libswarm import Master, Worker, disable_logging, enable_logging
        worker = Worker(cluster, url=url)

        @worker.process
        def handle(job):
            raise ValueError("no luck")

        with worker, Master(cluster, url=url) as master:
            for n in range(3):
                try:
                    master.run(n, id=f"job-{n}", retries=1 - min(n, 1), backoff=0.01, timeout=10)
                except Exception as error:
                    pass
                (disable_logging if n == 1 else enable_logging)()
    """)
    assert done.returncode == 0
    # Retried, then failed, then one failed at once; the last is silenced.
    assert done.stderr.count("job-0") == 2, done.stderr
    assert done.stderr.count("job-1") == 1, done.stderr
    assert "job-2" not in done.stderr
    assert done.stderr.count("in handle\nValueError: no luck\n") == 3


def test_levels_and_names_of_records(master: Master, cluster: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker(cluster, url=url)
    worker.process(run)
    with caplog.at_level(logging.DEBUG), worker:
        with pytest.raises(SwarmJobFailed):
            master.run("bad", id="twice", retries=1, backoff=0.01, timeout=SOON)
        wait_until(lambda: len([r for r in caplog.records if r.name == "libswarm.jobs"]) == 2, SOON, "both are logged")
    levels = [record.levelno for record in caplog.records if record.name == "libswarm.jobs"]
    assert levels == [logging.WARNING, logging.ERROR]


def test_trouble_is_logged_once_with_or_without_a_listener(cluster: str, script: Script) -> None:
    for listener in ("", "worker.on_error(lambda error: None)"):
        done = script(f"""
            import time
            from libswarm import Worker
            worker = Worker(cluster, url=url, username="nobody", password="wrong")
            {listener}
            worker.start()
            end = time.monotonic() + 10
            while not worker.health().error and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(0.5)
        """)
        assert done.stderr.count("AUTH_FAILED") == 1, done.stderr
        assert "wrong" not in done.stderr.replace("WRONGPASS", "")


def test_a_forked_child_logs_too(script: Script) -> None:
    done = script("""
        import os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from libswarm import Master, Worker, SwarmJobFailed

        def fail(id):
            worker = Worker(cluster, url=url)
            worker.process(lambda job: 1 / 0)
            with worker, Master(cluster, url=url) as master:
                try:
                    master.run(id=id, timeout=10)
                except SwarmJobFailed:
                    pass

        fail("the parent's")
        child = os.fork()
        if child == 0:
            fail("the child's")
            raise SystemExit(0)
        os.waitpid(child, 0)
        fail("the parent's again")
    """)
    for id in ("the parent's`", "the child's`", "the parent's again`"):
        assert done.stderr.count(id) == 1, done.stderr


def test_a_slow_handler_of_logging_does_not_delay_the_end(script: Script) -> None:
    done = script("""
        import logging, threading, time

        class Slow(logging.Handler):
            def createLock(self):
                # Which `logging` itself would wait for at the end.
                self.lock = None

            def emit(self, record):
                print("begun", flush=True)
                time.sleep(1000)

        logging.getLogger("libswarm").addHandler(Slow())
        from libswarm import Master, Worker
        worker = Worker(cluster, url=url)
        worker.process(lambda job: 1 / 0)
        with worker, Master(cluster, url=url) as master:
            for n in range(100):
                master.add_job(n)
            while master.stats().failures < 100:
                time.sleep(0.01)
    """)
    assert (done.returncode, done.stdout) == (0, "begun\n"), done.stderr


request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


def test_listeners_and_handlers_run_in_the_context_in_which_they_were_added(master: Master, cluster: str, url: str) -> None:
    seen: list[tuple[str, str]] = []
    worker = Worker(cluster, url=url, slots=1)
    request.set("handler")

    @worker.process
    def handle(job: Job) -> None:
        seen.append(("handler", request.get()))
        # The next job on this thread must not see it.
        request.set(f"of {job.id}")
        job.on("delete", lambda: seen.append(("job", request.get())))
        if job.payload:
            begun.set()
            wait_until(lambda: job.cancelled, SOON, "it is deleted")

    begun = threading.Event()
    request.set("listener")
    worker.on_completed(lambda job, result: seen.append(("completed", request.get())))
    request.set("starter")
    with worker:
        master.run(timeout=SOON)
        master.run(timeout=SOON)
        wait_until(lambda: len(seen) == 4, SOON, "all are reported")
        master.add_job(True, id="deleted")
        assert begun.wait(SOON)
        master.delete_job("deleted")
        wait_until(lambda: len(seen) == 6, SOON, "the deletion is reported")
    assert sorted(seen) == sorted([("handler", "handler")] * 3 + [("completed", "listener")] * 2 + [("job", "of deleted")])


@in_loop
async def test_loops_keep_contexts_apart_too(cluster: str, url: str) -> None:
    seen: list[tuple[str, str]] = []
    request.set("first")
    async with aio.Master(cluster, url=url) as master:
        await master.ready()
        worker = aio.Worker(cluster, url=url, slots=1)
        request.set("handler")

        @worker.process
        async def handle(job: Job) -> None:
            seen.append(("handler", request.get()))
            request.set("changed")

        request.set("listener")

        @worker.on_completed
        async def completed(job: Job, result: object) -> None:
            await asyncio.sleep(0)
            seen.append(("completed", request.get()))

        request.set("starter")
        async with worker:
            await master.run(timeout=SOON)
            await master.run(timeout=SOON)
            await until(lambda: len(seen) == 4, "all are reported")
    assert sorted(seen) == [("completed", "listener")] * 2 + [("handler", "handler")] * 2


def test_jobs_that_finish_within_the_grace_count(master: Master, cluster: str, url: str) -> None:
    begun = threading.Barrier(3)
    worker = Worker(cluster, url=url)

    @worker.process
    def handle(job: Job) -> str:
        begun.wait(SOON)
        wait_until(lambda: job.cancelled, SOON, "it is asked to stop")
        if job.payload == "fails":
            raise ValueError("late, but in time")
        return "late, but in time"

    worker.start()
    ids = master.add_jobs(["completes", "fails"], result=True)
    # A job that a thread has not begun yet is requeued.
    begun.wait(SOON)
    worker.terminate(grace=SOON)
    assert master.result(ids[0], timeout=SOON) == "late, but in time"
    with pytest.raises(SwarmJobFailed, match="late, but in time"):
        master.result(ids[1], timeout=SOON)
    stats = master.stats()
    assert (stats.completed, stats.failures, stats.waiting) == (1, 1, 0)


@in_loop
async def test_jobs_that_finish_within_the_grace_count_in_loops(cluster: str, url: str) -> None:
    begun = asyncio.Barrier(3)
    cancelled: list[str] = []
    worker = aio.Worker(cluster, url=url)

    @worker.process
    async def handle(job: Job) -> str:
        deleted = asyncio.Event()
        job.on("delete", deleted.set)
        await begun.wait()
        await deleted.wait()
        if job.payload == "hangs":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(job.id)
                raise
        return "late, but in time"

    async with aio.Master(cluster, url=url) as master:
        await worker.start()
        ids = await master.add_jobs(["completes", "hangs"], result=True)
        await begun.wait()
        await worker.terminate(grace=0.5)
        assert await master.result(ids[0], timeout=SOON) == "late, but in time"
        # Requeued without counting a crash.
        assert cancelled == [ids[1]]
        job = await master.job(ids[1])
        assert job is not None
        assert (job.state, job.attempt) == ("waiting", 1)


def test_stuck_handlers_are_shown(master: Master, cluster: str, url: str) -> None:
    go = threading.Event()
    worker = Worker(cluster, url=url, stop_grace=0.1)
    worker.process(lambda job: go.wait(SOON) if job.attempt == 1 else "elsewhere")
    with worker:
        assert worker.health().stuck == 0
        assert master.run(retries=1, backoff=0.01, timeouts={"run": 0.1}, timeout=SOON) == "elsewhere"
        wait_until(lambda: worker.health().stuck == 1, SOON, "it is stuck")
        go.set()
        wait_until(lambda: worker.health().stuck == 0, SOON, "it has returned")


@pytest.mark.parametrize("api", [Worker, aio.Worker])
def test_ten_handlers_run_at_once_by_default(api: Any, master: Master, cluster: str, url: str) -> None:
    running = 0
    most = 0
    lock = threading.Lock()
    go = threading.Event()

    def change(by: int) -> None:
        nonlocal running, most
        with lock:
            running += by
            most = max(most, running)

    worker = api(cluster, url=url)
    master.add_jobs(range(30))

    def enough() -> bool:
        return running == 10 and master.stats().active == 10 and master.stats().waiting == 20

    if api is Worker:

        def handle(job: Job) -> None:
            change(1)
            go.wait(SOON)
            change(-1)

        worker.process(handle)
        with worker:
            wait_until(enough, SOON, "ten are at work, in Redis too")
            go.set()
            wait_until(lambda: master.stats().completed == 30, SOON, "all are done")
    else:

        async def handle_in_loop(job: Job) -> None:
            change(1)
            while not go.is_set():
                await asyncio.sleep(0.01)
            change(-1)

        async def main() -> None:
            worker.process(handle_in_loop)
            async with worker:
                while not enough():
                    await asyncio.sleep(0.01)
                go.set()
                while master.stats().completed < 30:
                    await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(main(), 2 * SOON))
    assert most == 10


def test_a_call_that_is_not_waited_for_is_logged_if_it_fails(cluster: str, caplog: pytest.LogCaptureFixture) -> None:
    assigned: queue.SimpleQueue[Job] = queue.SimpleQueue()
    with Redis() as server:
        worker = Worker(cluster, url=server.url, timeout=0.3)
        worker.on("add", assigned.put)
        worker.start()
        with Master(cluster, url=server.url) as master:
            master.add_job()
            job = assigned.get(timeout=SOON)
            # Errors that report only that the job is no longer its own are expected.
            job.complete().wait(SOON)
            job.complete()
        server.stop()
        with pytest.raises(libswarm.SwarmUnavailable):
            job.delete_job().wait()
        assert "did not wait" not in caplog.text
        job.delete_job()
        wait_until(lambda: "did not wait" in caplog.text, SOON, "the lost error is logged")
        assert caplog.text.count("did not wait") == 1
        # What cannot be sent to Redis is raised, and leaves nothing behind.
        with pytest.raises(libswarm.SwarmUnavailable):
            worker.terminate()
        assert not [thread.name for thread in threading.enumerate() if cluster in thread.name]


@in_loop
async def test_events_behind_an_interrupt_are_not_lost(cluster: str, url: str) -> None:
    async with aio.Master(cluster, url=url) as master:
        await master.add_jobs(range(5))
        loop = asyncio.new_event_loop()
        seen: list[int] = []

        def add(job: Job) -> None:
            seen.append(job.payload)
            if job.payload == 1:
                raise KeyboardInterrupt
            job.complete()

        def work() -> None:
            """A program that goes on after Ctrl-C."""
            worker = aio.Worker(cluster, url=url)
            worker.on("add", add)
            loop.run_until_complete(worker.start())
            with pytest.raises(KeyboardInterrupt):
                loop.run_until_complete(asyncio.sleep(SOON))

            async def rest() -> None:
                while len(seen) < 5:
                    await asyncio.sleep(0.01)
                await worker.terminate()

            loop.run_until_complete(rest())
            loop.close()

        await asyncio.to_thread(work)
        assert seen == [0, 1, 2, 3, 4]
        stats = await master.stats()
        assert (stats.completed, stats.failures) == (4, 1)
