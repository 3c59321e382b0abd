"""A worker of an event loop."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self, Unpack, overload

from .. import _lifecycle, _native, logs
from .._batches import Batching, Group
from .._calling import log_info
from .._events import Registered
from .._native import Call, Job
from .._options import WorkerOptions
from .._tasks import BatchHandlers, Handlers
from .._tracing import Attempt
from .._worker import BACKLOG, BATCH, POLL, UNCLAIMED, BatchHandler, Handler, fail
from ..errors import SwarmClosed
from ._api.worker import News, WorkerApi
from ._bridge import Bridge
from ._listeners import spawn, unless_ending
from ._member import LoopMember

#: Batches per turn of the loop.
_BATCHES = 4
#: The default of `slots` with a handler, as in every language.
_DEFAULT_SLOTS = 10


class Worker(LoopMember, WorkerApi):
    """Accepts and runs jobs of one cluster, in the event loop that is running when it starts.

    As `libswarm.Worker`. A program uses one of three ways to work: `on("add", f)` with a function or a coroutine function,
    `process(handler)` with a coroutine function, which runs as a task per job and is cancelled when its job is deleted, or
    `async for job in worker:`.
    """

    def __init__(self, cluster: str, **options: Unpack[WorkerOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `WorkerOptions` for the rest."""
        super().__init__(cluster, dict(options))
        self._bridge: Bridge | None = None
        #: The tasks of the handlers, by the fence of the job.
        self._handling: dict[int, asyncio.Task[None]] = {}
        #: The jobs of the tasks of handlers of batches.
        self._batches: dict[asyncio.Task[None], list[Job]] = {}
        self._tasks_of_listeners = set()
        self._loop: JobLoop | None = None
        self._poll_timer: asyncio.TimerHandle | None = None
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._last: asyncio.Event = asyncio.Event()
        _lifecycle.register(self)

    @overload
    def process(self, handler: Handler) -> Handler: ...
    @overload
    def process(self, handler: Handlers) -> None: ...
    @overload
    def process(self) -> Callable[[Handler], Handler]: ...
    def process(self, handler: Any = None) -> Any:
        """Runs `await handler(job)` for every job, as many at once as the worker has slots (default 10). A decorator.

        As `libswarm.Worker.process`, but the handler is cancelled when its job is deleted, timed out or reclaimed.
        """
        if handler is None:
            return self.process
        if isinstance(handler, Mapping):
            self._add_handlers(handler)
            return None
        self._add_handlers({"": handler})
        return handler

    @overload
    def process_batches(
        self, handler: BatchHandler, *, size: int, wait: float = 0.0, by: Literal["task", "group"] = "task"
    ) -> BatchHandler: ...
    @overload
    def process_batches(
        self, handler: BatchHandlers, *, size: int, wait: float = 0.0, by: Literal["task", "group"] = "task"
    ) -> None: ...
    @overload
    def process_batches(
        self, *, size: int, wait: float = 0.0, by: Literal["task", "group"] = "task"
    ) -> Callable[[BatchHandler], BatchHandler]: ...
    def process_batches(self, handler: Any = None, *, size: int, wait: float = 0.0, by: str = "task") -> Any:
        """Runs `await handler(jobs)` for several jobs of one task at once. A decorator.

        As `libswarm.Worker.process_batches`. The handler is cancelled when all of its jobs are deleted, timed out or reclaimed.
        """
        if handler is None:
            return functools.partial(self.process_batches, size=size, wait=wait, by=by)
        self._add_batch_handlers(handler, size, wait, by)
        return None if isinstance(handler, Mapping) else handler

    def _await(self, call: Call) -> asyncio.Future[Any]:
        assert self._bridge is not None  # As old as the native worker.
        return self._bridge.future(call)

    def _take_events(self) -> None:
        """Does nothing: events are taken from the start on."""

    def _start(self) -> None:
        if self._closed:
            raise SwarmClosed("the worker is closed")
        if self._native is not None:
            return
        settings = self._all_settings()
        logs.begin()
        if self._handler is not None and self._slots is None:
            settings = [*settings, ("slots", str(max(_DEFAULT_SLOTS, self._tasks.largest_batch())))]
        bridge = Bridge(self._loop_ended)
        schedule = bridge.loop.call_soon
        try:
            self._native = native = _native.Worker(
                self._cluster, settings, bridge.mailbox, bridge.future, lambda: schedule(native.flush), self._credentials
            )
            self._subscribe_all(native)
        except BaseException:
            bridge.close()
            if self._native is not None:
                self._native.leave()
                self._native = None
            raise
        self._bridge = bridge
        if self._handler is not None:
            self._consume = self._handle
        self._accept()
        bridge.on_event = self._take
        self._take()

    async def _terminate(self, grace: float, patience: float) -> None:
        call = self._leave(grace)
        if call is not None and self._bridge is not None:
            cancelling = self._bridge.loop.call_later(patience, self._cancel_all)
            try:
                await call
            finally:
                # Also if Redis cannot be reached.
                cancelling.cancel()
                self._take_all()
                if self._poll_timer is not None:
                    self._poll_timer.cancel()
                self._bridge.close()
                self._left(0.0)

    def _iterate(self) -> JobLoop:
        if self._loop is None:
            self._loop = JobLoop(self)
            self._consume = self._loop.put
            self._accept()
            self._claim()
        return self._loop

    def _take(self) -> None:
        """Emits events, with pauses for the loop."""
        for _ in range(_BATCHES):
            capacity = self._capacity()
            if capacity <= 0:
                self._poll_later()
                return
            try:
                if not self._dispatch(capacity):
                    return
            except BaseException:
                if self._bridge is not None:
                    self._bridge.loop.call_soon(self._take)
                raise
        if self._bridge is not None:
            self._bridge.loop.call_soon(self._take)

    def _poll_later(self) -> None:
        if self._poll_timer is None and self._bridge is not None:
            self._poll_timer = self._bridge.loop.call_later(POLL, self._poll)

    def _poll(self) -> None:
        self._poll_timer = None
        self._take()

    def _waiting_here(self) -> int:
        return super()._waiting_here() if self._loop is None else len(self._loop)

    def _claim(self) -> None:
        if self._bridge is not None:
            self._bridge.loop.call_soon(self._take)

    def _take_all(self) -> None:
        while self._dispatch(BATCH):
            pass

    def _handle(self, job: Job) -> None:
        if self._bridge is not None and self._handler is not None:
            handler, context = self._handler(job)
            if isinstance(handler, Batching):
                if (group := self._gatherer.add(job, handler, context)) is not None:
                    self._bridge.loop.call_later(handler.wait, self._gatherer.start, group)
                return
            self._in_progress.add(job.fence)
            scope = context.copy()
            attempt = self._attempt([job], scope)
            task = self._bridge.loop.create_task(self._work(handler, job, attempt), context=scope)
            self._handling[job.fence] = task
            # Not at the end of `_work`, which never starts if it is cancelled before.
            task.add_done_callback(functools.partial(self._worked, job, attempt))

    def _start_batch(self, group: Group) -> None:
        jobs = [job for job in group.jobs if self._begin(job)]
        if self._bridge is not None and jobs:
            scope = group.context.copy()
            attempt = self._attempt(jobs, scope, batch=True)
            task = self._bridge.loop.create_task(self._work_batch(group.handler, jobs, attempt), context=scope)
            self._batches[task] = jobs
            for job in jobs:
                self._handling[job.fence] = task
            task.add_done_callback(functools.partial(self._worked_batch, attempt))

    async def _work_batch(self, handler: Batching, jobs: list[Job], attempt: Attempt | None) -> None:
        """Runs the handler for a batch, in a separate task."""
        try:
            results = await handler.function(list(jobs))
            if attempt is not None:
                attempt.returned(finished=not self._unfinished(jobs))
            self._complete_batch(jobs, results)
        except asyncio.CancelledError:
            # Handled by `_worked_batch`.
            raise
        except GeneratorExit as error:
            if asyncio._get_running_loop() is None:
                raise
            self._fail_attempt(attempt, error)
            self._fail_batch(jobs, error)
        except KeyboardInterrupt as error:
            self._fail_attempt(attempt, error)
            self._fail_batch(jobs, error)
            raise
        except BaseException as error:
            self._fail_attempt(attempt, error)
            self._fail_batch(jobs, error)

    def _worked_batch(self, attempt: Attempt | None, task: asyncio.Task[None]) -> None:
        jobs = self._batches.pop(task, [])
        for job in jobs:
            self._handling.pop(job.fence, None)
        if task.cancelled() and (left := self._unfinished(jobs)):
            self._fail_attempt(attempt, _cancellation(task))
            for job in left:
                unless_ending(functools.partial(self._cancelled, job, task))
            jobs = [job for job in jobs if job not in left]
        if attempt is not None:
            attempt.end()
        for job in jobs:
            self._end(job)

    async def _work(self, handler: Callable[[Job], Any], job: Job, attempt: Attempt | None) -> None:
        """Runs the handler for one job, in a separate task."""
        try:
            result = await handler(job)
            if attempt is not None:
                attempt.returned(finished=not self._unfinished([job]))
            job.complete(result)
        except asyncio.CancelledError:
            # Handled by `_worked`.
            raise
        except GeneratorExit as error:
            # Either a loop that is gone destroys its coroutines, or the handler raised it.
            if asyncio._get_running_loop() is None:
                raise
            self._fail_attempt(attempt, error)
            fail(job, error)
        except KeyboardInterrupt as error:
            # The program ends; this attempt of the job fails.
            self._fail_attempt(attempt, error)
            fail(job, error)
            raise
        except BaseException as error:
            self._fail_attempt(attempt, error)
            fail(job, error)

    def _worked(self, job: Job, attempt: Attempt | None, task: asyncio.Task[None]) -> None:
        self._handling.pop(job.fence, None)
        cancelled = task.cancelled() and job.delete_reason is None
        if cancelled:
            self._fail_attempt(attempt, _cancellation(task))
        if attempt is not None:
            attempt.end()
        if cancelled:
            unless_ending(functools.partial(self._cancelled, job, task))
        else:
            self._end(job)

    @staticmethod
    def _fail_attempt(attempt: Attempt | None, error: BaseException) -> None:
        if attempt is not None:
            attempt.error = error

    def _cancelled(self, job: Job, task: asyncio.Task[None]) -> None:
        """Fails the job of a handler that cancelled itself. If it were released, it would be assigned again forever."""
        if job.delete_reason is None:
            fail(job, _cancellation(task))
        self._end(job)

    def _withdraw(self, job: Job) -> None:
        task = self._handling.get(job.fence)
        if task is None:
            super()._withdraw(job)
        elif job.delete_reason != "terminated" and all(other._deleted for other in self._batches.get(task, ())):
            task.cancel()

    def _cancel_all(self) -> None:
        """Called shortly before the grace of `terminate` is over."""
        for task in self._handling.values():
            task.cancel()

    def _call_add(self, listener: Registered, job: Job) -> None:
        function, context = listener[0], listener[1].copy()
        try:
            answer = context.run(function, job)
        except KeyboardInterrupt as error:
            fail(job, error)
            raise
        except BaseException as error:
            fail(job, error)
            return
        if answer is not None and type(answer) is not Call and asyncio.iscoroutine(answer):
            spawn(self._tasks_of_listeners, answer, context, functools.partial(fail, job))

    def _keep_unclaimed(self, job: Job) -> None:
        if not self._unclaimed and self._bridge is not None:
            self._bridge.loop.call_later(UNCLAIMED, self._warn_unclaimed)
        super()._keep_unclaimed(job)

    def _loop_ended(self) -> None:
        """Called when the loop has ended: the worker takes no events and runs no handlers any more."""
        self._closed = True
        self._muted = True
        self._handling.clear()
        self._tasks_of_listeners.clear()
        if self._native is not None:
            self._native.leave()
        log_info("a worker of cluster %r leaves, because its event loop has ended", self._cluster)

    def _release_waiting(self) -> None:
        for job in self._gatherer.withdraw():
            job.release()
        if self._loop is not None:
            for job in self._loop.withdraw():
                job.release()

    def _report(self, news: News) -> None:
        self._news.put_nowait(news)

    def _report_drained(self, call: Call) -> None:
        if self._bridge is not None:
            self._bridge.watch(call, lambda: self._report("drained"))

    async def _next_news(self, patience: float | None) -> News | None:
        try:
            return await asyncio.wait_for(self._news.get(), patience)
        except TimeoutError:
            return None

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _ended(self) -> None:
        if self._loop is not None:
            self._loop.end()
        self._last.set()
        self._report("closed")

    def _leave(self, grace: float = 0.0) -> _native.Call | None:
        if self._closed:
            raise SwarmClosed("the worker is closed")
        call = None if self._native is None else self._native.terminate(grace)
        self._closed = True
        return call

    def _left(self, patience: float) -> None:
        if self._native is not None:
            self._native.close()


def _cancellation(task: asyncio.Task[None]) -> BaseException:
    """The message with which a task was cancelled, if it can be read."""
    try:
        task.result()
    except asyncio.CancelledError as error:
        return error
    return asyncio.CancelledError()


class JobLoop:
    """`async for job in worker`. Several tasks may loop over one worker; each job goes to one of them."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._jobs: collections.deque[Job] = collections.deque()
        self._waiters: collections.deque[asyncio.Future[None]] = collections.deque()
        self._ended = False
        #: The job that each task has taken.
        self._at: dict[asyncio.Task[Any] | None, Job] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Job:
        task = asyncio.current_task()
        before = self._at.pop(task, None)
        if before is not None:
            self._worker._end(before)
        await self._worker.start() if not self._ended else None
        while True:
            while self._jobs:
                job = self._jobs.popleft()
                if len(self._jobs) == BACKLOG // 2:
                    self._worker._take()
                if self._worker._begin(job):
                    self._at[task] = job
                    return job
            if self._ended:
                raise StopAsyncIteration
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                # Wakes another task for the job.
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise

    def put(self, job: Job) -> None:
        """Queues a job."""
        self._jobs.append(job)
        self._wake()

    def withdraw(self) -> list[Job]:
        """Removes and returns all jobs that no loop has taken."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def end(self) -> None:
        """Ends all loops after the jobs that are queued."""
        self._ended = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
