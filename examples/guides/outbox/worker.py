"""Runs the jobs: python worker.py"""

import os
import threading

import psycopg
from libswarm import Job, Worker

worker = Worker("shop", url=os.environ.get("REDIS_URL", "redis://localhost:6379"), slots=4)
threads = threading.local()


def database() -> psycopg.Connection:
    """The connection of this thread; another one if it is broken."""
    connection: psycopg.Connection | None = getattr(threads, "connection", None)
    if connection is None or connection.broken:
        connection = threads.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    return connection


@worker.task("confirm")
def confirm(job: Job) -> None:
    """A job may run twice, its effect in the database happens once: both writes are in one transaction."""
    with database().transaction():
        done = database().execute(
            "insert into done (outbox_id) values (%s) on conflict do nothing returning outbox_id", [job.payload["outbox_id"]]
        )
        if done.fetchone() is not None:
            database().execute("update orders set mails_sent = mails_sent + 1 where id = %s", [job.payload["order"]])


if __name__ == "__main__":
    worker.run(grace=20)
