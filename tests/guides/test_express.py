"""The guide to Express: results in answers, ids for later, and clean ends while a job is active."""

from collections.abc import Iterator
from contextlib import contextmanager

from invoices import Requested, answers_with_results, ends_cleanly_while_a_job_is_active
from running import Running, address, copied
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
        answers_with_results(app, worker, url, wait="20000")


def test_both_end_cleanly_while_a_job_is_active(server: Redis) -> None:
    with service(server) as (app, worker, url):
        ends_cleanly_while_a_job_is_active(app, worker, server, url, pause=1500)


def test_a_job_that_a_worker_gives_up_runs_on_another_one(server: Redis) -> None:
    with service(server, GRACE="100") as (app, worker, url):
        asked = Requested(server, url, pause=3000)
        with copied("express") as folder, Running(["node", "worker.js"], folder, REDIS_URL=server.url) as other:
            assert worker.end() == 0, worker.output
            assert not asked.answers
            asked.is_answered()
            assert (app.end(), other.end()) == (0, 0), app.output + other.output
