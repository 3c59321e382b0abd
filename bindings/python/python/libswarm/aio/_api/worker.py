"""The methods of a worker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Self, Unpack

from libswarm._calling import DAY, check_seconds
from libswarm._native import Call, Job
from libswarm._options import as_list
from libswarm._tracing import adding
from libswarm._worker import WorkerBase
from libswarm.errors import SwarmClosed, SwarmError, SwarmInvalidArgument
from libswarm.jobs import JobOptions, JobsOptions
from libswarm.types import Added, Stats

from .messages import MessagesApi

#: Seconds in which jobs must stop when the drain took too long.
_LAST_GRACE = 1.0

News = Literal["stop", "drained", "closed"]


class WorkerApi(WorkerBase, MessagesApi):
    """Starts, runs and ends a worker."""

    async def start(self) -> Self:
        """Connects in the background and starts to accept jobs. Only the first call has an effect."""
        self._start()
        return self

    async def run(self, *, grace: float = 10.0) -> None:
        """Starts, and waits until the worker is closed or `stop()` is called, as SIGINT and SIGTERM do in the main thread.

        Then it accepts no new jobs, waits up to `grace` seconds for its active jobs, requeues the rest, and returns. A second
        signal ends the wait. Raises permanent errors at once (such as a wrong password), and the error that closed the worker
        permanently; SwarmInvalidArgument if it has neither a handler nor a listener of `add`.
        """
        grace = check_seconds("grace", grace, DAY)
        self._check_work()
        # The signals first: once it has started, a job may be assigned, and its handler may cause a signal.
        with self._signals():
            await self.start()
            try:
                await self.ready()
            except SwarmError as error:
                if not error.retryable and not self._closed:
                    await self.terminate(grace=0.0)
                    raise
            if await self._next_news(None) != "closed":
                await self._wind_down(grace)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends `run`. Never blocks; may be called in listeners and signal handlers (asyncio: in the loop)."""
        self._report("stop")

    async def ready(self) -> None:
        """Waits until the worker and its subscriptions are registered. Raises the error that prevents it."""
        await self._await(self._here.ready())

    async def drain(self) -> None:
        """Accepts no new jobs, requeues those that have not started, and waits until the active ones are finished."""
        self._refuse_in_listener("drain")
        drained = self._here.drain()
        self._requeue_waiting()
        await self._await(drained)

    async def terminate(self, *, grace: float = 5.0) -> None:
        """Emits `delete` for each active job, waits up to `grace` seconds until they have stopped, requeues them and leaves.

        Handlers continue and their results are accepted. Asyncio cancels them a second, or half of the grace, before its end.
        """
        self._refuse_in_listener("terminate")
        grace = check_seconds("grace", grace, DAY)
        await self._terminate(grace, max(grace - _LAST_GRACE, grace / 2))

    async def add(self, payload: object = None, **options: Unpack[JobOptions]) -> Added:
        """Adds a job as `Master.add` does, with the connection of this worker, also in a handler. The worker has started before.

        A job with `ephemeral` is deleted when this worker leaves or is lost. A worker does not await results: a master does, by
        the job's id.
        """
        with adding(self._cluster, options, []):
            added: list[tuple[str, bool, bool]] = await self._await(self._here.add(payload, options))
        return Added(*added[0])

    async def add_many(
        self, jobs: Iterable[object], *, ids: Sequence[str] | None = None, **options: Unpack[JobsOptions]
    ) -> list[Added]:
        """Adds many jobs as `Master.add_many` does, with the connection of this worker; see `add`."""
        with adding(self._cluster, options, as_list("jobs", jobs)) as each:
            added: list[tuple[str, bool, bool]] = await self._await(self._here.add_many(each, ids, options))
        return [Added(*one) for one in added]

    async def delete_job(self, id: str) -> bool:
        """Deletes any job of the cluster. Returns whether it existed."""
        existed: bool = await self._await(self._here.delete(id))
        return existed

    async def stats(self) -> Stats:
        """Returns counts of the cluster, from Redis."""
        stats: Stats = await self._await(self._here.stats())
        return stats

    deleteJob = delete_job

    def __aiter__(self) -> AsyncIterator[Job]:
        """Yields one job after another, until the worker is closed. Taking the next job does not finish the one before."""
        if self._handler is not None:
            raise SwarmInvalidArgument("the worker has a handler; there is no job left to loop over")
        return self._iterate()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(SwarmClosed):
            await self.terminate()

    async def _wind_down(self, grace: float) -> None:
        with contextlib.suppress(SwarmClosed):
            drained = self._here.drain()
            self._requeue_waiting()
            self._report_drained(drained)
            news = await self._next_news(grace)
            await self._terminate(0.0 if news == "drained" else _LAST_GRACE, 0.0)

    def _start(self) -> None:
        """Starts the worker, unless that was done before."""
        raise NotImplementedError

    async def _terminate(self, grace: float, patience: float) -> None:
        """Leaves. `patience` is how many seconds handlers may continue, where they can be cancelled."""
        raise NotImplementedError

    def _iterate(self) -> AsyncIterator[Job]:
        raise NotImplementedError

    def _signals(self) -> AbstractContextManager[None]:
        """SIGINT and SIGTERM call `stop` while the context is active, in the main thread."""
        raise NotImplementedError

    def _refuse_in_listener(self, what: str) -> None:
        """Raises if the call would wait for the listener in which it is made."""

    def _report(self, news: News) -> None:
        """Wakes `run`. Never blocks."""
        raise NotImplementedError

    def _report_drained(self, call: Call) -> None:
        """Reports "drained" at the end of the call."""
        raise NotImplementedError

    async def _next_news(self, patience: float | None) -> News | None:
        """Waits for a report, at most `patience` seconds; None if there was none."""
        raise NotImplementedError
