"""Adds the jobs of the outbox to the cluster: python relay.py. Any number of relays may run."""

import os
import signal
import sys

import psycopg
from libswarm import Master, NewJob

BATCH = 500
DAY_S = 86_400


def relay(database: psycopg.Connection, master: Master) -> int:
    """Adds the jobs of up to BATCH rows, then deletes these rows. Returns their number."""
    with database.transaction():
        rows = database.execute(
            "select id, task, payload from outbox order by id limit %s for update skip locked", [BATCH]
        ).fetchall()
        # After a crash before the commit, the rows are added again: while a job has the key, nothing is.
        jobs = [
            NewJob({**payload, "outbox_id": id}, task=task, retries=5, unique={"key": f"outbox:{id}", "until": DAY_S})
            for id, task, payload in rows
        ]
        master.add_jobs(jobs)  # raises if Redis is away: the transaction is rolled back
        database.execute("delete from outbox where id = any(%s)", [[id for id, _, _ in rows]])
    return len(rows)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # a transaction that is open is rolled back
    url = os.environ.get("REDIS_URL", "redis://localhost:6379")
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database, Master("shop", url=url) as master:
        database.execute("listen outbox")
        print("relaying", flush=True)
        while True:
            if relay(database, master) < BATCH:
                # Until rows are added, and every 5 s for those that another relay did not finish.
                for _ in database.notifies(timeout=5, stop_after=1):
                    pass


if __name__ == "__main__":
    main()
