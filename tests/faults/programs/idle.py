"""Idle workers with default options, each of a cluster of its own: `idle.py URL PREFIX COUNT`. Writes a line when all are
registered, and ends with its input."""

import os
import sys

import libswarm


def main(url: str, prefix: str, count: str) -> None:
    workers = [libswarm.Worker(f"{prefix}-{number}", url=url) for number in range(int(count))]
    for worker in workers:
        worker.on("add", lambda job: job.complete())
        worker.start()
    for worker in workers:
        worker.ready()
    print("ready", flush=True)
    sys.stdin.read()
    # Their leases may run out; the test has seen what it wanted.
    os._exit(0)


main(*sys.argv[1:])
