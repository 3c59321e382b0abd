"""The service of the guides to FastAPI and Express, as its clients see it."""

import threading
from typing import Any

from running import Running, an_active_job, request
from swarm_support import Redis

INVOICE = {"customer": "Ada", "total": 9.9, "attempt": 1}


def answers_with_results(app: Running, worker: Running, url: str, wait: str) -> None:
    """`wait`: 20 s in the unit of the service."""
    order = {"customer": "Ada", "prices": [9.5, 0.4]}
    assert request(f"{url}/invoices", order) == (200, INVOICE)
    assert request(f"{url}/invoices", {"customer": "Ada", "prices": []})[0] == 422

    status, added = request(f"{url}/invoices/later", order, Idempotency_Key="order-7")
    assert status == 202
    assert request(f"{url}/invoices/later", order, Idempotency_Key="order-7") == (202, added)
    assert request(f"{url}/invoices/{added['id']}?wait={wait}") == (200, INVOICE)
    assert request(f"{url}/invoices/none")[0] == 404

    assert worker.end() == 0, worker.output
    status, added = request(f"{url}/invoices/later", order)
    assert request(f"{url}/invoices/{added['id']}") == (202, added)
    assert app.end() == 0, app.output


class Requested:
    """A request whose job is active."""

    def __init__(self, server: Redis, url: str, **slow: float) -> None:
        self.answers: list[Any] = []
        order = {"customer": "Ada", "prices": [1], **slow}
        self._call = threading.Thread(target=lambda: self.answers.append(request(f"{url}/invoices", order)))
        self._call.start()
        an_active_job(server)

    def is_answered(self) -> None:
        """Waits for the answer, which has the result of a first attempt."""
        self._call.join()
        assert self.answers == [(200, {"customer": "Ada", "total": 1, "attempt": 1})]


def ends_cleanly_while_a_job_is_active(app: Running, worker: Running, server: Redis, url: str, **slow: float) -> None:
    asked = Requested(server, url, **slow)
    worker.process.terminate()
    assert app.end() == 0, app.output
    assert worker.ended() == 0, worker.output
    asked.is_answered()
