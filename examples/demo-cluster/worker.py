"""The worker in Python: worker.py <cluster>. SWARM_REDIS_URL says where Redis is. What workers do is written down in demo.py."""

import os
import sys
import time

import libswarm
from libswarm import Job, Message, Worker

NAMES = ["c", "node", "python"]
NAME = "python"
worker = Worker(sys.argv[1], url=os.environ["SWARM_REDIS_URL"], name=NAME, group="workers", lease=2.0, slots=20)
#: Greetings received, each as (way, from).
received: set[tuple[object, str]] = set()


@worker.process(threads=20)
def square(job: Job) -> int:
    time.sleep(0.005)
    return job.payload**2


@worker.on_message
def hear(message: Message) -> None:
    if message.payload == "greet":
        for other in NAMES:
            if other != NAME:
                worker.send({"name": other}, "private")
        worker.send({"group": "workers"}, "group")
        worker.send("all", "public")
    elif message.sender.name in NAMES:
        received.add((message.payload, message.sender.name))
        # Three ways from each of the others.
        if len(received) == 6:
            worker.confirm("greeted")


def main() -> None:
    worker.start()
    worker.ready()
    print("ready", flush=True)
    libswarm.ready()
    # Drains at SIGTERM.
    worker.run()


if __name__ == "__main__":
    main()
