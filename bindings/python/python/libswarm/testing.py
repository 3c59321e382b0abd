"""Help for tests: a private Redis, clusters whose clock can be moved, and jobs for handlers without a cluster.

```python
from libswarm import testing

with testing.cluster() as swarm:
    worker = swarm.worker(lambda job: job.payload * 2)
    id = swarm.master().add_job(21, delay=3600)
    swarm.advance(3600)
    swarm.settled()
```

The package is also a plugin of pytest, with the fixture `swarm`: such a cluster for the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Unpack

from . import _native
from ._api.testing import Handlers, TestClusterApi
from ._native import Job, private_redis
from ._options import ConnectionOptions, WorkerOptions
from .errors import SwarmInvalidArgument
from .jobs import JobOptions
from .master import Master
from .types import Input
from .worker import Worker

__all__ = ["Finish", "TestCluster", "TestJob", "cluster", "private_redis"]


class TestCluster(TestClusterApi[Master, Worker]):
    """A cluster that no other test uses. A context manager; otherwise it must be closed by `close`."""

    def _new_master(self, options: ConnectionOptions) -> Master:
        return Master(self.name, **options)

    def _new_worker(self, handler: Handlers | None, options: WorkerOptions) -> Worker:
        worker = Worker(self.name, **options)
        if handler is not None:
            worker.process(handler)
        return worker

    def _await(self, call: _native.Call) -> Any:
        return call.wait()


def cluster(cluster_name: str = "", /, **options: Unpack[ConnectionOptions]) -> TestCluster:
    """Returns a new cluster with a random name, on the server of `private_redis` unless `options` have an address.

    `options` are those of every member that it makes. Programs that take the name and the URL of the cluster from it belong to
    it, too. With a name that does not begin with `swarm-testing-`, `advance` cannot be used.
    """
    return TestCluster(cluster_name, **options)


class Finish(NamedTuple):
    """How a job was finished by a method of `Job`."""

    #: The method.
    name: Literal["complete", "fail", "retry", "rate_limited", "fail_permanently", "release", "stopped"]
    #: The result of `complete`, the error text, or the name of the limit.
    value: Any
    #: Seconds until the next attempt or start.
    after: float | None


async def _in_thread(call: _native.Call) -> Any:
    return await asyncio.to_thread(call.wait)


class TestJob:
    """A job that no worker was assigned, to call a handler with it: `handler(TestJob({"user": 7}, attempt=2).job)`.

    `job` is a `Job` as workers pass to handlers, of threads or of asyncio. Nothing of it uses Redis. What a handler returns or
    raises is not recorded here: the test has it.
    """

    #: Not a class of tests.
    __test__ = False

    def __init__(
        self,
        payload: object = None,
        *,
        attempt: int = 1,
        crashes: int = 0,
        last_checkpoint: object = None,
        inputs: Mapping[str, Input] | None = None,
        **options: Unpack[JobOptions],
    ) -> None:
        """`options` are those with which a job is added; `inputs` is what `job.inputs()` returns."""
        for name, value, least in (("attempt", attempt, 1), ("crashes", crashes, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 0xFFFFFFFF:
                raise SwarmInvalidArgument(f"{name} is {value!r}, it must be an int, {least} or more")
        self._native = _native.TestJob(payload, options, attempt, crashes, last_checkpoint, dict(inputs or {}), _in_thread)

    @property
    def job(self) -> Job:
        """The job for the handler."""
        return self._native.job()

    @property
    def progress(self) -> list[Any]:
        """Each progress that the handler has stored."""
        values: list[Any] = self._native.recorded()["progress"]
        return values

    @property
    def checkpoints(self) -> list[Any]:
        """Each checkpoint that the handler has stored."""
        values: list[Any] = self._native.recorded()["checkpoints"]
        return values

    @property
    def log(self) -> list[str]:
        """The lines of its log, each cut to its length."""
        lines: list[str] = self._native.recorded()["log"]
        return lines

    @property
    def finish(self) -> Finish | None:
        """How the handler has finished the job itself; None if it has not."""
        finish = self._native.recorded()["finish"]
        return None if finish is None else Finish(*finish)

    def cancel(self) -> None:
        """Asks the handler to stop, as a deletion does: `job.cancelled` is True, and listeners of `delete` are called."""
        self._native.cancel()
