"""A master of an event loop: adds and deletes jobs, awaits results."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from .. import _lifecycle, _native, logs
from .._calling import check_listener, check_on_existed
from .._choice import Choice, Choosing
from .._events import Listener
from .._messages import HEARD
from .._options import ConnectionOptions, as_list, keeps, settings
from ..errors import SwarmError
from ..jobs import JobOptions, JobsOptions
from ..types import Added, Candidate, Ended, Health, JobInfo, JobPage, JobState, MemberInfo, Queues, Stats
from ._bridge import Bridge
from ._choice import ChooserTask
from ._groups import Outcomes
from ._messages import Messenger

#: Events taken in one crossing; a master has few.
_BATCH = 64


class Master(Messenger, Choosing[ChooserTask]):
    """Adds and deletes jobs of one cluster, and awaits their results.

    As `libswarm.Master`, in the event loop that is running at its first use. Adds made in one tick of the loop travel together.
    To cancel a wait does not take back what was asked.
    """

    def __init__(self, cluster: str, **options: Unpack[ConnectionOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `ConnectionOptions` for the rest."""
        super().__init__()
        self._native = _native.Master(cluster, settings(options))
        logs.begin()
        self._bridge: Bridge | None = None
        self._listening = set()
        #: Of the jobs gathered in this tick, in their order.
        self._gathered: list[asyncio.Future[tuple[str, bool]]] = []
        _lifecycle.register(self)

    async def add_job(self, payload: object = None, **options: Unpack[JobOptions]) -> str:
        """Adds a job and returns its id, once Redis has stored it. See `libswarm.Master.add_job`."""
        return (await self._gather(payload, options))[0]

    async def add(self, payload: object = None, **options: Unpack[JobOptions]) -> Added:
        """As `add_job`, and tells whether the job existed."""
        return Added(*await self._gather(payload, options))

    async def add_jobs(
        self, jobs: Iterable[object], *, ids: Sequence[str] | None = None, **options: Unpack[JobsOptions]
    ) -> list[str]:
        """Adds many jobs in one go, all checked before any is sent, and returns their ids in order.

        Each of `jobs` is a payload, or a `NewJob` with options that go before those given here for all.
        """
        added: list[str] = await self._await(self._here.add_many(as_list("jobs", jobs), ids, options, True))
        return added

    async def add_many(
        self, jobs: Iterable[object], *, ids: Sequence[str] | None = None, **options: Unpack[JobsOptions]
    ) -> list[Added]:
        """As `add_jobs`, and tells of each whether it existed."""
        added: list[tuple[str, bool]] = await self._await(self._here.add_many(as_list("jobs", jobs), ids, options))
        return [Added(*pair) for pair in added]

    async def delete_job(self, id: str) -> bool:
        """Deletes a job whatever its state; its worker is told to stop it. Whether it existed."""
        existed: bool = await self._await(self._here.delete(id))
        return existed

    async def delete_jobs(self, ids: Sequence[str]) -> list[bool]:
        """Deletes many jobs; whether each existed, in order."""
        existed: list[bool] = await self._await(self._here.delete_many(ids))
        return existed

    async def result(self, id: str, *, timeout: float | None = None) -> Any:
        """Awaits the result of a job added with `result`. See `libswarm.Master.result`."""
        return await self._await(self._here.result(id, timeout))

    async def run(
        self,
        payload: object = None,
        *,
        timeout: float | None = None,
        on_existed: Callable[[str], object] | None = None,
        **options: Unpack[JobOptions],
    ) -> Any:
        """Adds a job and awaits its result, at most `timeout` seconds. After a timeout or a cancellation the job goes on.

        If a job of this `id` exists, the result is that one's, and `on_existed(id)` is called as soon as that is known, in the
        loop. What it raises ends the wait and is raised.
        """
        check_on_existed(on_existed)
        return await self._ended(*self._here.run(payload, timeout, options), on_existed)

    async def run_many(
        self,
        jobs: Iterable[object],
        *,
        ids: Sequence[str] | None = None,
        timeout: float | None = None,
        keep: bool = False,
        on_existed: Callable[[str], object] | None = None,
        **options: Unpack[JobsOptions],
    ) -> list[Any]:
        """Adds many jobs as `add_jobs` and awaits all: in order, each one's result or the SwarmError that `run` would raise.

        The jobs are deleted when this master leaves or is lost, unless `keep` is set. `on_existed(id)` is called for each that
        existed, as by `run`.
        """
        options.setdefault("ephemeral", not keeps(keep))
        check_on_existed(on_existed)
        calls = self._here.run_many(as_list("jobs", jobs), ids, timeout, options)
        outcomes: list[Any] = await self._ended(*calls, on_existed)
        return outcomes

    def run_each(
        self,
        jobs: Iterable[object],
        *,
        ids: Sequence[str] | None = None,
        timeout: float | None = None,
        keep: bool = False,
        on_existed: Callable[[str], object] | None = None,
        **options: Unpack[JobsOptions],
    ) -> AsyncIterator[Ended]:
        """As `run_many`, but tells each outcome when its job has ended: `async for position, outcome in master.run_each(jobs)`.

        The jobs are added at once; the iterator raises what stands in the way, and SwarmClosed when this master is closed.
        `on_existed(id)` is called for each job that existed, before the first outcome is told.
        """
        options.setdefault("ephemeral", not keeps(keep))
        check_on_existed(on_existed)
        bridge = self._bound()
        return Outcomes(self._native.run_each(as_list("jobs", jobs), ids, timeout, options), bridge, on_existed)

    async def job(self, id: str) -> JobInfo | None:
        """A job as it is now. None if there is none: it never was, or is completed, deleted or forgotten."""
        job: JobInfo | None = await self._await(self._here.job(id))
        return job

    async def jobs(self, state: JobState, *, after: str | None = None, limit: int = 100) -> JobPage:
        """Up to `limit` (at most 1,000) jobs in a state, from where the page before ended: its `next`.

        Waiting ones come in the order in which they will be given, delayed ones as they become due, failed ones newest first;
        active ones in no order, those being deleted among them.
        """
        page: JobPage = await self._await(self._here.jobs(state, after, limit))
        return page

    async def queues(self) -> Queues:
        """How many jobs wait by priority and task, what is paused, and who chooses."""
        queues: Queues = await self._await(self._here.queues())
        return queues

    async def members(self) -> list[MemberInfo]:
        """All members alive."""
        members: list[MemberInfo] = await self._await(self._here.members())
        return members

    async def pause(self, task: str | None = None) -> None:
        """Has no more jobs given to workers until `resume`: those of a task ("": jobs without one), or all. Active jobs go on."""
        await self._await(self._here.pause(task))

    async def resume(self, task: str | None = None) -> None:
        """Ends a pause."""
        await self._await(self._here.resume(task))

    async def choose(
        self,
        callback: Callable[[JobInfo, list[Candidate]], Choice | Awaitable[Choice]],
        *,
        within: float = 1.0,
        tasks: Sequence[str] = (),
    ) -> None:
        """Has `callback(job, workers)`, a function or a coroutine function, choose the worker of each waiting job from now on.

        It is asked in the loop, and cancelled by `stop_choosing` and `close`. See `libswarm.Master.choose`.
        """
        check_listener(callback, coroutines=True)
        bridge = self._bound()
        try:
            await self._await(self._here.start_choosing(within, tasks))
        except BaseException:
            self._choosing_not_started()
            raise
        self._replace_chooser(ChooserTask(self._native, bridge, callback, self._choosing_failed))

    async def stop_choosing(self) -> None:
        """Has jobs given to the workers with the fewest again. A callback under way is cancelled."""
        self._replace_chooser(None)
        # The callback may be what stops, in a task that is cancelled with it: jobs must not wait for a choice that never comes.
        await asyncio.shield(self._await(self._here.stop_choosing()))

    async def retry_failed(self, ids: Sequence[str] | None = None) -> int:
        """Runs failed jobs again, those with the ids or all, with all their retries; how many there were."""
        count: int = await self._await(self._here.retry_failed(ids))
        return count

    async def delete_failed(self, ids: Sequence[str] | None = None) -> int:
        """Forgets failed jobs, those with the ids or all; how many there were."""
        count: int = await self._await(self._here.delete_failed(ids))
        return count

    async def ready(self) -> None:
        """Waits until the master is registered, and others can send what it listens to; raises what is in its way."""
        await self._await(self._here.ready())

    async def stats(self) -> Stats:
        """Counts of the cluster, from Redis."""
        stats: Stats = await self._await(self._here.stats())
        return stats

    def health(self) -> Health:
        """This member's own view; never asks Redis."""
        return self._native.health()

    @property
    def incarnation(self) -> str:
        """The identity in Redis, empty before the first registration."""
        return self._native.incarnation()

    async def obliterate(self) -> None:
        """Removes every key of the cluster, whoever uses it. For tests, and for the end of a cluster's life."""
        await self._await(self._here.obliterate())

    async def close(self) -> None:
        """Waits for adds in flight and leaves the cluster. Calls after it raise SwarmClosed; closing again does nothing."""
        if self._gathered:
            self._flush()
        self._replace_chooser(None)
        self._deaf = True
        call = self._native.close()
        if call is not None:
            bridge = self._bound()
            try:
                await bridge.future(call)
            finally:
                bridge.close()
            self._emit("close", None)

    addJob = add_job
    deleteJob = delete_job

    def on(self, event: str, listener: Listener) -> Listener:
        """Has `listener`, a function or a coroutine function, called in the loop at every `event`; see `on_ready` and so on."""
        listener = super().on(event, listener)
        self._bound()
        self._hear(self._native, event)
        return listener

    def _arm(self) -> None:
        if self._exit is not None:
            self._native.exit_on_kill(self._exit.grace)

    def _messages(self) -> tuple[_native.Master, Bridge]:
        return self._native, self._bound()

    def _bound(self) -> Bridge:
        if self._bridge is None:
            self._bridge = Bridge(self._loop_ended)
            self._bridge.on_event = self._events
            self._native.listen(self._bridge.mailbox)
        else:
            self._bridge.check()
        return self._bridge

    @property
    def _here(self) -> _native.Master:
        """The native master, in its loop only."""
        if self._bridge is not None:
            self._bridge.check()
        return self._native

    def _await(self, call: _native.Call) -> asyncio.Future[Any]:
        return self._bound().future(call)

    async def _ended(self, added: _native.Call, ended: _native.Call, on_existed: Callable[[str], object] | None) -> Any:
        """The outcome of what was added, once `on_existed` was told what existed."""
        try:
            if on_existed is not None:
                for id, existed in await self._await(added):
                    if existed:
                        on_existed(id)
            return await self._await(ended)
        except BaseException:
            ended.abort()
            raise

    def _gather(self, payload: object, options: JobOptions) -> asyncio.Future[tuple[str, bool]]:
        loop = self._bound().loop
        self._native.gather(payload, options)
        future: asyncio.Future[tuple[str, bool]] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._flush)
        self._gathered.append(future)
        return future

    def _flush(self) -> None:
        futures, self._gathered = self._gathered, []
        if not futures:
            return
        try:
            call = self._native.flush()
        except SwarmError as error:
            _fail(futures, error)
            return

        def settle() -> None:
            try:
                added = call.result()
            except SwarmError as error:
                _fail(futures, error)
                return
            for future, pair in zip(futures, added, strict=True):
                if not future.done():
                    future.set_result(pair)

        self._bound().watch(call, settle)

    def _events(self) -> None:
        try:
            events = self._native.take(_BATCH)
        except SwarmError:
            # Closed meanwhile.
            return
        if events and self._bridge is not None:
            # There may be more, which are not announced again.
            self._bridge.loop.call_soon(self._events)
        for event, detail, *_ in events:
            if event == "error":
                self._emit_error(detail)
            elif event in HEARD:
                self._tell_heard(event, detail)
            elif event == "ready":
                self._emit("ready", detail)

    def _loop_ended(self) -> None:
        """The loop is gone, and nobody can use this master any more."""
        self._deaf = True
        with contextlib.suppress(SwarmError):
            if self._gathered:
                self._native.flush()
            self._native.close()
        self._gathered.clear()

    def _leave(self) -> _native.Call | None:
        return self._native.close()

    def _left(self, patience: float) -> None:
        """No thread to end."""

    async def __aenter__(self) -> Self:
        self._bound()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


def _fail(futures: list[asyncio.Future[Any]], error: SwarmError) -> None:
    for future in futures:
        if not future.done():
            # One each: an exception collects the traces of all who raise it.
            future.set_exception(copy.copy(error))
