"""What type checkers see: the package itself, its stub against the module, and a program that uses it."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import libswarm
from libswarm import aio

ROOT = Path(__file__).parents[1]
PROGRAM = """
import asyncio
import libswarm
from libswarm import Added, Candidate, JobOutcome, Job, JobInfo, Master, NewJob, Stats, Worker
from libswarm.aio import Master as AsyncMaster, Worker as AsyncWorker
from libswarm import ProcessInfo, Supervisor, processes
from libswarm.aio import Supervisor as AsyncSupervisor
from typing import Any, assert_type

master = Master("typed", url="redis://localhost", lease=5.0)
assert_type(master.add_job({"a": 1}, id="x", result=True, result_ttl=60.0), str)
assert_type(master.add(b"bytes"), Added)
assert_type(master.add_jobs([1, 2]), list[str])
assert_type(master.delete_job("x"), bool)
assert_type(master.stats(), Stats)
assert_type(master.stats().waiting, int)
master.add_job(1, priority=1, backoff={"type": "exponential", "delay": 1}, timeouts={"run": 5.0}, headers={"a": "b"})
master.add_jobs([1, NewJob(2, task="t", delay=0.5)], retries=3)
for outcome in master.run_each([1], keep=True):
    assert_type(outcome, JobOutcome)
if (info := master.job("x")) is not None:
    assert_type(info, JobInfo)
assert_type(master.jobs("failed", limit=10).next, str | None)
def choose(job: JobInfo, workers: list[Candidate]) -> Candidate | None:
    assert_type(workers[0].room, int)
    return max(workers, key=lambda worker: worker.room) if job.task else None

master.choose(choose, within=0.5, tasks=["t"])
assert_type(master.queues().chooser, str)
worker = Worker("typed", slots=None, requeue="back", sentinels=["a:1"])

@worker.process
def handle(job: Job) -> int:
    assert_type(job.id, str)
    assert_type(job.fence, int)
    return 1

assert_type(handle(next(iter(worker))), int)

@worker.task("t")
def handle_task(job: Job) -> int:
    job.progress({"done": 0.5})
    job.checkpoint({"page": 2})
    job.log("half way")
    assert_type(job.last_checkpoint, Any)
    return job.attempt

assert_type(handle_task(next(iter(worker))), int)
worker.process({"mail": handle})

@worker.on_add
def added(job: Job) -> None:
    job.complete().wait(1.0)

with Supervisor(grace=1.0, backoff="fixed", lines=True) as supervisor:
    assert_type(supervisor.spawn("a", b"b", env={"A": "b"}, cpus={0, 1}, count=2, ready="explicit"), list[int])
    assert_type(supervisor.list(), list[ProcessInfo])
    for event in supervisor:
        match event:
            case processes.Exited(id, exit=exit, respawn=respawn):
                assert_type(id, int)
                assert_type(exit.code, int | None)
                assert_type(respawn, float | None)
            case processes.Line() as line:
                assert_type(line.line, bytes)

async def supervise() -> None:
    async with AsyncSupervisor() as supervisor:
        assert_type(await supervisor.spawn("a"), list[int])
        async for event in supervisor:
            assert_type(event.event, str)

assert_type(libswarm.ready(), bool)

async def choose_slowly(job: JobInfo, workers: list[Candidate]) -> str:
    return workers[0].incarnation

async def main() -> None:
    async with AsyncMaster("typed") as master:
        assert_type(await master.add_job(1), str)
        await master.choose(choose)
        await master.choose(choose_slowly, tasks=("",))
        async for position, outcome in master.run_each([1]):
            assert_type(position, int)
        async for job in AsyncWorker("typed"):
            assert_type(job, Job)
            await job.complete()

try:
    pass
except libswarm.SwarmError as error:
    assert_type(error.code, int)

Supervisor(grace="1")  # type: ignore[arg-type]
Supervisor().spawn("a", dir="/")  # type: ignore[call-arg]
Worker("typed", requeue="sideways")  # type: ignore[arg-type]
master.choose(choose_slowly)  # type: ignore[arg-type]
Master("typed", slots=1)  # type: ignore[call-arg]
master.jobs("asleep")  # type: ignore[arg-type]
master.add_job(backoff={"growth": "fixed"})  # type: ignore[arg-type]
master.add_jobs([1], id="x")  # type: ignore[call-arg]
master.add_job(colour="red")  # type: ignore[call-arg]
"""


def checked(*command: str | Path) -> None:
    """Runs a checker, which must find nothing."""
    environment = {**os.environ, "MYPYPATH": str(ROOT / "python")}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_typed_strictly() -> None:
    checked("mypy", "--strict", "python/libswarm")


def test_the_stub_matches_the_native_module() -> None:
    checked("mypy.stubtest", "libswarm._native", "--concise")


def test_programs_are_checked(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    checked("mypy", "--strict", "--warn-unused-ignores", program)


def test_threads_and_asyncio_have_the_same_methods() -> None:
    for one, other in (
        (libswarm.Master, aio.Master),
        (libswarm.Worker, aio.Worker),
        (libswarm.Supervisor, aio.Supervisor),
    ):
        names = {name for name in dir(one) if not name.startswith("_")}
        assert names == {name for name in dir(other) if not name.startswith("_")}
        for name in names - {"process"}:
            method, counterpart = getattr(one, name), getattr(other, name)
            if inspect.isfunction(method):
                assert list(inspect.signature(method).parameters) == list(inspect.signature(counterpart).parameters), name


def test_everything_public_is_documented() -> None:
    faces = (libswarm.Master, libswarm.Worker, libswarm.Supervisor, aio.Master, aio.Worker, aio.Supervisor)
    for cls in (*faces, libswarm.Job, libswarm.Call):
        assert cls.__doc__
        for name in dir(cls):
            if not name.startswith("_"):
                assert getattr(cls, name).__doc__, f"{cls.__name__}.{name}"
