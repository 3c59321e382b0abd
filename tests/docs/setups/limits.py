from types import SimpleNamespace

from libswarm import Master


def call_stripe(_payload):
    return SimpleNamespace(status=200, retry_after=0)


master = Master("docs", url="redis://localhost:6379")
master.limit("stripe", rate=100, per=60)
# BLOCK
master.close()
