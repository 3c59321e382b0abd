"""The guide to Django: gunicorn forks its workers after the program was loaded; each has a master of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from running import Running, address, an_active_job, copied, output_of, request
from swarm_support import Redis, wait_until

#: A program that has used the app before gunicorn forks, as code at module level may do.
USED = """
from shop.wsgi import application
from shop.jobs import app

app.master().ready()
"""


@contextmanager
def service(server: Redis, program: str = "shop.wsgi") -> Iterator[tuple[Running, Running, str]]:
    port, url = address()
    web = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--preload", "--workers", "2", program]
    with copied("django") as folder:
        (folder / "used.py").write_text(USED, "utf-8")
        output_of(["python", "manage.py", "migrate", "--verbosity", "0"], folder)
        with (
            Running(["python", "manage.py", "run_worker"], folder, REDIS_URL=server.url) as worker,
            Running(web, folder, REDIS_URL=server.url) as app,
        ):
            app.serves(f"{url}/health")
            yield app, worker, url


@pytest.mark.parametrize("program", ["shop.wsgi", "used"])
def test_a_job_starts_after_the_commit_and_its_result_is_in_the_answer(program: str, server: Redis) -> None:
    with service(server, program) as (app, worker, url):
        status, added = request(f"{url}/invoices", {"customer": "Ada", "prices": [9.5, 0.4]})
        assert status == 202
        invoice = f"{url}/invoices/{added['id']}"
        wait_until(lambda: request(invoice)[1]["total"] == 9.9, 20, "the job has stored the total")
        assert request(f"{invoice}/total", {}) == (200, {"id": added["id"], "total": 9.9})
        assert request(f"{url}/invoices/99/total", {})[0] == 422

        # Every process has a master of its own, which connects at its first use.
        pids: set[int] = set()

        def all_seen() -> bool:
            status, seen = request(f"{url}/health")
            if status == 200:
                pids.add(seen["pid"])
            return len(pids) == 2

        wait_until(all_seen, 20, "both processes have answered")
        assert app.process.pid not in pids
        assert (app.end(), worker.end()) == (0, 0), app.output + worker.output
        assert "SwarmForked" not in app.output


def test_both_end_cleanly_while_a_job_is_active(server: Redis) -> None:
    answers: list[Any] = []
    with service(server) as (app, worker, url):
        added = request(f"{url}/invoices", {"customer": "Ada", "prices": [1]})[1]
        call = threading.Thread(target=lambda: answers.append(request(f"{url}/invoices/{added['id']}/total?seconds=1.5", {})))
        wait_until(lambda: request(f"{url}/invoices/{added['id']}")[1]["total"] == 1, 20, "the first job has run")
        call.start()
        an_active_job(server, completed=1)
        worker.process.terminate()
        assert app.end() == 0, app.output
        assert worker.ended() == 0, worker.output
        call.join()
        assert answers == [(200, {"id": added["id"], "total": 1})]
