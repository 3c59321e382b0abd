"""Runs the jobs of the web service: python worker.py"""

import asyncio
import os
from typing import Any

from libswarm import Job, PermanentFailure
from libswarm.aio import Worker


async def invoice(job: Job) -> dict[str, Any]:
    order = job.payload
    if not order["prices"]:
        raise PermanentFailure("the order is empty")  # no retry would help
    await asyncio.sleep(order["seconds"])  # stands for slow work, such as the call of another service
    return {"customer": order["customer"], "total": round(sum(order["prices"]), 2), "attempt": job.attempt}


async def main() -> None:
    worker = Worker("shop", url=os.environ.get("REDIS_URL", "redis://localhost:6379"), slots=20)
    worker.process({"invoice": invoice})
    await worker.run(grace=20)  # until SIGINT or SIGTERM; then active jobs have 20 s to finish


if __name__ == "__main__":
    asyncio.run(main())
