from libswarm import Master, NewJob, Worker

URL = "redis://localhost:6379"
master = Master("docs", url=URL)
worker = Worker("docs", url=URL)
worker.process(
    {
        "cut": lambda job: None,
        "encode": lambda job: job.payload,
        "join": lambda job: f"{len(job.inputs().wait())} parts",
    }
)
worker.start()
# BLOCK
worker.terminate()
master.close()
