"""What is refused when a worker is made or started, and that nothing is taken then."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON, Script
from libswarm import Job, Master, SwarmInvalidArgument, Worker, aio
from test_aio import in_loop


async def coroutine_function(job: Job) -> int:
    return 1


async def async_generator(job: Job) -> Any:
    yield 1


def generator(job: Job) -> Any:
    yield 1


def plain(job: Job) -> int:
    return 1


class CallableCoroutine:
    async def __call__(self, job: Job) -> int:
        return 1


class CallablePlain:
    def __call__(self, job: Job) -> int:
        return 1

    async def method(self, job: Job) -> int:
        return 1


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


COROUTINES = [
    coroutine_function,
    CallableCoroutine(),
    CallablePlain().method,
    functools.partial(coroutine_function),
    wrapped(coroutine_function),
]
PLAIN = [plain, CallablePlain(), functools.partial(plain), lambda job: 1, print]
NEVER: list[Any] = [None, 7, "handler", generator, async_generator, [plain], {"mail": 7}, {"mail": generator}, {7: plain}]


@pytest.mark.parametrize("handler", [*COROUTINES, *NEVER[1:]], ids=repr)
def test_threads_refuse_what_is_no_function(handler: Any, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    with pytest.raises(SwarmInvalidArgument):
        worker.process(handler)
    with pytest.raises(SwarmInvalidArgument):
        worker.task("mail")(handler)
    for handler in PLAIN:
        Worker(cluster, url=url).process(handler)
        Worker(cluster, url=url).process({"mail": handler})


@pytest.mark.parametrize("handler", [*PLAIN, *NEVER[1:]], ids=repr)
@in_loop
async def test_loops_refuse_what_is_no_coroutine_function(handler: Any, cluster: str, url: str) -> None:
    worker = aio.Worker(cluster, url=url)
    with pytest.raises(SwarmInvalidArgument):
        worker.process(handler)
    with pytest.raises(SwarmInvalidArgument):
        worker.task("mail")(handler)
    for handler in COROUTINES:
        aio.Worker(cluster, url=url).process(handler)
        aio.Worker(cluster, url=url).process({"mail": handler})


@pytest.mark.parametrize("event", ["add", "delete", "ready", "error", "message"])
def test_listeners_are_functions_and_those_of_threads_no_coroutine_functions(
    event: str, master: Master, cluster: str, url: str
) -> None:
    worker = Worker(cluster, url=url)
    for listener in (*COROUTINES, None, 7, generator, async_generator):
        with pytest.raises(SwarmInvalidArgument):
            worker.on(event, listener)  # type: ignore[type-var]
        if event not in ("add", "delete"):
            with pytest.raises(SwarmInvalidArgument):
                master.on(event, listener)  # type: ignore[type-var]
    for bad in (None, 7, generator, async_generator):
        with pytest.raises(SwarmInvalidArgument):
            aio.Worker(cluster, url=url).on(event, bad)  # type: ignore[type-var]
    with pytest.raises(SwarmInvalidArgument):
        worker.on(["add"], print)  # type: ignore[arg-type]


@pytest.mark.parametrize("api", [Worker, aio.Worker])
def test_the_decorator_task_wants_a_name(api: Any, cluster: str, url: str) -> None:
    worker = api(cluster, url=url)
    with pytest.raises(SwarmInvalidArgument, match=r'@worker\.task\("name"\)'):
        worker.task(coroutine_function if api is aio.Worker else plain)
    for name in (None, 7, b"mail", "a\n", "x" * 300):
        with pytest.raises((SwarmInvalidArgument, libswarm.SwarmTooLarge)):
            worker.task(name)(coroutine_function if api is aio.Worker else plain)


def test_run_without_a_handler_starts_nothing(master: Master, cluster: str, url: str) -> None:
    master.add_job()
    for prepare in (lambda worker: None, lambda worker: worker.on("message", print), lambda worker: worker.on("delete", print)):
        worker = Worker(cluster, url=url)
        prepare(worker)
        with pytest.raises(SwarmInvalidArgument, match="handler"):
            worker.run()
        assert worker.incarnation == ""

    async def main() -> None:
        worker = aio.Worker(cluster, url=url)
        with pytest.raises(SwarmInvalidArgument, match="handler"):
            await worker.run()
        assert worker.incarnation == ""

    asyncio.run(main())
    assert (master.stats().waiting, master.stats().members) == (1, 1)


def test_a_lambda_that_returns_a_coroutine_fails_its_job(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    worker.process({"": lambda job: coroutine_function(job), "gen": lambda job: generator(job)})
    with worker:
        with pytest.raises(libswarm.SwarmJobFailed, match=r"coroutine.*libswarm\.aio"):
            master.run(timeout=SOON)
        with pytest.raises(libswarm.SwarmJobFailed, match="generator"):
            master.run(task="gen", timeout=SOON)
    worker = Worker(cluster, url=url)
    worker.on("add", lambda job: coroutine_function(job))
    with worker, pytest.raises(libswarm.SwarmJobFailed, match="coroutine"):
        master.run(timeout=SOON)


def test_a_thread_that_cannot_be_started_leaves_nothing(script: Script) -> None:
    done = script("""
        import threading, time
        from libswarm import Master, Worker, Supervisor, SwarmInternal

        observer = Master(cluster, url=url)
        observer.ready()
        worker = Worker(cluster, url=url)
        worker.process(print)
        master = Master(cluster, url=url)
        supervisor = Supervisor()
        # More than there can be.
        threading.stack_size(1 << 46)
        for start in (
            worker.start,
            lambda: master.on("ready", print),
            lambda: master.choose(lambda job, workers: None),
            lambda: supervisor.on("exited", print),
        ):
            for _ in range(2):
                try:
                    start()
                except SwarmInternal as error:
                    print("thread" in str(error))
        threading.stack_size(0)
        end = time.monotonic() + 10
        while observer.queues().chooser and time.monotonic() < end:
            time.sleep(0.01)
        print(worker.incarnation == "", len(observer.members()), repr(observer.queues().chooser))
        # The same objects work once there are threads.
        worker.process({"two": lambda job: 2})
        worker.start()
        ready = threading.Event()
        master.on("ready", lambda incarnation: ready.set())
        print(ready.wait(10), master.run(task="two", timeout=10))
        worker.terminate()
        supervisor.on("exited", print)
        supervisor.stop()
    """)
    assert done.stdout.split() == ["True"] * 8 + ["True", "2", "''", "True", "2"], done.stderr


def test_a_handler_thread_that_cannot_be_started_costs_no_job(script: Script) -> None:
    done = script("""
        import threading
        from libswarm import Master, Worker

        worker = Worker(cluster, url=url, slots=4)
        worker.process(lambda job: threading.current_thread().name)
        with worker, Master(cluster, url=url) as master:
            worker.ready()
            threading.stack_size(1 << 46)
            ids = master.add_jobs(range(20), result=True)
            print(len([master.result(id, timeout=10) for id in ids]))
            threading.stack_size(0)
    """)
    assert done.stdout.split() == ["20"], done.stderr


def test_jobs_assigned_before_a_listener_are_emitted_to_it(master: Master, cluster: str, url: str) -> None:
    with Worker(cluster, url=url) as worker:
        worker.ready()
        worker.on("add", print)
        worker.off("add", print)
        ids = master.add_jobs(range(3))
        wait_until(lambda: len(worker.jobs) == 3, SOON, "all are active")
        started: list[str] = []
        first = threading.Event()

        @worker.on_add
        def listen(job: Job) -> None:
            started.append(job.id)
            job.complete()
            first.set()

        wait_until(lambda: started == ids, SOON, "all are emitted, in order")
        wait_until(lambda: master.stats().completed == 3, SOON, "all are completed")


def test_jobs_without_a_handler_are_logged(script: Script) -> None:
    done = script("""
        import threading, time
        from libswarm import Master, Worker, _worker

        _worker.UNCLAIMED = 0.2
        with Worker(cluster, url=url) as worker, Master(cluster, url=url) as master:
            worker.on("add", print)
            worker.off("add", print)
            master.add_jobs(range(3))
            end = time.monotonic() + 10
            while len(worker.jobs) < 3 and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(1)
    """)
    assert "3 jobs" in done.stderr
    assert done.stderr.count("no handler") == 1, done.stderr
