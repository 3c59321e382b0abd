"""Adds jobs: many per call, one per call from tasks of an event loop, or one at a time."""

import asyncio
import time

import libswarm
import libswarm.aio
from control import CALL, FIRST, IN_FLIGHT, commands, payload, say


def run(url, cluster):
    with libswarm.Master(cluster, url=url) as master, asyncio.Runner() as runner:
        master.ready()
        # One by one is the event loop's, with a master of its own, made before the clock runs.
        own = runner.run(ready_master(url, cluster))
        say("ready")
        for name, count, *more in commands():
            begun = time.monotonic_ns()
            if name == "bulk":
                bulk(master, count)
            elif name == "one":
                runner.run(one_by_one(own, count))
            else:
                dispatch(master, count, more[0])
            say("done", time.monotonic_ns() - begun)
        runner.run(own.close())


async def ready_master(url, cluster):
    master = libswarm.aio.Master(cluster, url=url)
    await master.ready()
    return master


def bulk(master, count):
    for start in range(0, count, CALL):
        master.add_jobs([payload(FIRST + n) for n in range(start, min(count, start + CALL))])


async def one_by_one(master, count):
    async def some(first):
        for n in range(first, count, IN_FLIGHT):
            await master.add_job(payload(FIRST + n))

    await asyncio.gather(*(some(first) for first in range(IN_FLIGHT)))


def dispatch(master, count, pause_us):
    for _ in range(count):
        time.sleep(pause_us / 1e6)
        master.add_job(payload(time.monotonic_ns()))
