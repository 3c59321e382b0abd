"""The program that adds jobs: python main.py"""

import os

from jobs import album, charge, refund, resize
from redis import Redis
from rq import Queue, Retry
from rq.job import Job

queue = Queue(connection=Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379")))


def result(job: Job) -> object:
    last = job.latest_result(timeout=30)
    while last is not None and last.type == last.Type.RETRIED:
        last = job.latest_result(timeout=30)
    if last is None:
        raise TimeoutError(job.id)
    return last.return_value if last.type == last.Type.SUCCESSFUL else last.exc_string.splitlines()[-1]


print(result(queue.enqueue(resize, "a.jpg", width=50)))
print(result(queue.enqueue(charge, 7, retry=Retry(max=3))))
print(result(queue.enqueue(refund, 8)))
images = queue.enqueue_many([Queue.prepare_data(resize, [path]) for path in ["a.jpg", "b.jpg"]])
print([result(image) for image in images])
print(result(queue.enqueue(album, "Rome", depends_on=images)))
