"""A worker of threads: listeners on a thread of the library's, handlers on a few, or a loop in the caller's."""

from __future__ import annotations

import contextlib
import functools
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, TracebackType
from typing import Any, Literal, Self, Unpack, overload

from . import _lifecycle, _native, logs
from ._calling import DAY, check_seconds, log_raised, message_of, refuse_coroutine, start_thread
from ._messages import Messenger
from ._native import Job
from ._options import WorkerOptions
from ._tasks import Handlers
from ._threads import HandlerThreads
from ._worker import BACKLOG, LOOK, Handler, WorkerBase, fail
from .errors import SwarmClosed, SwarmError, SwarmInCallback, SwarmInternal, SwarmInvalidArgument
from .types import Stats

#: Threads for a handler unless `slots` or `threads` say otherwise; as many handlers run at once in every language.
_DEFAULT_THREADS = 10
#: Seconds given to jobs when draining took too long.
_LAST_GRACE = 1.0
_MAX_THREADS = 10_000


class Worker(Messenger, WorkerBase):
    """Takes the jobs of one cluster.

    Three ways to work, of which a program uses one:

    * `on("add", f)`: `f(job)` on a thread of the library's for every job; the job is active until it is finished by
      `job.complete()` or the like, from any thread, at any time.
    * `process(handler)`: `handler(job)` on a pool of threads; what it returns completes the job, what it raises fails it.
      Or a handler for each task, by `task(name)`.
    * `for job in worker:`: one job after another in the caller's thread.

    It connects when it is started: by `run()`, `start()`, `with` or the loop. It is given jobs once it has a handler, a listener
    or a loop for them.
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
        self._news: queue.SimpleQueue[Literal["stop", "drained", "closed"]] = queue.SimpleQueue()
        _lifecycle.register(self)

    @overload
    def process(self, handler: Handler, *, threads: int | None = None) -> Handler: ...
    @overload
    def process(self, handler: Handlers, *, threads: int | None = None) -> None: ...
    @overload
    def process(self, *, threads: int | None = None) -> Callable[[Handler], Handler]: ...
    def process(self, handler: Any = None, *, threads: int | None = None) -> Any:
        """Has `handler(job)` called for every job, on up to `threads` threads (`slots`, or 10). A decorator.

        What it returns is the job's result. What it raises fails this attempt: `RetryAfter` says when to try again, and
        `PermanentFailure` that it is of no use. A handler that takes long should look at `job.cancelled`, or listen with
        `job.on("delete", f)`: a job deleted or timed out meanwhile keeps its slot until the handler ends.

        With `{"resize": f, "mail": g}`, as with the decorator `task`, each is the handler of one task, and the worker takes these
        tasks; jobs without a task only if there is a handler for them, given alone or as "". More may be given at any time.
        """
        if handler is None:
            return functools.partial(self._process, threads)
        if threads is not None and (
            isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= _MAX_THREADS
        ):
            raise SwarmInvalidArgument(f"threads is {threads!r}, it must be an int, 1 to {_MAX_THREADS}")
        return self._process(threads, handler)

    def _process(self, threads: int | None, handler: Any) -> Any:
        if isinstance(handler, Mapping):
            self._add_handlers(handler)
        else:
            self._add_handlers({"": handler})
        self._thread_limit = threads or self._thread_limit
        return None if isinstance(handler, Mapping) else handler

    def start(self) -> Self:
        """Connects in the background and starts to take jobs. Only the first call does anything."""
        with self._lock:
            if self._closed:
                raise SwarmClosed("the worker is closed")
            if self._native is not None:
                return self
            settings = self._all_settings()
            logs.begin()
            threads = None
            if self._handler is not None:
                limit = self._thread_limit or self._slots or _DEFAULT_THREADS
                if self._slots is None:
                    # Otherwise jobs would wait here while other workers are idle.
                    settings = [*settings, ("slots", str(limit))]
                threads = HandlerThreads(self._handle, limit, f"libswarm-{self._cluster}")
            begun: queue.SimpleQueue[bool] = queue.SimpleQueue()
            # The threads first: one that cannot be started must not leave a worker that takes jobs.
            thread = start_thread(lambda: begun.get() and self._watch(), f"libswarm-{self._cluster}")
            try:
                if threads is not None:
                    threads.start()
                self._native = _native.Worker(self._cluster, settings, self._mailbox)
                self._hear_all(self._native)
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
            self._accept()
            begun.put(True)
        return self

    def run(self, *, grace: float = 10.0) -> None:
        """Starts, and blocks until the worker is closed or `stop()` is called, which SIGINT and SIGTERM do in the main thread.

        Then it takes no new jobs, waits up to `grace` seconds for those it holds, gives back what is left, and returns. A
        second signal ends the wait. Raises at once what only the user can mend (such as a wrong password), and what
        closed the worker for good; SwarmInvalidArgument if it has neither a handler nor a listener of `add`.
        """
        grace = check_seconds("grace", grace, DAY)
        self._check_work()
        # The signals first: once it has started, a job may be given, and whoever sees that may send one.
        with self._signals():
            self.start()
            try:
                self._started().ready().wait()
            except SwarmError as error:
                if not error.retryable and not self._closed:
                    self.terminate(grace=0.0)
                    raise
            if self._next_news(None) != "closed":
                self._wind_down(grace)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Has `run` wind down and return. Never blocks; allowed anywhere, also in listeners and signal handlers."""
        self._news.put("stop")

    def ready(self) -> None:
        """Waits until the worker is registered, and others can send what it listens to; raises what is in its way."""
        self._started().ready().wait()

    def drain(self) -> None:
        """Takes no new jobs, gives back those not begun, and waits until those it holds are finished."""
        self._not_in_listener("drain")
        self._give_back()
        self._started().drain().wait()

    def terminate(self, *, grace: float = 5.0) -> None:
        """Has each active job told `delete`, waits up to `grace` seconds until they have stopped, gives them back and leaves."""
        self._not_in_listener("terminate")
        call = self._leave(check_seconds("grace", grace, DAY))
        if call is not None:
            try:
                call.wait()
            finally:
                # Also when Redis cannot be told.
                self._left(1.0)

    def delete_job(self, id: str) -> bool:
        """Deletes any job of the cluster. Whether it existed."""
        existed: bool = self._started().delete(id).wait()
        return existed

    def stats(self) -> Stats:
        """Counts of the cluster, from Redis."""
        stats: Stats = self._started().stats().wait()
        return stats

    deleteJob = delete_job

    def __iter__(self) -> Iterator[Job]:
        """One job after another, until the worker is closed. Asking for the next one does not finish the one before."""
        if self._handler is not None:
            raise SwarmInvalidArgument("the worker has a handler; there is no job left to loop over")
        if self._loop is None:
            self._loop = queue.SimpleQueue()
            self._consume = self._loop.put
        self.start()
        self._accept()
        self._claim()
        return self._iterate(self._loop)

    def _iterate(self, jobs: queue.SimpleQueue[Job | None]) -> Iterator[Job]:
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

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(SwarmClosed):
            self.terminate()

    def _watch(self) -> None:
        """The library's thread: tells events as they come, until the last."""
        try:
            self._tell_events()
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """The thread that tells events has ended: without it the worker would keep jobs that nobody hears of."""
        failure = SwarmInternal(f"the thread that takes jobs has failed: {message_of(error)}")
        failure.__cause__ = error
        log_raised("the worker is closed, its thread has failed", error=error)
        self._failure = failure
        self._closed = True
        if self._native is not None:
            self._native.leave()
        self._emit("close", failure)
        self._ended()

    def _tell_events(self) -> None:
        while not self._ending.is_set():
            patience = LOOK if self._waiting_here() >= BACKLOG else None
            if patience is None and self._unclaimed:
                patience = self._miss_claims()
            self._mailbox.wait(patience)
            for _ in self._mailbox.take():
                self._news.put("drained")
            while (room := self._room()) > 0 and self._dispatch(room):
                pass

    def _messages(self) -> _native.Worker:
        return self._started()

    def _waiting_here(self) -> int:
        if self._threads is not None:
            return self._threads.backlog()
        return super()._waiting_here() if self._loop is None else self._loop.qsize()

    def _claim(self) -> None:
        self._mailbox.announce()

    def _handle(self, job: Job) -> None:
        """One job by the handler, in one of its threads."""
        if self._threads is not None and self._threads.backlog() == BACKLOG // 2:
            self._mailbox.announce()
        if self._handler is None or not self._begin(job):
            return
        try:
            handler, context = self._handler(job)
            result = context.copy().run(handler, job)
            refuse_coroutine(result)
            job.complete(result)
        except BaseException as error:
            fail(job, error)
        finally:
            self._end(job)

    def _release_waiting(self) -> None:
        if self._threads is not None:
            for job in self._threads.withdraw():
                job.release()
        if self._loop is not None:
            with contextlib.suppress(queue.Empty):
                while (waiting := self._loop.get_nowait()) is not None:
                    waiting.release()
                self._loop.put(None)

    def _wind_down(self, grace: float) -> None:
        with contextlib.suppress(SwarmClosed):
            self._give_back()
            self._started().drain().notify(self._mailbox, 0)
            drained = self._next_news(grace)
            self.terminate(grace=0.0 if drained == "drained" else _LAST_GRACE)

    def _next_news(self, patience: float | None) -> Literal["stop", "drained", "closed"] | None:
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

    def _not_in_listener(self, what: str) -> None:
        if threading.current_thread() is self._thread:
            raise SwarmInCallback(f"{what}() would wait for the listener it is called in; call it from another thread, or stop()")

    def _ended(self) -> None:
        self._ending.set()
        if self._threads is not None:
            self._threads.stop()
        if self._loop is not None:
            self._loop.put(None)
        self._news.put("closed")

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
            self._deaf = True
            self._mailbox.announce()
            self._thread.join(patience)
        if self._native is not None:
            self._native.close()
