"""Adds jobs, one of them awaited. Usage: python master.py [url]"""

import sys

from libswarm import Master

url = sys.argv[1] if len(sys.argv) > 1 else "redis://localhost:6379"

with Master("example", url=url) as master:
    ids = master.add_jobs([{"n": n} for n in range(100)])
    print(f"added {len(ids)} jobs")

    existed = master.add({"n": 0}, id="only-once").existed
    print(f"the job of our own id {'was there already' if existed else 'is new'}")

    print(f"2 * 21 = {master.run({'n': 21}, timeout=30.0)}, says a worker")
