"""What the worker of threads and the worker of an event loop have in common: options, listeners, the walk over a batch."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from . import _native
from ._calling import check_handler, class_name, log_raised, log_warning, message_of, refuse_coroutine, text_of, traceback_of
from ._events import Listener, Registered
from ._messages import HEARD, Hearing
from ._native import Job
from ._options import settings
from ._tasks import Handler as TaskHandler
from ._tasks import Handlers, Tasks
from .errors import SwarmClosed, SwarmError, SwarmInvalidArgument, SwarmJobFailed
from .jobs import PermanentFailure, RetryAfter
from .types import Health

Handler = TypeVar("Handler", bound=Callable[..., object])

#: Events taken in one crossing: enough that its cost does not matter, few enough that finished jobs do not wait.
BATCH = 256
#: Jobs taken but not begun, at which no more are taken. Beyond it the core's window bounds what is given.
BACKLOG = 1000
#: Seconds between two looks for a job taken away while the backlog is full: the news of it stands behind jobs not taken.
LOOK = 0.05
#: Events of which a worker is told only once there are listeners.
OUTCOMES = ("completed", "failed", "retrying")
#: Seconds after which jobs that were given are missed by a handler, a listener or a loop.
UNCLAIMED = 10.0


def fail(job: Job, error: BaseException) -> None:
    """Ends a job as what its handler raised says. Never raises: a job that is not ended would be active for ever."""
    trace = traceback_of(error)
    try:
        if isinstance(error, PermanentFailure):
            job.fail_permanently(text_of(error) or class_name(error), trace)
        elif isinstance(error, RetryAfter):
            job.retry(text_of(error) or class_name(error), error.seconds, trace)
        else:
            job.fail(message_of(error), trace)
    except BaseException as refused:
        # A subclass of RetryAfter may answer anything for its `seconds`. Or the worker is another process'.
        try:
            job.fail(message_of(error), trace)
        except SwarmError:
            log_raised("a job cannot be failed", error=refused)


class WorkerBase(Hearing):
    """The listeners and the state of a worker, whatever waits for its events."""

    _EVENTS = ("add", "delete", *OUTCOMES, *Hearing._EVENTS)

    def __init__(self, cluster: str, options: dict[str, object]) -> None:
        super().__init__()
        self._cluster = cluster
        self._settings = settings(options)
        self._slots: Any = options.get("slots")
        self._tasks = Tasks()
        #: Finds the handler of a job; None if there is no handler.
        self._handler: Callable[[Job], TaskHandler] | None = None
        self._native: _native.Worker | None = None
        self._closed = False
        self._failure: BaseException | None = None
        #: Takes each job after the listeners: a handler's, or a loop's over the worker.
        self._consume: Callable[[Job], object] | None = None
        #: No job is begun any more; those that wait here go back.
        self._giving_back = False
        #: Jobs that came before anybody listened or looped, and when the first of them did.
        self._unclaimed: list[Job] = []
        self._unclaimed_since = 0.0
        #: Events taken and not yet told.
        self._taken: collections.deque[Any] = collections.deque()
        #: Fences of the jobs that a handler or a loop is at.
        self._at_hand: set[int] = set()
        self._set_tasks(Tasks(options.get("tasks") or ()))

    def on(self, event: str, listener: Listener) -> Listener:
        """Has `listener` called at every `event`; see the decorators `on_add` and so on for its arguments."""
        listener = super().on(event, listener)
        if event == "add":
            self._accept()
            self._claim()
        if self._native is not None:
            self._hear(self._native, event)
            if event in OUTCOMES:
                self._native.report_outcomes(True)
        return listener

    def on_add(self, listener: Listener) -> Listener:
        """Decorator: `listener(job)` is called for every job given. The job is active until it is finished in some way."""
        return self.on("add", listener)

    def on_delete(self, listener: Listener) -> Listener:
        """Decorator: `listener(job)` is called when an active job is deleted or taken back; `job.delete_reason` says why.

        When all listeners of the worker and of the job have returned, the job counts as stopped (but one that a handler or
        a loop is at, when that ends).
        """
        return self.on("delete", listener)

    def on_completed(self, listener: Listener) -> Listener:
        """Decorator: `listener(job, result)` is called when Redis has accepted that a job of this worker is completed."""
        return self.on("completed", listener)

    def on_failed(self, listener: Listener) -> Listener:
        """Decorator: `listener(job, error)` is called when Redis has accepted that a job of this worker has failed permanently.

        `error` is a SwarmJobFailed with the message and the `traceback` of what the handler raised.
        """
        return self.on("failed", listener)

    def on_retrying(self, listener: Listener) -> Listener:
        """Decorator: `listener(job, error, delay)` is called when an attempt of this worker has failed and another will follow.

        `error` is as for `on_failed`; the next attempt may start `delay` seconds later, on any worker.
        """
        return self.on("retrying", listener)

    def task(self, name: str) -> Callable[[Handler], Handler]:
        """Decorator: the function is the handler of the jobs of this task, which the worker takes from then on. See `process`."""
        if not isinstance(name, str):
            raise SwarmInvalidArgument('a task has a name: @worker.task("name"); @worker.process is for jobs without a task')

        def register(handler: Handler) -> Handler:
            self._add_handlers({name: handler})
            return handler

        return register

    def set_tasks(self, tasks: Sequence[str]) -> None:
        """Which tasks are taken from now on, as the option `tasks` says, besides those that have a handler. Active jobs stay."""
        self._set_tasks(self._tasks.named_anew(tasks))

    def health(self) -> Health:
        """This member's own view; never asks Redis."""
        return self._started().health()

    @property
    def incarnation(self) -> str:
        """The identity in Redis, empty before the first registration."""
        return "" if self._native is None else self._native.incarnation()

    @property
    def jobs(self) -> dict[str, Job]:
        """The active jobs now, by their ids."""
        return {} if self._native is None else {job.id: job for job in self._native.active()}

    def _started(self) -> _native.Worker:
        if self._native is None:
            raise SwarmClosed(f"the worker is {'closed' if self._closed else 'not started'}")
        return self._native

    def _check_work(self) -> None:
        """Before `run`: a worker that does nothing with its jobs would only keep them from others."""
        if self._consume is None and self._handler is None and not self._listeners["add"]:
            raise SwarmInvalidArgument(
                "the worker has no handler, so it would only keep jobs from others: before run(), give it a handler by "
                "@worker.process or @worker.task, or a listener by @worker.on_add"
            )

    def _add_handlers(self, handlers: Handlers) -> None:
        for handler in handlers.values():
            check_handler(handler, coroutine=self._COROUTINES)
        if self._native is not None and self._handler is None:
            raise SwarmInvalidArgument("a handler must be given before the worker starts; more may follow at any time")
        self._set_tasks(self._tasks.with_handlers(handlers))

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

    def _hear_all(self, native: _native.Worker) -> None:
        """What was listened to before the start."""
        self._arm()
        for event in HEARD:
            self._hear(native, event)
        if any(self._listeners[event] for event in OUTCOMES):
            native.report_outcomes(True)

    def _all_settings(self) -> list[tuple[str, str]]:
        """What a worker that starts is told."""
        self._tasks.check()
        # Given only once there is something that takes them up: until then other workers may have them.
        return [*self._settings, *self._tasks.settings(), ("auto_accept", "false")]

    def _accept(self) -> None:
        """Asks for jobs, if there is something that takes them up."""
        if self._native is not None and (self._consume is not None or self._listeners["add"]):
            self._native.accept()

    def _dispatch(self, room: int) -> bool:
        """Takes one batch of at most `room` events and tells it; false if there was none."""
        native = self._native
        events = native.take(min(room, BATCH)) if native is not None else []
        listeners = self._listeners["add"]
        consume = self._consume
        if not listeners and consume is None:
            consume = self._keep
        elif self._unclaimed:
            unclaimed, self._unclaimed = self._unclaimed, []
            events = [job for job in unclaimed if job.delete_reason is None] + events
        if not events and not self._taken:
            return False
        # What raises through here, such as Ctrl-C in a loop, leaves the others for the next time.
        taken = self._taken
        taken.extend(events)
        while taken:
            event = taken.popleft()
            if type(event) is Job:
                for listener in listeners:
                    self._give(listener, event)
                if consume is not None:
                    consume(event)
            else:
                self._tell(*event)
        if self._giving_back:
            # Asked for amid this batch: its first jobs went the old way.
            self._release_waiting()
        if self._native is not None:
            self._native.flush()
        return True

    def _keep(self, job: Job) -> None:
        if not self._unclaimed:
            self._unclaimed_since = time.monotonic()
        self._unclaimed.append(job)

    def _miss_claims(self) -> float | None:
        """Logs once that nobody takes up jobs that were given. Seconds until there may be something to log."""
        if not self._unclaimed or not self._unclaimed_since:
            return None
        left = self._unclaimed_since + UNCLAIMED - time.monotonic()
        if left > 0:
            return left
        self._unclaimed_since = 0.0
        log_warning(
            "%d jobs were given to this worker of cluster %r, which has no handler, no listener of `add` and no loop for them",
            len(self._unclaimed),
            self._cluster,
        )
        return None

    def _give(self, listener: Registered, job: Job) -> None:
        function, context = listener
        try:
            refuse_coroutine(context.copy().run(function, job))
        except BaseException as error:
            # Active by a program that knows nothing of it, the job would never end.
            fail(job, error)

    def _tell(self, event: str, detail: Any, more: Any = None) -> None:
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
        elif event in HEARD:
            self._tell_heard(event, detail)
        elif event == "ready":
            self._emit("ready", detail)
        elif event == "close":
            if more:
                self._failure = detail
            self._emit("close", detail)
            if more:
                self._ended()

    def _room(self) -> int:
        """How many events may be taken now."""
        room = BACKLOG - self._waiting_here()
        if room <= 0 and (self._closed or any(job.cancelled and job.delete_reason is None for job in self.jobs.values())):
            return BATCH
        return room

    def _waiting_here(self) -> int:
        """How many jobs were taken that nobody has begun."""
        claimed = self._consume is not None or self._listeners["add"]
        return 0 if claimed else len(self._unclaimed)

    def _give_back(self) -> None:
        """Releases the jobs that were taken but not begun, and those that come until the core knows."""
        if self._consume is not None or not self._listeners["add"]:
            self._consume = Job.release
            self._giving_back = True
            self._release_waiting()
            self._claim()

    def _release_waiting(self) -> None:
        """Releases the jobs that wait here for a handler or a loop."""
        raise NotImplementedError

    def _claim(self) -> None:
        """Has the jobs told that came before anybody listened or looped."""
        raise NotImplementedError

    def _withdraw(self, job: Job) -> None:
        """After the listeners of `delete`: the job has stopped, unless it is at hand."""
        if job.fence not in self._at_hand:
            job.stopped()

    def _begin(self, job: Job) -> bool:
        """Whether a handler or a loop may begin this job: not if it was taken away while it waited."""
        self._at_hand.add(job.fence)
        # After the line above: a deletion that misses the job at hand has set the reason before.
        if job.delete_reason is None:
            return True
        self._end(job)
        return False

    def _end(self, job: Job) -> None:
        """A handler or a loop is done with this job, finished or not."""
        self._at_hand.discard(job.fence)
        if job.delete_reason is not None:
            job.stopped()

    def _ended(self) -> None:
        """The last event was told."""
        raise NotImplementedError
