"""libswarm as a Python program uses it. `main.py producer|worker <url> <cluster>`; see ../README.md."""

import sys

import producer
import worker

role, url, cluster = sys.argv[1:]
(producer.run if role == "producer" else worker.run)(url, cluster)
