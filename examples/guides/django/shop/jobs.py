"""The functions that run as jobs."""

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections
from libswarm import App, PermanentFailure, current_job

from .models import Invoice

P = ParamSpec("P")
R = TypeVar("R")

app = App("shop", url=settings.REDIS_URL)


def with_database(function: Callable[P, R]) -> Callable[P, R]:
    """Each thread of a worker has a connection of its own. Django closes those that are broken or too old only for requests."""

    @functools.wraps(function)
    def wrapped(*arguments: P.args, **named: P.kwargs) -> R:
        close_old_connections()
        try:
            return function(*arguments, **named)
        finally:
            close_old_connections()

    return wrapped


@app.task(retries=3)
@with_database
def make_invoice(id: int, seconds: float = 0.1) -> float:
    invoice = Invoice.objects.filter(id=id).first()
    if invoice is None:
        raise PermanentFailure(f"there is no invoice {id}")
    time.sleep(seconds)  # stands for slow work
    total = round(sum(invoice.prices), 2)
    # A late write of an execution that another one has replaced changes nothing.
    fence = current_job().fence
    Invoice.objects.filter(id=id, fence__lte=fence).update(total=total, fence=fence)
    return total
