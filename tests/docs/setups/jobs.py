from libswarm import Master, NewJob, Worker

URL = "redis://localhost:6379"
master = Master("docs", url=URL)
worker = Worker("docs", url=URL)
worker.process({"resize": lambda job: f"small {job.payload}", "": lambda job: job.payload})
worker.start()
# BLOCK
worker.terminate()
master.close()
