"""The guide to NestJS: the module starts the worker with the application, and drains it at its end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from running import INSTALLED, Running, address, an_active_job, copied, output_of, request
from swarm_support import Redis


@contextmanager
def service(server: Redis) -> Iterator[tuple[Running, str]]:
    port, url = address()
    with copied("nestjs") as folder:
        output_of([INSTALLED / "node_modules" / ".bin" / "tsc"], folder)
        with Running(["node", "dist/main.js"], folder, REDIS_URL=server.url, PORT=str(port)) as app:
            app.serves(f"{url}/health")
            yield app, url


def test_results_come_back_and_an_active_job_ends_before_the_application(server: Redis) -> None:
    answers: list[Any] = []
    with service(server) as (app, url):
        order = {"customer": "Ada", "prices": [9.5, 0.4]}
        assert request(f"{url}/invoices", order) == (201, {"customer": "Ada", "total": 9.9, "attempt": 1})
        assert request(f"{url}/invoices", {"customer": "Ada", "prices": []})[0] == 422

        call = threading.Thread(target=lambda: answers.append(request(f"{url}/invoices", {**order, "pause": 1500})))
        call.start()
        an_active_job(server, completed=1)
        assert app.end() == 0, app.output
        call.join()
        assert answers == [(201, {"customer": "Ada", "total": 9.9, "attempt": 1})]
