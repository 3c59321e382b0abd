from libswarm import Master, Worker

URL = "redis://localhost:6379"
master = Master("docs", url=URL)
worker = Worker("docs", url=URL)
# BLOCK
worker.terminate()
master.close()
