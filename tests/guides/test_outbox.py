"""The guide to an outbox in PostgreSQL: the job of a committed row is added once, even if the relay dies before its delete."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from libswarm import Master
from postgres import Postgres
from running import Running, copied, output_of
from swarm_support import Redis, wait_until


@pytest.fixture
def database() -> Iterator[Postgres]:
    with copied("outbox") as folder, Postgres() as running:
        running.run((folder / "schema.sql").read_text("utf-8"))
        yield running


@contextmanager
def shop(server: Redis, database: Postgres) -> Iterator[tuple[Path, dict[str, str]]]:
    with copied("outbox") as folder:
        yield folder, {"REDIS_URL": server.url, "DATABASE_URL": database.url}


def test_the_job_of_a_committed_row_runs_and_that_of_a_rolled_back_one_does_not(server: Redis, database: Postgres) -> None:
    with (
        shop(server, database) as (folder, env),
        Running(["python", "worker.py"], folder, **env) as worker,
        Running(["python", "relay.py"], folder, **env) as relay,
    ):
        relay.printed("relaying")
        output_of(["python", "shop.py", "Ada", "Bob"], folder, **env)
        wait_until(lambda: database.run("select mails_sent from orders") == ["1", "1"], 20, "the jobs have run")
        database.run("begin; insert into outbox (task, payload) values ('confirm', '{}'); rollback")
        assert database.run("select count(*) from outbox") == ["0"]
        assert (relay.end(), worker.end()) == (0, 0), relay.output + worker.output
        with Master("shop", url=server.url) as master:
            assert master.stats().added == 2


def test_a_relay_that_dies_between_add_and_delete_adds_nothing_twice(server: Redis, database: Postgres) -> None:
    # The delete waits for a lock that this session has, so that the relay can be killed there.
    database.run(
        """
        create function wait_for_the_test() returns trigger language plpgsql as
          $$ begin perform pg_advisory_xact_lock(7); return old; end $$;
        create trigger wait_before_delete before delete on outbox for each row execute function wait_for_the_test();
        """
    )
    holder = subprocess.Popen(["psql", database.url, "--no-psqlrc", "--quiet"], stdin=subprocess.PIPE, text=True)
    assert holder.stdin is not None
    holder.stdin.write("select pg_advisory_lock(7) \\g /dev/null\n")
    holder.stdin.flush()
    held = "select count(*) from pg_locks where locktype = 'advisory' and {}granted"
    wait_until(lambda: database.run(held.format("")) == ["1"], 20, "the test has the lock")
    with shop(server, database) as (folder, env), Master("shop", url=server.url) as master:
        output_of(["python", "shop.py", "Ada", "Bob"], folder, **env)
        with Running(["python", "worker.py"], folder, **env) as worker:
            with Running(["python", "relay.py"], folder, **env) as relay:
                wait_until(lambda: database.run(held.format("not ")) == ["1"], 20, "the relay deletes")
                # The jobs have been added, and completed, before the relay dies.
                wait_until(lambda: master.stats().completed == 2, 20, "the jobs are completed")
                relay.process.kill()
                relay.process.wait()
            holder.stdin.close()
            holder.wait()
            assert database.run("select count(*) from outbox") == ["2"]
            with Running(["python", "relay.py"], folder, **env) as relay:
                wait_until(lambda: database.run("select count(*) from outbox") == ["0"], 20, "the outbox is empty")
                assert relay.end() == 0, relay.output
            assert worker.end() == 0, worker.output
        assert master.stats().added == 2
        assert database.run("select mails_sent from orders") == ["1", "1"]
