"""Doubles numbers on a pool of threads until it is asked to stop. Usage: python worker.py [url]"""

import sys

from libswarm import Job, Worker

url = sys.argv[1] if len(sys.argv) > 1 else "redis://localhost:6379"
worker = Worker("example", url=url, slots=8)


@worker.process
def double(job: Job) -> int:
    # What is returned is the job's result; what is raised fails it.
    return 2 * int(job.payload["n"])


@worker.on_ready
def ready(incarnation: str) -> None:
    print(f"ready as {incarnation}", flush=True)


@worker.on_error
def error(error: Exception) -> None:
    print(f"something is wrong: {error}", flush=True)


# SIGINT and SIGTERM have it finish what it holds and return.
worker.run()
print("ended in good order")
