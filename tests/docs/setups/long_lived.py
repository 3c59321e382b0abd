import threading

from libswarm import Master, Worker

URL = "redis://localhost:6379"
worker = Worker("docs", url=URL)
# BLOCK
taken = threading.Event()
worker.on("add", lambda job: taken.set())
with Master("docs", url=URL) as master:
    job_id = master.add_job({"user": 7})
    taken.wait(30)
    master.delete_job(job_id)
worker.drain()
worker.terminate()
