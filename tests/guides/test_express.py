"""The guide to Express: results in answers, ids for later, and clean ends while a job is active."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from running import Running, address, an_active_job, copied, request
from swarm_support import Redis


@contextmanager
def service(server: Redis, **environment: str) -> Iterator[tuple[Running, Running, str]]:
    port, url = address()
    with (
        copied("express") as folder,
        Running(["node", "worker.js"], folder, REDIS_URL=server.url, **environment) as worker,
        Running(["node", "app.js"], folder, REDIS_URL=server.url, PORT=str(port)) as app,
    ):
        app.serves(f"{url}/health")
        yield app, worker, url


def test_the_result_of_a_job_is_in_the_answer(server: Redis) -> None:
    with service(server) as (app, worker, url):
        order = {"customer": "Ada", "prices": [9.5, 0.4]}
        assert request(f"{url}/invoices", order) == (200, {"customer": "Ada", "total": 9.9, "attempt": 1})
        assert request(f"{url}/invoices", {"customer": "Ada", "prices": []})[0] == 422

        status, added = request(f"{url}/invoices/later", order, Idempotency_Key="order-7")
        assert status == 202
        assert request(f"{url}/invoices/later", order, Idempotency_Key="order-7") == (202, added)
        assert request(f"{url}/invoices/{added['id']}?wait=20000") == (200, {"customer": "Ada", "total": 9.9, "attempt": 1})
        assert request(f"{url}/invoices/none")[0] == 404

        assert worker.end() == 0, worker.output
        status, added = request(f"{url}/invoices/later", order)
        assert request(f"{url}/invoices/{added['id']}") == (202, added)
        assert app.end() == 0, app.output


def test_both_end_cleanly_while_a_job_is_active(server: Redis) -> None:
    answers: list[Any] = []
    with service(server) as (app, worker, url):
        order = {"customer": "Ada", "prices": [1], "pause": 1500}
        call = threading.Thread(target=lambda: answers.append(request(f"{url}/invoices", order)))
        call.start()
        an_active_job(server)
        worker.process.terminate()
        assert app.end() == 0, app.output
        assert worker.ended() == 0, worker.output
        call.join()
        assert answers == [(200, {"customer": "Ada", "total": 1, "attempt": 1})]


def test_a_job_that_a_worker_gives_up_runs_on_another_one(server: Redis) -> None:
    answers: list[Any] = []
    with service(server, GRACE="100") as (app, worker, url):
        order = {"customer": "Ada", "prices": [1], "pause": 3000}
        call = threading.Thread(target=lambda: answers.append(request(f"{url}/invoices", order)))
        call.start()
        an_active_job(server)
        with copied("express") as folder, Running(["node", "worker.js"], folder, REDIS_URL=server.url) as other:
            assert worker.end() == 0, worker.output
            assert not answers
            call.join()
            assert answers == [(200, {"customer": "Ada", "total": 1, "attempt": 1})]
            assert (app.end(), other.end()) == (0, 0), app.output + other.output
