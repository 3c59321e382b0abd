"""Ctrl-C and SIGTERM, in every blocking call and in `run`."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest
from swarm_support import wait_until

from conftest import SOON, line
from libswarm import Master

Background = Callable[[str], "subprocess.Popen[str]"]

RUN = """
import sys, threading
from libswarm import Worker
worker = Worker(cluster, url=url, slots=%d)

@worker.process
def handle(job):
    if job.payload == "quick":
        return
    print("begun", flush=True)
    if job.payload == "stubborn":
        threading.Event().wait()
    for _ in range(1_000_000):
        if threading.Event().wait(0.01) or (job.payload == "short" and _ > 20):
            return "done"

print("running", flush=True)
worker.run(grace=%s)
print("returned", flush=True)
"""

RUN_AIO = """
import asyncio
from libswarm.aio import Worker
worker = Worker(cluster, url=url, slots=%d)

@worker.process
async def handle(job):
    if job.payload == "quick":
        return
    print("begun", flush=True)
    await asyncio.sleep(0.2 if job.payload == "short" else 1000)
    return "done"

print("running", flush=True)
asyncio.run(worker.run(grace=%s))
print("returned", flush=True)
"""


@pytest.mark.parametrize("program", [RUN, RUN_AIO], ids=["threads", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_has_run_finish_what_was_begun(program: str, number: int, background: Background, master: Master) -> None:
    process = background(program % (1, 30))
    assert line(process) == "running"
    ids = master.add_jobs(["short", "short"], result=True)
    assert line(process) == "begun"
    process.send_signal(number)
    assert line(process) == "returned"
    assert process.wait(SOON) == 0
    assert master.result(ids[0], timeout=SOON) == "done"
    stats = master.stats()
    assert (stats.completed, stats.waiting, stats.members) == (1, 1, 1)


@pytest.mark.parametrize("program", [RUN, RUN_AIO], ids=["threads", "asyncio"])
def test_a_second_signal_ends_the_wait(program: str, background: Background, master: Master) -> None:
    process = background(program % (50, 1000))
    assert line(process) == "running"
    master.add_job("stubborn")
    assert line(process) == "begun"

    def draining() -> bool:
        # Those it still takes are done at once, so that one waits only if it takes none.
        master.add_job("quick")
        return master.stats().waiting > 0

    process.send_signal(signal.SIGTERM)
    # Two signals at once would be one.
    wait_until(draining, SOON, "it takes no more jobs")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.read().split()[-1] == "returned"
    assert process.wait(SOON) == 0
    stats = master.stats()
    assert (stats.waiting, stats.active) == (stats.added - stats.completed, 0)


def test_run_requeues_jobs_that_do_not_finish_in_time(background: Background, master: Master) -> None:
    process = background(RUN % (1, 0.2))
    assert line(process) == "running"
    master.add_job("stubborn")
    assert line(process) == "begun"
    process.send_signal(signal.SIGTERM)
    assert line(process) == "returned"
    assert process.wait(SOON) == 0
    assert master.stats().waiting == 1


WAITS = {
    "result": "master.run('never')",
    "ready": "Master(cluster, host='127.0.0.1', port=1, timeout=60).ready()",
    "add": "Master(cluster, host='127.0.0.1', port=1, timeout=60).add_job()",
    "loop": "next(iter(Worker(cluster, url=url)))",
    "drain": "worker.drain()",
    "asyncio": "asyncio.run(run())",
}


@pytest.mark.parametrize("name", WAITS)
def test_ctrl_c_ends_a_wait(name: str, background: Background, master: Master) -> None:
    process = background(
        f"""
import asyncio, threading, time
from libswarm import Master, Worker, aio
master = Master(cluster, url=url)
worker = Worker(cluster + "-active", url=url)
active = threading.Event()
worker.on("add", lambda job: active.set())
worker.start()
Master(cluster + "-active", url=url).add_job()
assert active.wait(10)

async def run():
    async with aio.Master(cluster, url=url) as other:
        await other.run("never")

try:
    print("waiting", flush=True)
    {WAITS[name]}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    )
    assert line(process) == "waiting"
    process.send_signal(signal.SIGINT)
    assert line(process) == "interrupted"
    assert process.wait(SOON) == 0
