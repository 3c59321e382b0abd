"""The guide to FastAPI: results in answers, ids for later, and clean ends while a job is active."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from libswarm import Master
from running import Running, address, an_active_job, copied, request
from swarm_support import Redis, wait_until


@contextmanager
def service(server: Redis) -> Iterator[tuple[Running, Running, str]]:
    port, url = address()
    web = ["uvicorn", "app:app", "--port", str(port), "--workers", "2"]
    with (
        copied("fastapi") as folder,
        Running(["python", "worker.py"], folder, REDIS_URL=server.url) as worker,
        Running(web, folder, REDIS_URL=server.url) as app,
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
        assert request(f"{url}/invoices/{added['id']}?wait=20") == (200, {"customer": "Ada", "total": 9.9, "attempt": 1})
        assert request(f"{url}/invoices/none")[0] == 404

        assert worker.end() == 0, worker.output
        status, added = request(f"{url}/invoices/later", order)
        assert request(f"{url}/invoices/{added['id']}") == (202, added)
        assert app.end() == 0, app.output


def test_both_end_cleanly_while_a_job_is_active(server: Redis) -> None:
    answers: list[Any] = []
    with service(server) as (app, worker, url):
        order = {"customer": "Ada", "prices": [1], "seconds": 1.5}
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
    with service(server) as (app, worker, url):
        order = {"customer": "Ada", "prices": [1], "seconds": 3}
        call = threading.Thread(target=lambda: answers.append(request(f"{url}/invoices", order)))
        call.start()
        an_active_job(server)
        with copied("fastapi") as folder, Running(["python", "worker.py"], folder, REDIS_URL=server.url) as other:
            with Master("shop", url=server.url) as master:
                wait_until(lambda: sum(member.role == "worker" for member in master.members()) == 2, 20, "two workers")
            # The second signal ends the wait for the job. Two of a kind could count as one.
            worker.process.send_signal(signal.SIGTERM)
            assert worker.end(signal.SIGINT) == 0, worker.output
            assert not answers
            call.join()
            assert answers == [(200, {"customer": "Ada", "total": 1, "attempt": 1})]
            assert (app.end(), other.end()) == (0, 0), app.output + other.output


def test_the_health_check_shows_whether_redis_is_there(server: Redis) -> None:
    with service(server) as (app, worker, url):
        server.stop()
        wait_until(lambda: request(f"{url}/health")[0] == 503, 20, "unhealthy")
        server.start()
        wait_until(lambda: request(f"{url}/health")[0] == 200, 20, "healthy again")
        assert (app.end(), worker.end()) == (0, 0), app.output + worker.output
