bind = "127.0.0.1:8000"
workers = 2
threads = 4  # a request that waits for a result keeps its thread
preload_app = True
graceful_timeout = 20  # seconds that open requests have after SIGTERM


def worker_exit(server, worker):
    from shop import jobs

    jobs.app.close()
