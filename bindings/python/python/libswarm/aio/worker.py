"""A worker of an event loop: listeners and handlers in the loop, or `async for`."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

from .. import _lifecycle, _native, logs
from .._calling import DAY, check_seconds, log_info
from .._events import Registered
from .._native import Call, Job
from .._options import WorkerOptions
from .._tasks import Handlers
from .._worker import BACKLOG, BATCH, LOOK, UNCLAIMED, Handler, WorkerBase, fail
from ..errors import SwarmClosed, SwarmError, SwarmInvalidArgument
from ..types import Stats
from ._bridge import Bridge
from ._messages import Messenger, spawn, unless_ending

#: Batches told before the loop may do something else.
_BATCHES = 4
#: Seconds given to jobs when draining took too long.
_LAST_GRACE = 1.0
#: Handlers at once unless `slots` says otherwise; as many as in every language.
_DEFAULT_SLOTS = 10


class Worker(Messenger, WorkerBase):
    """Takes the jobs of one cluster, in the event loop that is running when it starts.

    As `libswarm.Worker`, in three ways of which a program uses one: `on("add", f)` with a function or a coroutine function,
    `process(handler)` with a coroutine function, run as a task per job and cancelled when its job is deleted, or `async for job
    in worker:`.
    """

    def __init__(self, cluster: str, **options: Unpack[WorkerOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `WorkerOptions` for the rest."""
        super().__init__(cluster, dict(options))
        self._bridge: Bridge | None = None
        #: The handler's, by the fence of the job.
        self._handling: dict[int, asyncio.Task[None]] = {}
        self._listening = set()
        self._loop: JobLoop | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._news: asyncio.Queue[Literal["stop", "drained", "closed"]] = asyncio.Queue()
        self._last: asyncio.Event = asyncio.Event()
        _lifecycle.register(self)

    @overload
    def process(self, handler: Handler) -> Handler: ...
    @overload
    def process(self, handler: Handlers) -> None: ...
    @overload
    def process(self) -> Callable[[Handler], Handler]: ...
    def process(self, handler: Any = None) -> Any:
        """Has `await handler(job)` run for every job, as many at once as the worker has slots (10 unless given). A decorator.

        What it returns is the job's result. What it raises fails this attempt: `RetryAfter` says when to try again, and
        `PermanentFailure` that it is of no use. When its job is deleted, timed out or taken back, it is cancelled.

        With `{"resize": f, "mail": g}`, as with the decorator `task`, each is the handler of one task, and the worker takes these
        tasks; jobs without a task only if there is a handler for them, given alone or as "". More may be given at any time.
        """
        if handler is None:
            return self.process
        if isinstance(handler, Mapping):
            self._add_handlers(handler)
            return None
        self._add_handlers({"": handler})
        return handler

    async def start(self) -> Self:
        """Connects in the background and starts to take jobs. Only the first call does anything."""
        if self._closed:
            raise SwarmClosed("the worker is closed")
        if self._native is None:
            settings = self._all_settings()
            logs.begin()
            if self._handler is not None and self._slots is None:
                settings = [*settings, ("slots", str(_DEFAULT_SLOTS))]
            bridge = Bridge(self._loop_ended)
            schedule = bridge.loop.call_soon
            try:
                self._native = native = _native.Worker(
                    self._cluster, settings, bridge.mailbox, bridge.future, lambda: schedule(native.flush)
                )
                self._hear_all(native)
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
        return self

    async def run(self, *, grace: float = 10.0) -> None:
        """Starts, and waits until the worker is closed or `stop()` is called, which SIGINT and SIGTERM do in the main thread.

        Then it takes no new jobs, waits up to `grace` seconds for those it holds, gives back what is left, and returns. A
        second signal ends the wait. Raises at once what only the user can mend (such as a wrong password), and what
        closed the worker for good; SwarmInvalidArgument if it has neither a handler nor a listener of `add`.
        """
        grace = check_seconds("grace", grace, DAY)
        self._check_work()
        await self.start()
        with self._signals():
            try:
                await self.ready()
            except SwarmError as error:
                if not error.retryable and not self._closed:
                    await self.terminate(grace=0.0)
                    raise
            if await self._news.get() != "closed":
                await self._wind_down(grace)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Has `run` wind down and return. Never blocks."""
        self._news.put_nowait("stop")

    async def ready(self) -> None:
        """Waits until the worker is registered, and others can send what it listens to; raises what is in its way."""
        await self._started().ready()

    async def drain(self) -> None:
        """Takes no new jobs, gives back those not begun, and waits until those it holds are finished."""
        self._give_back()
        await self._started().drain()

    async def terminate(self, *, grace: float = 5.0) -> None:
        """Has each active job told `delete`, waits up to `grace` seconds until they have stopped, gives them back and leaves.

        Handlers go on meanwhile, and what they return counts; they are cancelled a second, or half of the grace, before its end.
        """
        grace = check_seconds("grace", grace, DAY)
        await self._terminate(grace, max(grace - _LAST_GRACE, grace / 2))

    async def _terminate(self, grace: float, patience: float) -> None:
        """`patience` is how long handlers may go on."""
        call = self._leave(grace)
        if call is not None and self._bridge is not None:
            cancelling = self._bridge.loop.call_later(patience, self._cancel_all)
            try:
                await call
            finally:
                # Also when Redis cannot be told.
                cancelling.cancel()
                self._take_all()
                if self._looking is not None:
                    self._looking.cancel()
                self._bridge.close()
                self._left(0.0)

    async def delete_job(self, id: str) -> bool:
        """Deletes any job of the cluster. Whether it existed."""
        existed: bool = await self._started().delete(id)
        return existed

    async def stats(self) -> Stats:
        """Counts of the cluster, from Redis."""
        stats: Stats = await self._started().stats()
        return stats

    deleteJob = delete_job

    def __aiter__(self) -> JobLoop:
        """One job after another, until the worker is closed. Asking for the next one does not finish the one before."""
        if self._handler is not None:
            raise SwarmInvalidArgument("the worker has a handler; there is no job left to loop over")
        if self._loop is None:
            self._loop = JobLoop(self)
            self._consume = self._loop.put
            self._accept()
            self._claim()
        return self._loop

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(SwarmClosed):
            await self.terminate()

    def _messages(self) -> tuple[_native.Worker, Bridge]:
        native = self._started()
        assert self._bridge is not None  # As old as the native worker.
        return native, self._bridge

    def _take(self) -> None:
        """Tells events, with pauses for the loop."""
        for _ in range(_BATCHES):
            room = self._room()
            if room <= 0:
                self._look_later()
                return
            try:
                if not self._dispatch(room):
                    return
            except BaseException:
                if self._bridge is not None:
                    self._bridge.loop.call_soon(self._take)
                raise
        if self._bridge is not None:
            self._bridge.loop.call_soon(self._take)

    def _look_later(self) -> None:
        if self._looking is None and self._bridge is not None:
            self._looking = self._bridge.loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        self._looking = None
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
            self._at_hand.add(job.fence)
            handler, context = self._handler(job)
            task = self._bridge.loop.create_task(self._work(handler, job), context=context.copy())
            self._handling[job.fence] = task
            # Not at the end of `_work`, which never begins if it is cancelled before.
            task.add_done_callback(functools.partial(self._worked, job))

    async def _work(self, handler: Callable[[Job], Any], job: Job) -> None:
        """One job by the handler, as a task of its own."""
        try:
            job.complete(await handler(job))
        except asyncio.CancelledError:
            # `_worked` knows more.
            raise
        except GeneratorExit as error:
            # Of a loop that is gone, which destroys its coroutines, or the handler's own?
            if asyncio._get_running_loop() is None:
                raise
            fail(job, error)
        except KeyboardInterrupt as error:
            # The program ends; whoever runs the job again must know that it was tried.
            fail(job, error)
            raise
        except BaseException as error:
            fail(job, error)

    def _worked(self, job: Job, task: asyncio.Task[None]) -> None:
        self._handling.pop(job.fence, None)
        if task.cancelled() and job.delete_reason is None:
            unless_ending(functools.partial(self._cancelled, job, task))
        else:
            self._end(job)

    def _cancelled(self, job: Job, task: asyncio.Task[None]) -> None:
        """A handler cancelled itself, or what it awaited was. Released, its job would come again for ever."""
        if job.delete_reason is None:
            fail(job, _cancellation(task))
        self._end(job)

    def _withdraw(self, job: Job) -> None:
        task = self._handling.get(job.fence)
        if task is None:
            super()._withdraw(job)
        elif job.delete_reason != "terminated":
            task.cancel()

    def _cancel_all(self) -> None:
        """The grace of `terminate` is nearly over."""
        for task in self._handling.values():
            task.cancel()

    def _give(self, listener: Registered, job: Job) -> None:
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
            spawn(self._listening, answer, context, functools.partial(fail, job))

    def _keep(self, job: Job) -> None:
        if not self._unclaimed and self._bridge is not None:
            self._bridge.loop.call_later(UNCLAIMED, self._miss_claims)
        super()._keep(job)

    def _loop_ended(self) -> None:
        """The loop is gone: nobody takes events any more, nor runs what was begun."""
        self._closed = True
        self._deaf = True
        self._handling.clear()
        self._listening.clear()
        if self._native is not None:
            self._native.leave()
        log_info("a worker of cluster %r leaves, because its event loop has ended", self._cluster)

    def _release_waiting(self) -> None:
        if self._loop is not None:
            for job in self._loop.withdraw():
                job.release()

    async def _wind_down(self, grace: float) -> None:
        with contextlib.suppress(SwarmClosed):
            self._give_back()
            if self._bridge is not None:
                self._bridge.watch(self._started().drain(), lambda: self._news.put_nowait("drained"))
            try:
                drained = await asyncio.wait_for(self._news.get(), grace)
            except TimeoutError:
                drained = "stop"
            await self._terminate(0.0 if drained == "drained" else _LAST_GRACE, 0.0)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if self._bridge is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = self._bridge.loop
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
        self._news.put_nowait("closed")

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
    """What a task was cancelled with, where it can be had."""
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
        #: The job each task is at.
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
                # The job it was woken for is for another.
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise

    def put(self, job: Job) -> None:
        """Hands over a job."""
        self._jobs.append(job)
        self._wake()

    def withdraw(self) -> list[Job]:
        """Takes back all jobs that were not asked for."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def end(self) -> None:
        """Ends all loops when their jobs are told."""
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
