"""The functions that run as jobs. The worker: rq worker --with-scheduler"""

from rq import get_current_job


def resize(path: str, width: int = 100) -> str:
    return f"{path}, {width} wide"


def charge(order: int) -> str:
    job = get_current_job()
    if job.retries_left == 3:
        raise ConnectionError("the bank does not answer")
    return f"order {order} charged with {job.retries_left} retries left"


def refund(order: int) -> None:
    raise ValueError(f"order {order} was not paid")


def album(title: str) -> str:
    images = [image.return_value() for image in get_current_job().fetch_dependencies()]
    return f"{title}: {' + '.join(sorted(images))}"
