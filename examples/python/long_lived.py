"""Holds jobs for as long as they exist, and gives them up when they are deleted. Usage: python long_lived.py [url]

Start several: the jobs spread over them, and move when one ends or is killed.
"""

import sys

from libswarm import Job, Worker

url = sys.argv[1] if len(sys.argv) > 1 else "redis://localhost:6379"
worker = Worker("example-long-lived", url=url)


@worker.on_add
def start(job: Job) -> None:
    print(f"start {job.payload} (fence {job.fence})", flush=True)
    job.on("delete", lambda: print(f"stop {job.payload}: {job.delete_reason}", flush=True))


worker.run(grace=1.0)
