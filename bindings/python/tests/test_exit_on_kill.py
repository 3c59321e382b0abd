"""Programs that end when a member asks them to."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

import pytest
from swarm_support import wait_until

from conftest import SOON, line
from libswarm import Master, SwarmInvalidArgument, Worker

Background = Callable[[str], "subprocess.Popen[str]"]

WAITS = [
    "time.sleep(60)",
    "threading.Event().wait()",
    "worker.run()",
    "[job for job in worker]",
    "master.run('never')",
    "os.read(os.pipe()[0], 1)",
    "spin()",
    "asyncio.run(asyncio.sleep(60))",
]


@pytest.mark.parametrize("wait", WAITS)
def test_the_main_thread_ends_whatever_it_waits_for(wait: str, background: Background, master: Master) -> None:
    process = background(
        f"""
import asyncio, atexit, os, threading, time
from libswarm import Master, Worker
master = Master(cluster + "-other", url=url)
worker = Worker(cluster, url=url, name="bob", lease=60)
worker.exit_on_kill(lambda request: print("asked", request.code, flush=True))
worker.on("add", lambda job: None)
worker.start()
worker.ready()
atexit.register(print, "atexit")
def spin():
    while True: pass

try:
    print("ready", flush=True)
    {wait}
finally:
    print("finally", flush=True)
"""
    )
    assert line(process) == "ready"
    assert len(master.kill({"name": "bob"}, 3).recipients) == 1
    assert [line(process), line(process), line(process)] == ["asked 3", "finally", "atexit"]
    assert process.wait(SOON) == 3
    assert master.stats().members == 1


AIO = """
import asyncio
from libswarm import aio

async def agree(request):
    await asyncio.sleep(0.01)
    print("asked", request.code, flush=True)

async def main():
    async with aio.{member}(cluster, url=url, name="bob", lease=60) as member:
        member.exit_on_kill(agree)
        await member.ready()
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("finally", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("member", ["Worker", "Master"])
def test_a_loop_ends(member: str, background: Background, master: Master) -> None:
    process = background(AIO.format(member=member))
    assert line(process) == "ready"
    master.kill({"name": "bob"}, 3)
    assert [line(process), line(process)] == ["asked 3", "finally"]
    assert process.wait(SOON) == 3
    assert process.stderr is not None
    assert process.stderr.read() == ""
    wait_until(lambda: master.stats().members == 1, SOON, "it has left")


STUBBORN = {
    "a callback that never agrees": ("lambda request: threading.Event().wait()", "time.sleep(60)"),
    "a callback that raises": ("lambda request: 1 / 0", "time.sleep(60)"),
    "a main thread that goes on": ("None", "while True:\n    try: time.sleep(60)\n    except BaseException: pass"),
    "a signal that is taken": ("None", "signal.signal(signal.SIGURG, print)\nwhile True: time.sleep(60)"),
}


@pytest.mark.parametrize("name", STUBBORN)
def test_the_grace_bounds_it(name: str, background: Background, master: Master) -> None:
    on_kill, wait = STUBBORN[name]
    process = background(
        f"""
import signal, threading, time
from libswarm import Worker
worker = Worker(cluster, url=url, name="bob")
worker.exit_on_kill({on_kill}, grace=0.2)
worker.start().ready()
print("ready", flush=True)
{wait}
"""
    )
    assert line(process) == "ready"
    master.kill({"name": "bob"}, 4)
    assert process.wait(SOON) == 4


def test_it_is_for_the_main_thread_and_graces_have_bounds(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    for grace in (-1.0, 3601.0, float("nan")):
        with pytest.raises(SwarmInvalidArgument, match="grace"):
            worker.exit_on_kill(grace=grace)
    refused = []

    def elsewhere() -> None:
        with pytest.raises(SwarmInvalidArgument, match="main thread"):
            worker.exit_on_kill()
        refused.append(True)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert refused == [True]
