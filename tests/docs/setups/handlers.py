from libswarm import Master, PermanentFailure, RetryAfter, SwarmError, Worker

URL = "redis://localhost:6379"
worker = Worker("docs", url=URL)
# BLOCK
with Master("docs", url=URL) as master:
    print(master.run({"n": 2}), master.run("a.jpg", task="resize"), master.run("anna", task="mail", retries=1))
    try:
        master.run("nobody", task="mail", retries=5)
    except SwarmError as error:
        print(type(error).__name__, error)
worker.terminate()
