"""A worker of threads."""

from __future__ import annotations

import contextlib
import functools
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, Literal, Unpack, overload

from . import _lifecycle, _native, logs
from ._api.worker import News, WorkerApi
from ._batches import Batching, Group
from ._calling import log_raised, message_of, refuse_coroutine, start_thread
from ._member import ThreadMember
from ._native import Job
from ._options import WorkerOptions
from ._tasks import BatchHandlers, Handlers
from ._threads import HandlerThreads
from ._worker import BACKLOG, POLL, BatchHandler, Handler, fail
from .errors import SwarmClosed, SwarmInCallback, SwarmInternal, SwarmInvalidArgument

#: The default number of threads for a handler, if neither `slots` nor `threads` is set; the same in every language.
_DEFAULT_THREADS = 10
_MAX_THREADS = 10_000


class Worker(ThreadMember, WorkerApi):
    """Accepts and runs jobs of one cluster.

    A program uses one of three ways to work:

    * `on("add", f)` calls `f(job)` on a thread of the library for every job; the job is active until it is finished by
      `job.complete()` or the like, from any thread, at any time.
    * `process(handler)` calls `handler(job)` on a pool of threads; its return value completes the job, its exception fails it.
      Or a handler for each task, by `task(name)`.
    * `for job in worker:` takes one job after another in the calling thread.

    It connects when it is started: by `run()`, `start()`, `with` or the loop. Jobs are assigned to it once it has a handler,
    a listener or a loop for them.
    """

    def __init__(self, cluster: str, **options: Unpack[WorkerOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `WorkerOptions` for the rest."""
        super().__init__(cluster, dict(options))
        self._lock = threading.Lock()
        self._mailbox = _native.Mailbox()
        self._thread: threading.Thread | None = None
        self._thread_limit: int | None = None
        self._threads: HandlerThreads | None = None
        self._loop: queue.SimpleQueue[Job | None] | None = None
        self._ending = threading.Event()
        # What `run` waits for. A queue: its `put` may be used in a signal's handler.
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        _lifecycle.register(self)

    @overload
    def process(self, handler: Handler, *, threads: int | None = None) -> Handler: ...
    @overload
    def process(self, handler: Handlers, *, threads: int | None = None) -> None: ...
    @overload
    def process(self, *, threads: int | None = None) -> Callable[[Handler], Handler]: ...
    def process(self, handler: Any = None, *, threads: int | None = None) -> Any:
        """Calls `handler(job)` for every job, on up to `threads` threads (default `slots`, or 10). A decorator.

        Its return value is the job's result. An exception fails this attempt: `RetryAfter` sets the time of the next one, and
        `PermanentFailure` prevents it. A handler that takes long should check `job.cancelled`, or listen with
        `job.on("delete", f)`: a job deleted or timed out meanwhile keeps its slot until the handler returns.

        With `{"resize": f, "mail": g}`, as with the decorator `task`, each is the handler of one task, and the worker accepts
        these tasks; jobs without a task only if there is a handler for them, passed alone or as "". More may be added at any
        time.
        """
        if handler is None:
            return functools.partial(self._process, threads)
        if threads is not None and (
            isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= _MAX_THREADS
        ):
            raise SwarmInvalidArgument(f"threads is {threads!r}, it must be an int, 1 to {_MAX_THREADS}")
        return self._process(threads, handler)

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
        """Calls `handler(jobs)` for several jobs of one task at once. A decorator; as `process` otherwise.

        A batch starts with `size` jobs (1 to 1,000), or `wait` seconds (at most 60) after its first job; with 0 it has the jobs
        that are there. With `by="group"`, its jobs are also of one `group`; those without one have batches of their own. Each
        job uses a slot (default 10, or `size` if that is more; with fewer no batch is full), and keeps its own lease, fence and
        outcome. The handler returns None, or a list with a result for each job; an exception fails each job that it has not
        finished itself. A job that is deleted while it waits for others is not in the batch; what waits when the worker drains
        is requeued.
        """
        if handler is None:
            return functools.partial(self.process_batches, size=size, wait=wait, by=by)
        self._add_batch_handlers(handler, size, wait, by)
        self._gather_batches()
        return None if isinstance(handler, Mapping) else handler

    def _process(self, threads: int | None, handler: Any) -> Any:
        if isinstance(handler, Mapping):
            self._add_handlers(handler)
        else:
            self._add_handlers({"": handler})
        self._thread_limit = threads or self._thread_limit
        return None if isinstance(handler, Mapping) else handler

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                raise SwarmClosed("the worker is closed")
            if self._native is not None:
                return
            settings = self._all_settings()
            logs.begin()
            threads = None
            if self._handler is not None:
                if self._slots is None:
                    # Otherwise jobs would wait here while other workers are idle.
                    slots = max(self._thread_limit or _DEFAULT_THREADS, self._tasks.largest_batch())
                    settings = [*settings, ("slots", str(slots))]
                threads = HandlerThreads(self._handle, self._most_threads, f"libswarm-{self._cluster}")
            begun: queue.SimpleQueue[bool] = queue.SimpleQueue()
            # The threads first: if one cannot be started, no worker must remain that accepts jobs.
            thread = start_thread(lambda: self._run(begun), f"libswarm-{self._cluster}")
            try:
                if threads is not None:
                    threads.start()
                self._native = _native.Worker(self._cluster, settings, self._mailbox, credentials=self._credentials)
                self._subscribe_all(self._native)
            except BaseException:
                begun.put(False)
                if threads is not None:
                    threads.stop()
                if self._native is not None:
                    self._native.leave()
                    self._native = None
                raise
            self._thread = thread
            if threads is not None:
                self._threads, self._consume = threads, threads.submit
                self._gather_batches()
            self._accept()
            begun.put(True)

    def _gather_batches(self) -> None:
        """From now on, jobs of handlers of batches wait for others."""
        if self._threads is not None and self._consume == self._threads.submit and self._tasks.largest_batch() > 0:
            self._consume = self._gather

    def _gather(self, job: Job) -> None:
        if self._threads is None or self._handler is None:
            return
        handler, context = self._handler(job)
        if isinstance(handler, Batching):
            self._gatherer.add(job, handler, context)
        else:
            self._threads.submit(job)

    def _start_batch(self, group: Group) -> None:
        if self._threads is not None:
            self._threads.submit(group.jobs)

    def _most_threads(self) -> int:
        """The limit of threads for the handlers now."""
        return self._thread_limit or (self._native.slots() if self._native is not None else 0) or _DEFAULT_THREADS

    def _terminate(self, grace: float, patience: float) -> None:
        # Threads cannot be cancelled, so `patience` has no effect.
        call = self._leave(grace)
        if call is not None:
            try:
                call.wait()
            finally:
                # Also if Redis cannot be reached.
                self._left(1.0)

    def _iterate(self) -> Iterator[Job]:
        if self._loop is None:
            self._loop = queue.SimpleQueue()
            self._consume = self._loop.put
        self.start()
        self._accept()
        self._claim()
        return self._take_jobs(self._loop)

    def _take_jobs(self, jobs: queue.SimpleQueue[Job | None]) -> Iterator[Job]:
        while (job := jobs.get()) is not None:
            if jobs.qsize() == BACKLOG // 2:
                self._mailbox.announce()
            if self._begin(job):
                try:
                    yield job
                finally:
                    self._end(job)
        # For another thread's loop.
        jobs.put(None)

    def _run(self, begun: queue.SimpleQueue[bool]) -> None:
        """The thread of the listeners: emits events until the last."""
        if not begun.get():
            return
        try:
            self._emit_events()
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Closes the worker: without its thread its jobs would never run."""
        failure = SwarmInternal(f"the thread that takes jobs has failed: {message_of(error)}")
        failure.__cause__ = error
        log_raised("the worker is closed, its thread has failed", error=error)
        self._failure = failure
        self._closed = True
        if self._native is not None:
            self._native.leave()
        self._emit("close", failure)
        self._ended()

    def _emit_events(self) -> None:
        while not self._ending.is_set():
            patience = POLL if self._waiting_here() >= BACKLOG else None
            if patience is None and self._unclaimed:
                patience = self._warn_unclaimed()
            due = self._gatherer.seconds()
            self._mailbox.wait(patience if due is None else min(due, due if patience is None else patience))
            for _ in self._mailbox.take():
                self._report("drained")
            while (capacity := self._capacity()) > 0 and self._dispatch(capacity):
                pass
            self._gatherer.start_due()

    def _waiting_here(self) -> int:
        if self._threads is not None:
            return self._threads.backlog()
        return super()._waiting_here() if self._loop is None else self._loop.qsize()

    def _claim(self) -> None:
        self._mailbox.announce()

    def _handle_batch(self, jobs: list[Job]) -> None:
        """Runs the handler for a batch, on one of its threads."""
        begun = [job for job in jobs if self._begin(job)]
        if self._handler is None or not begun:
            return
        attempt = None
        try:
            handler, context = self._handler(begun[0])
            assert isinstance(handler, Batching)
            scope = context.copy()
            attempt = self._attempt(begun, scope, batch=True)
            results = scope.run(handler.function, list(begun))
            refuse_coroutine(results)
            if attempt is not None:
                attempt.returned(finished=not self._unfinished(begun))
            self._complete_batch(begun, results)
        except BaseException as error:
            if attempt is not None:
                attempt.error = error
            self._fail_batch(begun, error)
        finally:
            if attempt is not None:
                attempt.end()
            for job in begun:
                self._end(job)

    def _handle(self, job: Job | list[Job]) -> None:
        """Runs the handler for one job or a batch, on one of its threads."""
        if isinstance(job, list):
            self._handle_batch(job)
            return
        if self._threads is not None and self._threads.backlog() == BACKLOG // 2:
            self._mailbox.announce()
        if self._handler is None or not self._begin(job):
            return
        attempt = None
        try:
            handler, context = self._handler(job)
            assert not isinstance(handler, Batching)
            scope = context.copy()
            attempt = self._attempt([job], scope)
            result = scope.run(handler, job)
            refuse_coroutine(result)
            if attempt is not None:
                attempt.returned(finished=not self._unfinished([job]))
            job.complete(result)
        except BaseException as error:
            if attempt is not None:
                attempt.error = error
            fail(job, error)
        finally:
            if attempt is not None:
                attempt.end()
            self._end(job)

    def _release_waiting(self) -> None:
        for job in self._gatherer.withdraw():
            job.release()
        if self._threads is not None:
            for job in self._threads.withdraw():
                job.release()
        if self._loop is not None:
            with contextlib.suppress(queue.Empty):
                while (waiting := self._loop.get_nowait()) is not None:
                    waiting.release()
                self._loop.put(None)

    def _report(self, news: News) -> None:
        self._news.put(news)

    def _report_drained(self, call: _native.Call) -> None:
        call.notify(self._mailbox, 0)

    def _next_news(self, patience: float | None) -> News | None:
        deadline = None if patience is None else time.monotonic() + patience
        while True:
            # In slices: a signal that the system delivers to another thread does not end this one's wait.
            slice = 1.0 if deadline is None else min(1.0, max(0.0, deadline - time.monotonic()))
            try:
                return self._news.get(timeout=slice)
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    return None

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            self.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _refuse_in_listener(self, what: str) -> None:
        if threading.current_thread() is self._thread:
            raise SwarmInCallback(f"{what}() would wait for the listener it is called in; call it from another thread, or stop()")

    def _ended(self) -> None:
        self._ending.set()
        if self._threads is not None:
            self._threads.stop()
        if self._loop is not None:
            self._loop.put(None)
        self._report("closed")

    def _leave(self, grace: float = 0.0) -> _native.Call | None:
        with self._lock:
            if self._closed:
                raise SwarmClosed("the worker is closed")
            native = self._native
            call = None if native is None else native.terminate(grace)
            self._closed = True
        return call

    def _left(self, patience: float) -> None:
        if self._thread is not None:
            self._ending.wait(patience)
            self._ending.set()
            self._muted = True
            self._mailbox.announce()
            self._thread.join(patience)
        if self._native is not None:
            self._native.close()
