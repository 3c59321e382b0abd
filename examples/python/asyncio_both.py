"""A master and a worker in one event loop. Usage: python asyncio_both.py [url]"""

import asyncio
import sys

from libswarm.aio import Job, Master, Worker

url = sys.argv[1] if len(sys.argv) > 1 else "redis://localhost:6379"


async def main() -> None:
    worker = Worker("example-asyncio", url=url, slots=100)

    @worker.process
    async def square(job: Job) -> int:
        await asyncio.sleep(0.001)
        return int(job.payload) ** 2

    async with Master("example-asyncio", url=url) as master, worker:
        # Added in one tick, they travel together.
        squares = await asyncio.gather(*(master.run(n, timeout=30.0) for n in range(1000)))
        print(f"the sum of 1,000 squares is {sum(squares)}")
        print(f"{(await master.stats()).completed} jobs completed")


asyncio.run(main())
