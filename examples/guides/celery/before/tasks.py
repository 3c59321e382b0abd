"""The worker: celery --app tasks worker --loglevel INFO"""

import os

from celery import Celery

URL = os.environ.get("REDIS_URL", "redis://localhost:6379")
app = Celery("shop", broker=URL, backend=URL)


@app.task
def resize(path: str, width: int = 100) -> str:
    return f"{path}, {width} wide"


@app.task(bind=True, autoretry_for=(ConnectionError,), max_retries=3, default_retry_delay=0.1)
def charge(self, order: int) -> str:
    if self.request.retries == 0:
        raise ConnectionError("the bank does not answer")
    return f"order {order} charged in attempt {self.request.retries + 1}"


@app.task
def refund(order: int) -> None:
    raise ValueError(f"order {order} was not paid")


@app.task
def album(images: list[str], title: str) -> str:
    return f"{title}: {' + '.join(images)}"
