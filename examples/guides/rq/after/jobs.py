"""The functions that run as jobs. The worker: python jobs.py"""

import os

from libswarm import App, current_job

app = App("shop", url=os.environ.get("REDIS_URL", "redis://localhost:6379"))


@app.task
def resize(path: str, width: int = 100) -> str:
    return f"{path}, {width} wide"


@app.task(retries=3, backoff=0)
def charge(order: int) -> str:
    job = current_job()
    if job.retries_left == 3:
        raise ConnectionError("the bank does not answer")
    return f"order {order} charged with {job.retries_left} retries left"


@app.task
def refund(order: int) -> None:
    raise ValueError(f"order {order} was not paid")


@app.task
def album(title: str) -> str:
    images = [image.result for image in current_job().inputs().wait().values()]
    return f"{title}: {' + '.join(sorted(images))}"


if __name__ == "__main__":
    app.worker(slots=4).run()
