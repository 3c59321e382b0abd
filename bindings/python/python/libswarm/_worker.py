"""The common part of the workers of threads and of event loops: options, listeners, and batches of events."""

from __future__ import annotations

import collections
import contextvars
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from . import _native
from ._batches import Batching, Gatherer, Group, batching, results_of
from ._calling import check_handler, class_name, log_raised, log_warning, message_of, refuse_coroutine, text_of, traceback_of
from ._events import Listener, Registered
from ._native import Job
from ._options import Settings, credentials, settings
from ._subscriptions import SUBSCRIBED, Subscriptions
from ._tasks import Handler as TaskHandler
from ._tasks import Tasks
from ._tracing import Attempt, begin_attempt, mode
from .errors import SwarmClosed, SwarmError, SwarmInvalidArgument, SwarmJobFailed
from .jobs import PermanentFailure, RateLimited, RetryAfter
from .types import Health

Handler = TypeVar("Handler", bound=Callable[..., object])
BatchHandler = TypeVar("BatchHandler", bound=Callable[[list[Job]], object])

#: Events per crossing into the native module: enough to make its cost negligible, few enough that finished jobs are not
#: delayed.
BATCH = 256
#: The number of taken but unstarted jobs at which no more are taken. Then the core's window limits the assigned jobs.
BACKLOG = 1000
#: Seconds between two checks for a deleted job while the backlog is full: its event is queued behind untaken jobs.
POLL = 0.05
#: Events that are reported only if they have listeners.
OUTCOMES = ("completed", "failed", "retrying")
#: Seconds after which a warning is logged about jobs for which there is no handler, listener or loop.
UNCLAIMED = 10.0


def fail(job: Job, error: BaseException) -> None:
    """Finishes a job by the exception of its handler. Never raises: an unfinished job would stay active forever."""
    trace = traceback_of(error)
    try:
        if isinstance(error, PermanentFailure):
            job.fail_permanently(text_of(error) or class_name(error), trace)
        elif isinstance(error, RateLimited):
            job.rate_limited(error.after, error.limit)
        elif isinstance(error, RetryAfter):
            job.retry(text_of(error) or class_name(error), error.after, trace)
        else:
            job.fail(message_of(error), trace)
    except BaseException as refused:
        # A subclass of RetryAfter may have an invalid `after`. Or the worker belongs to another process.
        try:
            job.fail(message_of(error), trace)
        except SwarmError:
            log_raised("a job cannot be failed", error=refused)


class WorkerBase(Subscriptions):
    """The listeners and the state of a worker."""

    _EVENTS = ("add", "delete", *OUTCOMES, *Subscriptions._EVENTS)

    def __init__(self, cluster: str, options: dict[str, object]) -> None:
        super().__init__()
        self._cluster = cluster
        #: How a span of an attempt refers to the one that added the job.
        self._trace = mode(options.get("trace"))
        self._settings = settings({name: value for name, value in options.items() if name != "trace"})
        self._credentials = credentials(options)
        self._slots: Any = options.get("slots")
        self._tasks = Tasks()
        #: Whether it was paused before it started.
        self._starts_paused = False
        #: Finds the handler of a job; None if there is no handler.
        self._handler: Callable[[Job], TaskHandler] | None = None
        self._native: _native.Worker | None = None
        self._closed = False
        self._failure: BaseException | None = None
        #: Jobs that wait for others of their batch.
        self._gatherer = Gatherer(self._start_batch)
        #: Called with each job after the listeners: for a handler, or a loop over the worker.
        self._consume: Callable[[Job], object] | None = None
        #: Whether no more jobs are started; waiting ones are released.
        self._requeuing = False
        #: Jobs without a handler, listener or loop yet, and when the first of them arrived.
        self._unclaimed: list[Job] = []
        self._unclaimed_since = 0.0
        #: Events that were taken and not yet emitted.
        self._taken: collections.deque[Any] = collections.deque()
        #: Fences of the jobs in a handler or a loop.
        self._in_progress: set[int] = set()
        self._set_tasks(Tasks(options.get("tasks") or ()))

    def on(self, event: str, listener: Listener) -> Listener:
        """Calls `listener` at every `event`; see the decorators `on_add` and so on for its arguments."""
        listener = super().on(event, listener)
        if event == "add":
            self._accept()
            self._claim()
        if self._native is not None:
            self._subscribe(self._native, event)
            if event in OUTCOMES:
                self._native.report_outcomes(True)
        return listener

    def on_add(self, listener: Listener) -> Listener:
        """Decorator: `listener(job)` is called for every assigned job. The job is active until it is finished."""
        return self.on("add", listener)

    def on_delete(self, listener: Listener) -> Listener:
        """Decorator: `listener(job)` is called when an active job is deleted or reclaimed; `job.delete_reason` is the reason.

        When all listeners of the worker and of the job have returned, the job counts as stopped. A job in a handler or a loop
        counts as stopped when that has ended.
        """
        return self.on("delete", listener)

    def on_completed(self, listener: Listener) -> Listener:
        """Decorator: `listener(job, result)` is called when Redis has accepted that a job of this worker is completed."""
        return self.on("completed", listener)

    def on_failed(self, listener: Listener) -> Listener:
        """Decorator: `listener(job, error)` is called when Redis has accepted that a job of this worker has failed permanently.

        `error` is a SwarmJobFailed with the message and the `traceback` of the exception.
        """
        return self.on("failed", listener)

    def on_retrying(self, listener: Listener) -> Listener:
        """Decorator: `listener(job, error, delay)` is called when an attempt of this worker has failed and another will follow.

        `error` is as for `on_failed`; the next attempt may start `delay` seconds later, on any worker.
        """
        return self.on("retrying", listener)

    def task(self, name: str) -> Callable[[Handler], Handler]:
        """Decorator: the function is the handler of this task, which the worker accepts from then on. See `process`."""
        if not isinstance(name, str):
            raise SwarmInvalidArgument('a task has a name: @worker.task("name"); @worker.process is for jobs without a task')

        def register(handler: Handler) -> Handler:
            self._add_handlers({name: handler})
            return handler

        return register

    def set_tasks(self, tasks: Sequence[str]) -> None:
        """Replaces the option `tasks`. Tasks that have a handler are accepted in addition. Active jobs stay."""
        self._set_tasks(self._tasks.named_anew(tasks))

    def set_slots(self, slots: int) -> None:
        """Sets the limit of active jobs from now on, 1 to 4,294,967,295, as the option `slots` does at the start.

        With fewer slots than active jobs, these continue, and no more are assigned until fewer are active. The threads of a
        handler follow, unless `process` has set their number. Holds when the worker registers anew. Raises SwarmInvalidArgument
        if the option `priority_slots` guarantees more slots.
        """
        if self._native is not None:
            self._native.set_slots(slots)
            return
        changed = Settings([*(pair for pair in self._settings if pair[0] != "slots"), *settings({"slots": slots})])
        _native.check_options(self._cluster, [*changed, *self._tasks.settings()])
        self._settings, self._slots = changed, slots

    def pause(self) -> None:
        """Accepts no new jobs until `resume`; jobs that were not taken are requeued. Active jobs continue.

        Holds when the worker registers anew.
        """
        self._set_paused(True)

    def resume(self) -> None:
        """Ends a pause, also one by a master."""
        self._set_paused(False)

    @property
    def paused(self) -> bool:
        """Whether the worker is paused, by this program or by a master."""
        return self._starts_paused if self._native is None else self._native.is_paused()

    def _set_paused(self, paused: bool) -> None:
        self._starts_paused = paused
        if self._native is not None:
            self._native.set_paused(paused)
        elif self._closed:
            raise SwarmClosed("the worker is closed")

    def health(self) -> Health:
        """The state of this member as it is known locally."""
        return self._here.health()

    @property
    def incarnation(self) -> str:
        """The current incarnation, empty before the first registration."""
        return "" if self._native is None else self._native.incarnation()

    @property
    def jobs(self) -> dict[str, Job]:
        """The active jobs by their ids."""
        return {} if self._native is None else {job.id: job for job in self._native.active()}

    @property
    def _here(self) -> _native.Worker:
        """The native worker. Raises unless it is started."""
        if self._native is None:
            raise SwarmClosed(f"the worker is {'closed' if self._closed else 'not started'}")
        return self._native

    def _check_work(self) -> None:
        """Raises if the worker has neither a handler nor a listener for jobs."""
        if self._consume is None and self._handler is None and not self._listeners["add"]:
            raise SwarmInvalidArgument(
                "the worker has no handler, so it would only keep jobs from others: before run(), add a handler by "
                "@worker.process or @worker.task, or a listener by @worker.on_add"
            )

    def _add_handlers(self, handlers: Mapping[str, Callable[[Job], object] | Batching]) -> None:
        for handler in handlers.values():
            check_handler(handler.function if isinstance(handler, Batching) else handler, coroutine=self._COROUTINES)
        if self._native is not None and self._handler is None:
            raise SwarmInvalidArgument("a handler must be added before the worker starts; more may follow at any time")
        self._set_tasks(self._tasks.with_handlers(handlers))

    def _add_batch_handlers(self, handler: Any, size: int, wait: float, by: str) -> None:
        handlers = handler if isinstance(handler, Mapping) else {"": handler}
        self._add_handlers({task: batching(function, size, wait, by) for task, function in handlers.items()})

    def _start_batch(self, group: Group) -> None:
        """Runs the handler of a batch."""
        raise NotImplementedError

    def _unfinished(self, jobs: list[Job]) -> list[Job]:
        """Those of a batch that its handler has not finished itself."""
        active = {job.fence for job in self._native.active()} if self._native is not None else set()
        return [job for job in jobs if job.fence in active and job.delete_reason is None]

    def _attempt(self, jobs: list[Job], scope: contextvars.Context, *, batch: bool = False) -> Attempt | None:
        return begin_attempt(self._cluster, self._trace, jobs, scope, batch=batch)

    def _complete_batch(self, jobs: list[Job], results: Any) -> None:
        by_fence = {job.fence: result for job, result in zip(jobs, results_of(jobs, results), strict=True)}
        for job in self._unfinished(jobs):
            try:
                job.complete(by_fence[job.fence])
            except BaseException as error:
                fail(job, error)

    def _fail_batch(self, jobs: list[Job], error: BaseException) -> None:
        for job in self._unfinished(jobs):
            fail(job, error)

    def _set_tasks(self, tasks: Tasks) -> None:
        _native.check_options(self._cluster, [*self._settings, *tasks.settings()])
        if self._native is not None:
            tasks.check()
        self._tasks = tasks
        self._handler = tasks.handler()
        if self._native is not None:
            self._native.set_tasks([task for _, task in tasks.settings()])

    def _arm(self) -> None:
        if self._native is not None and self._exit is not None:
            self._native.exit_on_kill(self._exit.grace)

    def _subscribe_all(self, native: _native.Worker) -> None:
        """At the start: subscribes to the events that have listeners."""
        self._arm()
        if self._starts_paused:
            native.set_paused(True)
        for event in SUBSCRIBED:
            self._subscribe(native, event)
        if any(self._listeners[event] for event in OUTCOMES):
            native.report_outcomes(True)

    def _all_settings(self) -> list[tuple[str, str]]:
        """The options at the start."""
        self._tasks.check()
        # Jobs are accepted once there is a handler, listener or loop: until then they are assigned to other workers.
        return [*self._settings, *self._tasks.settings(), ("auto_accept", "false")]

    def _accept(self) -> None:
        """Accepts jobs, if there is a handler, listener or loop."""
        if self._native is not None and (self._consume is not None or self._listeners["add"]):
            self._native.accept()

    def _dispatch(self, capacity: int) -> bool:
        """Takes one batch of at most `capacity` events and emits it; false if there was none."""
        native = self._native
        events = native.take(min(capacity, BATCH)) if native is not None else []
        listeners = self._listeners["add"]
        consume = self._consume
        if not listeners and consume is None:
            consume = self._keep_unclaimed
        elif self._unclaimed:
            unclaimed, self._unclaimed = self._unclaimed, []
            events = [job for job in unclaimed if not job._deleted] + events
        if not events and not self._taken:
            return False
        # An exception here, such as Ctrl-C in a loop, leaves the other events for the next call.
        taken = self._taken
        taken.extend(events)
        while taken:
            event = taken.popleft()
            if type(event) is Job:
                for listener in listeners:
                    self._call_add(listener, event)
                if consume is not None:
                    consume(event)
            else:
                self._emit_event(*event)
        if self._requeuing:
            # Started within this batch: its first jobs are queued here.
            self._release_waiting()
        if self._native is not None:
            self._native.flush()
        return True

    def _keep_unclaimed(self, job: Job) -> None:
        if not self._unclaimed:
            self._unclaimed_since = time.monotonic()
        self._unclaimed.append(job)

    def _warn_unclaimed(self) -> float | None:
        """Logs once that assigned jobs have no handler. Returns the seconds until the next check."""
        if not self._unclaimed or not self._unclaimed_since:
            return None
        left = self._unclaimed_since + UNCLAIMED - time.monotonic()
        if left > 0:
            return left
        self._unclaimed_since = 0.0
        log_warning(
            "%d jobs were assigned to this worker of cluster %r, which has no handler, no listener of `add` and no loop for them",
            len(self._unclaimed),
            self._cluster,
        )
        return None

    def _call_add(self, listener: Registered, job: Job) -> None:
        function, context = listener
        try:
            refuse_coroutine(context.copy().run(function, job))
        except BaseException as error:
            # Otherwise the job would stay active forever.
            fail(job, error)

    def _emit_event(self, event: str, detail: Any, more: Any = None) -> None:
        if event == "delete":
            for listener in more:
                self._call(listener)
            self._emit("delete", detail)
            self._withdraw(detail)
        elif event == "completed":
            self._emit("completed", detail, more)
        elif event == "failed":
            self._emit("failed", detail, SwarmJobFailed(more[0], traceback=more[1]))
        elif event == "retrying":
            self._emit("retrying", detail, SwarmJobFailed(more[0], traceback=more[1]), more[2])
        elif event == "error":
            self._emit_error(detail)
        elif event in SUBSCRIBED:
            self._emit_subscribed(event, detail)
        elif event == "ready":
            self._emit("ready", detail)
        elif event == "close":
            if more:
                self._failure = detail
            self._emit("close", detail)
            if more:
                self._ended()

    def _capacity(self) -> int:
        """The number of events that may be taken now."""
        capacity = BACKLOG - self._waiting_here()
        if capacity <= 0 and (self._closed or any(job.cancelled and not job._deleted for job in self.jobs.values())):
            return BATCH
        return capacity

    def _waiting_here(self) -> int:
        """The number of jobs that were taken and not started."""
        claimed = self._consume is not None or self._listeners["add"]
        return 0 if claimed else len(self._unclaimed)

    def _requeue_waiting(self) -> None:
        """Releases the jobs that were taken but not started, and those that arrive before the core has stopped accepting."""
        if self._consume is not None or not self._listeners["add"]:
            self._consume = Job.release
            self._requeuing = True
            self._release_waiting()
            self._claim()

    def _release_waiting(self) -> None:
        """Releases the jobs that wait here for a handler or a loop."""
        raise NotImplementedError

    def _claim(self) -> None:
        """Emits the jobs that had no handler, listener or loop before."""
        raise NotImplementedError

    def _withdraw(self, job: Job) -> None:
        """Called after the listeners of `delete`: the job has stopped, unless it is in a handler or a loop."""
        if job.fence not in self._in_progress:
            self._gatherer.remove(job)
            job.stopped()

    def _begin(self, job: Job) -> bool:
        """Whether a handler or a loop may start this job: not if it was deleted while it waited."""
        self._in_progress.add(job.fence)
        # After the line above: a deletion that does not find the job in progress has set `_deleted` before.
        if not job._deleted:
            return True
        self._end(job)
        return False

    def _end(self, job: Job) -> None:
        """Called when a handler or a loop has ended for this job, finished or not."""
        self._in_progress.discard(job.fence)
        if job._deleted:
            job.stopped()

    def _ended(self) -> None:
        """Called when the last event was emitted."""
        raise NotImplementedError
