"""Stores an order and, in the same transaction, the job that belongs to it: python shop.py CUSTOMER..."""

import os
import sys

import psycopg
from psycopg.types.json import Jsonb


def order(database: psycopg.Connection, customer: str) -> None:
    with database.transaction():  # both rows, or none
        row = database.execute("insert into orders (customer) values (%s) returning id", [customer]).fetchone()
        payload = Jsonb({"order": row[0]})
        database.execute("insert into outbox (task, payload) values ('confirm', %s)", [payload])


if __name__ == "__main__":
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
        for customer in sys.argv[1:]:
            order(database, customer)
