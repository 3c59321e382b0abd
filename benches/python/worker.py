"""Completes every job in its `add` listener."""

import threading
import time

import libswarm
from libswarm import _native
from control import SLOTS, commands, say


def run(url, cluster):
    # Made before the clock runs; it connects when it is started.
    worker = libswarm.Worker(cluster, url=url, slots=SLOTS)
    all_handled = threading.Event()
    say("ready")
    name, *numbers = next(commands())
    count = numbers[0] if numbers else None
    samples = []
    handled = 0

    def complete(job):
        nonlocal handled
        job.complete()
        handled += 1
        if handled == count:
            all_handled.set()

    def measure(job):
        samples.append(time.monotonic_ns() - job.payload["n"])
        complete(job)

    def trace(job):
        samples.extend((job.payload["n"], job.fence, *_native.stages(), time.monotonic_ns()))
        complete(job)

    handlers = {"dispatch": measure, "stages": trace}
    if name == "stages":
        _native.measure_stages()
    worker.on("add", handlers.get(name, complete))
    begun = time.monotonic_ns()
    with worker:
        worker.ready()
        say("started")
        # `idle` wants no job at all: that wait ends with the process.
        all_handled.wait()
        if name in handlers:
            say("done", *samples)
        else:
            while worker.stats().active > 0:
                pass
            say("done", time.monotonic_ns() - begun)
        next(commands(), None)
