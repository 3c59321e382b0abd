"""Programs end, whatever they left open, without a hang, a crash or a word."""

from __future__ import annotations

import pytest
from swarm_support import Redis, wait_until

from conftest import SOON, Script
from libswarm import Master

IMPORTS = "import libswarm\nfrom libswarm import Master, Worker, aio\n"

PROGRAMS = {
    "a master left open": """
master = Master(cluster, url=url)
master.add_job()
""",
    "a worker left open": """
worker = Worker(cluster, url=url).start()
worker.ready()
""",
    "a handler at work": """
begun = threading.Event()
worker = Worker(cluster, url=url)
worker.process(lambda job: (begun.set(), time.sleep(1000)))
worker.start()
Master(cluster, url=url).add_job()
assert begun.wait(10)
""",
    "a thread in a wait": """
master = Master(cluster, url=url)
begun = threading.Event()
threading.Thread(target=lambda: (begun.set(), master.run("never")), daemon=True).start()
assert begun.wait(10)
master.add_job()
""",
    "a thread that adds": """
master = Master(cluster, url=url)
begun = threading.Event()

def add():
    while True:
        master.add_jobs(range(100))
        begun.set()

threading.Thread(target=add, daemon=True).start()
assert begun.wait(10)
""",
    "a master that chooses": """
master = Master(cluster, url=url)
master.choose(lambda job, workers: None)
""",
    "a callback at work": """
begun = threading.Event()
worker = Worker(cluster, url=url).start()
worker.on("add", lambda job: None)
master = Master(cluster, url=url)
master.choose(lambda job, workers: (begun.set(), time.sleep(1000)), within=3600)
master.add_job()
assert begun.wait(10)
""",
    "a loop closed amid a choice": """
async def main():
    begun = asyncio.Event()

    async def choose(job, workers):
        begun.set()
        await asyncio.Event().wait()

    master = aio.Master(cluster, url=url)
    worker = aio.Worker(cluster, url=url)
    worker.on("add", lambda job: None)
    await worker.start()
    await master.choose(choose, within=3600)
    await master.add_job()
    await begun.wait()

asyncio.run(main())
""",
    "a loop closed with members in it": """
async def main():
    master = aio.Master(cluster, url=url)
    worker = aio.Worker(cluster, url=url)
    worker.on("add", lambda job: None)
    await worker.start()
    asyncio.ensure_future(master.run("never"))
    await master.add_jobs(range(10))

asyncio.run(main())
""",
    "a loop that was interrupted": """
async def main():
    async with aio.Master(cluster, url=url) as master:
        await asyncio.wait_for(master.run("never"), 0.05)

try:
    asyncio.run(main())
except TimeoutError:
    pass
""",
    "listeners of a master": """
# After the library's own, which was registered later.
known = (threading.main_thread().name, "libswarm-log")
atexit.register(lambda: [print(thread.name) for thread in threading.enumerate() if thread.name not in known])
from libswarm import Master
master = Master(cluster, url=url)
master.on_message(print)
master.ready()
""",
    "logging on": """
libswarm.enable_logging(1)
worker = Worker(cluster, url=url).start()
worker.ready()
""",
    "never connected": """
master = Master(cluster, host="127.0.0.1", port=1)
worker = Worker(cluster, host="127.0.0.1", port=1).start()
""",
    "an exception": """
worker = Worker(cluster, url=url).start()
Master(cluster, url=url).add_job()
sys.exit(0)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_by_itself(name: str, script: Script) -> None:
    done = script(
        "import asyncio, atexit, logging, sys, threading, time\nlogging.basicConfig(level=logging.CRITICAL)\n"
        + ("" if name == "listeners of a master" else IMPORTS)
        + PROGRAMS[name],
        timeout=20,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_program_that_ends_requeues_its_jobs(script: Script, master: Master) -> None:
    """Long before its lease has run out."""
    done = script(
        """
import threading
from libswarm import Master, Worker
active = threading.Event()
worker = Worker(cluster, url=url, lease=60)
worker.on("add", lambda job: active.set())
worker.start()
Master(cluster, url=url).add_job()
assert active.wait(10)
"""
    )
    assert done.returncode == 0, done.stderr
    wait_until(lambda: (master.stats().waiting, master.stats().members) == (1, 1), SOON, "the job waits again")


def test_a_program_ends_though_redis_is_silent(script: Script, url: str) -> None:
    with Redis() as server:
        done = script(
            f"""
import os, signal
from libswarm import Master, Worker
worker = Worker(cluster, url={server.url!r}).start()
worker.ready()
master = Master(cluster, url={server.url!r})
master.ready()
os.kill({server.pid}, signal.SIGSTOP)
""",
            timeout=20,
        )
        assert (done.returncode, done.stderr) == (0, "")
        server.resume()
