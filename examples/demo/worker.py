"""The worker in Python: worker.py <cluster> <slots, 0 for unlimited> <lease in ms>. SWARM_REDIS_URL says where Redis is.

The payload of a job is the path of a file, its result the 32 bytes of the file's SHA-256.
What it prints and the commands that it takes on stdin are listed in crew.js.
"""

import asyncio
import functools
import hashlib
import os
import sys

from libswarm import Job, SwarmError
from libswarm.aio import Worker

say = functools.partial(print, flush=True)


def digest_of(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def main(cluster: str, slots: str, lease: str) -> None:
    url = os.environ.get("SWARM_REDIS_URL", "redis://localhost:6379")
    worker = Worker(cluster, url=url, slots=int(slots) or None, lease=int(lease) / 1000)
    # Told to keep the jobs that come, until they are deleted.
    holding = False

    @worker.on_add
    async def hash_file(job: Job) -> None:
        say("start", job.id, job.fence, job.crashes)
        if holding:
            return
        try:
            end = job.complete(await asyncio.to_thread(digest_of, job.payload))
        except OSError as error:
            end = job.fail(error.strerror)
        try:
            await end
        except SwarmError as error:
            say("refused", job.id, job.fence, error)
        else:
            say("done", job.id, job.fence)

    @worker.on_delete
    def stop(job: Job) -> None:
        say("stop", job.id, job.fence)

    @worker.on_error
    def trouble(error: SwarmError) -> None:
        print(f"the worker in Python: {error}", file=sys.stderr)

    async with worker:
        await worker.ready()
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line == "hold\n":
                holding = True
                say("holding")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
