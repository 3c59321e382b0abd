"""The guide to FastAPI: results in answers, ids for later, and clean ends while a job is active."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from invoices import Requested, answers_with_results, ends_cleanly_while_a_job_is_active
from libswarm import Master
from running import Running, address, copied, request
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
        answers_with_results(app, worker, url, wait="20")


def test_both_end_cleanly_while_a_job_is_active(server: Redis) -> None:
    with service(server) as (app, worker, url):
        ends_cleanly_while_a_job_is_active(app, worker, server, url, seconds=1.5)


def test_a_job_that_a_worker_gives_up_runs_on_another_one(server: Redis) -> None:
    with service(server) as (app, worker, url):
        asked = Requested(server, url, seconds=3)
        with copied("fastapi") as folder, Running(["python", "worker.py"], folder, REDIS_URL=server.url) as other:
            with Master("shop", url=server.url) as master:
                wait_until(lambda: sum(member.role == "worker" for member in master.members()) == 2, 20, "two workers")
            # The second signal ends the wait for the job. Two of a kind could count as one.
            worker.process.send_signal(signal.SIGTERM)
            assert worker.end(signal.SIGINT) == 0, worker.output
            assert not asked.answers
            asked.is_answered()
            assert (app.end(), other.end()) == (0, 0), app.output + other.output


def test_the_health_check_shows_whether_redis_is_there(server: Redis) -> None:
    with service(server) as (app, worker, url):
        server.stop()
        wait_until(lambda: request(f"{url}/health")[0] == 503, 20, "unhealthy")
        server.start()
        wait_until(lambda: request(f"{url}/health")[0] == 200, 20, "healthy again")
        assert (app.end(), worker.end()) == (0, 0), app.output + worker.output
