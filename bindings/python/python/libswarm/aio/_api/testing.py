"""The methods of a cluster for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack, cast

from libswarm._native import Call, TestCluster, private_redis
from libswarm._options import ConnectionOptions, WorkerOptions, settings
from libswarm.errors import SwarmClosed

from .._waiting import Waiting
from .master import MasterApi
from .worker import WorkerApi

Handlers = Callable[..., Any] | Mapping[str, Callable[..., Any]]
AnyMaster = TypeVar("AnyMaster", bound=MasterApi)
AnyWorker = TypeVar("AnyWorker", bound=WorkerApi)


class TestClusterApi(Generic[AnyMaster, AnyWorker]):
    """Members of one cluster, and its clock."""

    #: Not a class of tests.
    __test__ = False

    def __init__(self, cluster_name: str = "", /, **options: Unpack[ConnectionOptions]) -> None:
        """See `cluster`."""
        if not any(option in options for option in ("url", "host", "port", "socket", "sentinels", "nodes")):
            options["url"] = private_redis()
        self._options = options
        self._cluster = TestCluster(cluster_name, settings(dict(options)))
        self._members: list[AnyMaster | AnyWorker] = []
        self._closed = False

    @property
    def name(self) -> str:
        """The name of the cluster, which begins with `swarm-testing-` unless it was given."""
        return self._cluster.name()

    @property
    def url(self) -> str:
        """The URL of its Redis; "" if its address was given in other options."""
        return self._options.get("url", "")

    async def master(self, **options: Unpack[ConnectionOptions]) -> AnyMaster:
        """Returns a new master of the cluster, which is registered. It is closed with the cluster."""
        self._check_open()
        master = self._new_master(cast(ConnectionOptions, {**self._options, **options}))
        self._members.append(master)
        await master.ready()
        return master

    async def worker(self, handler: Handlers | None = None, **options: Unpack[WorkerOptions]) -> AnyWorker:
        """Returns a new worker of the cluster. It is closed with the cluster, as if it was terminated with a grace of a second.

        With a handler, or handlers by task, it is registered and accepts jobs; else the test starts it.
        """
        self._check_open()
        worker = self._new_worker(handler, cast(WorkerOptions, {**self._options, **options}))
        self._members.append(worker)
        if handler is not None:
            await worker.start()
            await worker.ready()
        return worker

    async def settled(self, timeout: float = 5.0) -> None:
        """Waits until nothing is left to do now: no job waits or is active, and nothing is due.

        Jobs that wait for a time do not count: delayed ones, those of schedules, and those that only a limit blocks. Raises
        SwarmTimeout after `timeout` seconds; its text lists the jobs that are left.
        """
        await self._await(self._cluster.settled(timeout))

    async def advance(self, seconds: float) -> None:
        """Moves the cluster's clock ahead, 1 ms to 10 years, as if this time had passed.

        It moves leases of members that are gone, delays, retries, timeouts, limits, schedules, and the times for which results
        and failed jobs are kept. First each member is asked to renew its lease; one that does not within a second counts as
        gone. Leases of the others move with the clock, so none is lost. Then the clock moves from each time at which something is
        due to the next. At each it waits until the jobs that begin there have ended, at most a second, but not for jobs that
        were active before. Clocks inside a program do not move.

        Raises SwarmInvalidArgument if the name of the cluster does not begin with `swarm-testing-`.
        """
        await self._await(self._cluster.advance(seconds))

    async def close(self) -> None:
        """Closes the members that it made, and removes the cluster from Redis. Closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            for member in reversed(self._members):
                await self._close(member)
            await self._await(self._cluster.obliterate())
        finally:
            self._members.clear()
            self._end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise SwarmClosed("the cluster is closed")

    @staticmethod
    async def _close(member: MasterApi | WorkerApi) -> None:
        if isinstance(member, MasterApi):
            await member.close()
        else:
            with contextlib.suppress(SwarmClosed):
                await member.terminate(grace=1.0)

    def _new_master(self, options: ConnectionOptions) -> AnyMaster:
        raise NotImplementedError

    def _new_worker(self, handler: Handlers | None, options: WorkerOptions) -> AnyWorker:
        raise NotImplementedError

    def _await(self, call: Call) -> Waiting:
        """Waits for the value of a call."""
        raise NotImplementedError

    def _end(self) -> None:
        """Releases what waits for calls."""
