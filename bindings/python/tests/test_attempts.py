"""How attempts end, on threads: retries, failures permanently, timeouts; handlers of tasks."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, PermanentFailure, RetryAfter, Worker


def test_a_failed_attempt_is_repeated_after_its_backoff(master: Master, cluster: str, url: str) -> None:
    attempts: list[tuple[int, int]] = []
    worker = Worker(cluster, url=url)

    @worker.process
    def handle(job: Job) -> int:
        attempts.append((job.attempt, job.retries_left))
        if job.retries_left:
            raise ValueError("not yet")
        return job.attempt

    with worker:
        assert master.run(retries=2, backoff=0.01, timeout=SOON) == 3
        assert attempts == [(1, 2), (2, 1), (3, 0)]
        backoff: libswarm.Backoff = {"type": "exponential", "delay": 0.01, "max": 0.02, "jitter": 0.5}
        assert master.run(retries=3, backoff=backoff, timeout=SOON) == 4
        stats = master.stats()
        assert (stats.retries, stats.failures) == (5, 0)


def test_the_exception_of_a_handler_decides_about_the_retry(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    @worker.process
    def handle(job: Job) -> str:
        match job.payload, job.attempt:
            case "hopeless", _:
                raise PermanentFailure("no such address")
            case "later", 1:
                raise RetryAfter(0.01, "busy")
            case "busy", _:
                raise RetryAfter(0.01, "still busy")
            case "wordless", _:
                raise PermanentFailure
        return "done"

    with worker:
        # With an hour between attempts, only an attempt that the handler asks for can be in time.
        assert master.run("later", retries=1, backoff=3600, timeout=SOON) == "done"
        for payload, text in (("hopeless", "no such address"), ("busy", "still busy"), ("wordless", "PermanentFailure")):
            with pytest.raises(libswarm.SwarmJobFailed) as caught:
                master.run(payload, retries=1, backoff=3600, timeout=SOON)
            assert (str(caught.value), caught.value.reason) == (text, "failed")
        with pytest.raises(libswarm.SwarmJobFailed, match=r"^still busy$"):
            master.run("busy", timeout=SOON)


def test_a_listener_may_raise_the_same_and_a_job_has_methods_for_it(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    @worker.on_add
    def start(job: Job) -> None:
        match job.payload, job.attempt:
            case "raises", 1:
                raise RetryAfter(0.01)
            case "raises", 2:
                raise PermanentFailure("enough")
            case "calls", 1:
                job.retry("again", 0.01)
            case "calls", 2:
                with pytest.raises(libswarm.SwarmInvalidArgument):
                    job.retry("again", -1)
                job.fail_permanently("enough")

    with worker:
        for payload in ("raises", "calls"):
            with pytest.raises(libswarm.SwarmJobFailed, match=r"^enough$"):
                master.run(payload, retries=5, backoff=3600, timeout=SOON)
        assert master.stats().retries == 2


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e300])
def test_a_pause_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument):
        RetryAfter(seconds)


def test_raised_errors_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(RetryAfter(3, "busy")))
    assert (type(error), error.after, str(error)) == (RetryAfter, 3.0, "busy")


def test_each_timeout_has_its_error_and_emits_delete(master: Master, cluster: str, url: str) -> None:
    for timeouts, error in (
        (libswarm.Timeouts(assign=0.05), libswarm.SwarmAssignTimeout),
        (libswarm.Timeouts(total=0.05), libswarm.SwarmTotalTimeout),
    ):
        with pytest.raises(error) as caught:
            master.run(timeouts=timeouts, timeout=SOON)
        assert isinstance(caught.value, libswarm.SwarmJobFailed)
        assert caught.value.reason == error.kind.lower()
    reasons: list[object] = []
    worker = Worker(cluster, url=url, slots=1)

    @worker.process
    def handle(job: Job) -> None:
        finished = threading.Event()
        job.on("delete", finished.set)
        assert finished.wait(SOON)
        reasons.append(job.delete_reason)

    with worker:
        with pytest.raises(libswarm.SwarmRunTimeout):
            master.run(timeouts={"run": 0.05}, retries=1, backoff=0, timeout=SOON)
        wait_until(lambda: reasons == ["timed_out", "timed_out"], SOON, "both attempts were notified")


def test_handlers_of_tasks(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, slots=2)

    @worker.task("resize")
    def resize(job: Job) -> str:
        return f"resized {job.payload}"

    worker.process({"mail": lambda job: f"mailed {job.payload}"})
    with worker:
        assert master.run(1, task="resize", timeout=SOON) == "resized 1"
        assert master.run(2, task="mail", timeout=SOON) == "mailed 2"
        plain, print = master.add_job(3, result=True), master.add_job(4, task="print", result=True)
        assert master.run(5, task="mail", timeout=SOON) == "mailed 5"
        assert master.stats().waiting == 2, "no worker takes these"
        with pytest.raises(libswarm.SwarmInvalidArgument):
            worker.set_tasks(["sing"])

        # More of them, while it runs.
        @worker.task("print")
        def printed(job: Job) -> str:
            return f"printed {job.payload}"

        assert master.result(print, timeout=SOON) == "printed 4"
        worker.process(lambda job: f"plain {job.payload}")
        assert master.result(plain, timeout=SOON) == "plain 3"
        # The plain handler is also for tasks without one of their own.
        worker.set_tasks(["sing"])
        assert master.run(6, task="sing", timeout=SOON) == "plain 6"
        assert master.run(7, task="mail", timeout=SOON) == "mailed 7"
        for again in ("mail", ""):
            with pytest.raises(libswarm.SwarmInvalidArgument, match="handler already"):
                worker.task(again)(resize)
        with pytest.raises(libswarm.SwarmInvalidArgument):
            worker.task("a\n")(resize)


def test_a_task_without_a_handler_is_refused_at_the_start(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, tasks=["a", "b"])
    worker.process({"a": print})
    with pytest.raises(libswarm.SwarmInvalidArgument, match="no handler for the task `b`"):
        worker.start()
    worker.task("b")(print)
    with worker:
        worker.ready()
    active = Worker(cluster, url=url)
    with active, pytest.raises(libswarm.SwarmInvalidArgument, match="before the worker starts"):
        active.task("late")(print)


def test_progress_is_shown_by_an_inspection(master: Master, cluster: str, url: str) -> None:
    with Worker(cluster, url=url) as worker:
        id = master.add_job()
        job = next(iter(worker))

        def seen() -> Any:
            info = master.job(id)
            assert info is not None
            return info.progress

        assert seen() is None
        job.progress({"done": 0.5})
        wait_until(lambda: seen() == {"done": 0.5}, SOON, "it is seen")
        for bad, error in (
            (b"bytes", libswarm.SwarmInvalidArgument),
            (float("nan"), libswarm.SwarmInvalidArgument),
            ("x" * 4096, libswarm.SwarmTooLarge),
        ):
            with pytest.raises(error):
                job.progress(bad)
        job.complete().wait(SOON)
        job.progress("too late")
        assert master.job(id) is None


def test_a_checkpoint_is_read_by_the_next_attempt(master: Master, cluster: str, url: str) -> None:
    seen: list[Any] = []
    worker = Worker(cluster, url=url)

    @worker.process
    def handle(job: Job) -> int:
        seen.append(job.last_checkpoint)
        if job.retries_left == 0:
            return len(seen)
        job.checkpoint({"page": job.attempt, "é": None})
        for bad, error in (
            (b"bytes", libswarm.SwarmInvalidArgument),
            (float("nan"), libswarm.SwarmInvalidArgument),
            ("x" * 4096, libswarm.SwarmTooLarge),
        ):
            with pytest.raises(error):
                job.checkpoint(bad)
        raise RuntimeError("half way")

    with worker:
        assert master.run(1, retries=2, backoff=0.0, timeout=SOON) == 3
    assert seen == [None, {"page": 1, "é": None}, {"page": 2, "é": None}]
