"""Help for tests of asyncio: as `libswarm.testing`, with coroutines.

```python
from libswarm.aio import testing

async with testing.cluster() as swarm:
    worker = await swarm.worker(handler)
    master = await swarm.master()
    await master.add_job(21, delay=3600)
    await swarm.advance(3600)
    await swarm.settled()
```
"""

from __future__ import annotations

import asyncio
from typing import Any, Unpack

from .. import _native
from .._native import private_redis
from .._options import ConnectionOptions, WorkerOptions
from ..testing import Finish, TestJob
from ._api.testing import Handlers, TestClusterApi
from ._bridge import Bridge
from .master import Master
from .worker import Worker

__all__ = ["Finish", "TestCluster", "TestJob", "cluster", "private_redis"]


class TestCluster(TestClusterApi[Master, Worker]):
    """A cluster that no other test uses, in one event loop. An asynchronous context manager."""

    _bridge: Bridge | None = None

    def _new_master(self, options: ConnectionOptions) -> Master:
        return Master(self.name, **options)

    def _new_worker(self, handler: Handlers | None, options: WorkerOptions) -> Worker:
        worker = Worker(self.name, **options)
        if handler is not None:
            worker.process(handler)
        return worker

    def _await(self, call: _native.Call) -> asyncio.Future[Any]:
        if self._bridge is None:
            self._bridge = Bridge(lambda: None)
        self._bridge.check()
        return self._bridge.future(call)

    def _end(self) -> None:
        if self._bridge is not None:
            self._bridge.close()


def cluster(cluster_name: str = "", /, **options: Unpack[ConnectionOptions]) -> TestCluster:
    """Returns a new cluster; see `libswarm.testing.cluster`."""
    return TestCluster(cluster_name, **options)
