"""The worker: python tasks.py"""

import os

from libswarm import App, current_job

app = App("shop", url=os.environ.get("REDIS_URL", "redis://localhost:6379"))


@app.task
def resize(path: str, width: int = 100) -> str:
    return f"{path}, {width} wide"


@app.task(retries=3, backoff=0.1)
def charge(order: int) -> str:
    if current_job().attempt == 1:
        raise ConnectionError("the bank does not answer")
    return f"order {order} charged in attempt {current_job().attempt}"


@app.task
def refund(order: int) -> None:
    raise ValueError(f"order {order} was not paid")


@app.task
def album(title: str) -> str:
    images = sorted(image.result for image in current_job().inputs().wait().values())
    return f"{title}: {' + '.join(images)}"


if __name__ == "__main__":
    app.worker(slots=2).run()
