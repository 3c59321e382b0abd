# Generated from libswarm/aio/_api/master.py by generate_sync.py: do not edit.
"""The methods of a master."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from libswarm._calling import check_on_existed
from libswarm._events import Listener
from libswarm._master import MasterBase
from libswarm._native import Call, Limits, Schedules
from libswarm._native import Master as NativeMaster
from libswarm._options import as_list, keeps
from libswarm._tracing import adding, in_span, note_id
from libswarm.errors import SwarmError
from libswarm.jobs import JobOptions, JobsOptions
from libswarm.types import Added, JobInfo, JobOutcome, JobPage, JobState, MemberInfo, Queues, Stats

from .._chooser import ChooseCallback
from .._groups import Outcomes
from .._job_events import JobEvents
from .._waiting import Waiting
from .flows import FlowsApi
from .limits import LimitsApi
from .messages import MessagesApi
from .metrics import MetricsApi
from .schedules import SchedulesApi


class MasterApi(MasterBase, MessagesApi, LimitsApi, SchedulesApi, FlowsApi, MetricsApi):
    """Adds, deletes, awaits and inspects jobs."""

    def add_job(self, payload: object = None, **options: Unpack[JobOptions]) -> str:
        """Adds a job and returns its id, once Redis has stored it. See `JobOptions` for all options.

        `id` is the job's id, 1 to 256 bytes: while a job with this id exists, adding it again changes nothing. If another job has
        the key of `unique`, the id of that job is returned. With `result`
        the job's result is kept for `result`, for `result_ttl` seconds after the job has finished (1 s to 365 days; default 300).
        """
        if in_span():
            return (self._add_in_span(payload, options)).id
        added: tuple[str, bool, bool] = self._add(payload, options)
        return added[0]

    def add(self, payload: object = None, **options: Unpack[JobOptions]) -> Added:
        """As `add_job`, and returns also whether the job existed, and whether it was replaced."""
        if in_span():
            return self._add_in_span(payload, options)
        return Added(*self._add(payload, options))

    def add_jobs(self, jobs: Iterable[object], *, ids: Sequence[str] | None = None, **options: Unpack[JobsOptions]) -> list[str]:
        """Adds many jobs in one call and returns their ids in order. All are checked before any is sent.

        Each of `jobs` is a payload, or a `NewJob` with options that override those of the call.
        """
        with adding(self._cluster, options, as_list("jobs", jobs)) as each:
            added: list[str] = self._await(self._here.add_many(each, ids, options, True))
        return added

    def add_many(
        self, jobs: Iterable[object], *, ids: Sequence[str] | None = None, **options: Unpack[JobsOptions]
    ) -> list[Added]:
        """As `add_jobs`, and returns for each job also whether it existed, and whether it was replaced."""
        with adding(self._cluster, options, as_list("jobs", jobs)) as each:
            added: list[tuple[str, bool, bool]] = self._await(self._here.add_many(each, ids, options))
        return [Added(*one) for one in added]

    def delete_job(self, id: str) -> bool:
        """Deletes a job in any state; a worker that runs it is asked to stop. Returns whether the job existed."""
        existed: bool = self._await(self._here.delete(id))
        return existed

    def delete_jobs(self, ids: Sequence[str]) -> list[bool]:
        """Deletes many jobs. Returns whether each existed, in order."""
        existed: list[bool] = self._await(self._here.delete_many(ids))
        return existed

    def result(self, id: str, *, timeout: float | None = None) -> Any:
        """Waits for the result of a job that any member added with `result`, at any time within its `result_ttl`.

        Raises SwarmJobFailed if the job failed, SwarmJobDeleted, SwarmNotFound, or SwarmTimeout after `timeout` seconds.
        """
        return self._await(self._here.result(id, timeout))

    def run(
        self,
        payload: object = None,
        *,
        timeout: float | None = None,
        on_existed: Callable[[str], object] | None = None,
        **options: Unpack[JobOptions],
    ) -> Any:
        """Adds a job and waits for its result, at most `timeout` seconds. After a timeout or an interrupt the job continues.

        If a job with this `id`, or with the key of `unique`, exists, the result is that job's, and `on_existed(id)` is called
        as soon as this is known, in the calling thread or in the loop. An exception from it ends the wait and is raised.
        """
        check_on_existed(on_existed)
        with adding(self._cluster, options, []):
            calls = self._here.run(payload, timeout, options)
        return self._outcome(*calls, on_existed)

    def run_many(
        self,
        jobs: Iterable[object],
        *,
        ids: Sequence[str] | None = None,
        timeout: float | None = None,
        keep: bool = False,
        on_existed: Callable[[str], object] | None = None,
        **options: Unpack[JobsOptions],
    ) -> list[Any]:
        """Adds many jobs as `add_jobs` and waits for all. Returns in order each result, or the SwarmError that `run` would raise.

        The jobs are deleted when this master leaves or is lost, unless `keep` is set. `on_existed(id)` is called for each that
        existed, as by `run`.
        """
        options.setdefault("ephemeral", not keeps(keep))
        check_on_existed(on_existed)
        with adding(self._cluster, options, as_list("jobs", jobs)) as each:
            calls = self._here.run_many(each, ids, timeout, options)
        outcomes: list[Any] = self._outcome(*calls, on_existed)
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
    ) -> Iterator[JobOutcome]:
        """As `run_many`, but iterates (`for`, or `async for`) over `(position, outcome)` in the order in which the jobs finish.

        The jobs are added at once. The iterator raises the error if they cannot be, and SwarmClosed when this master is closed.
        `on_existed(id)` is called for each job that existed, before the first outcome.
        """
        options.setdefault("ephemeral", not keeps(keep))
        check_on_existed(on_existed)
        with adding(self._cluster, options, as_list("jobs", jobs)) as each:
            group = self._here.run_each(each, ids, timeout, options)
        return Outcomes(group, self._await, on_existed)

    def job(self, id: str) -> JobInfo | None:
        """A job as it is now. None if there is none: it was never added, or it is completed and not kept, deleted or expired."""
        job: JobInfo | None = self._await(self._here.job(id))
        return job

    def jobs(self, state: JobState, *, after: str | None = None, limit: int = 100) -> JobPage:
        """Up to `limit` (at most 1,000) jobs in a state. `after` is the `next` of the page before.

        Waiting jobs are in the order in which they will be assigned, delayed ones in the order in which they become due, failed
        and completed ones newest first; active ones, which include those being deleted, in no order.
        """
        page: JobPage = self._await(self._here.jobs(state, after, limit))
        return page

    def events(self, *, after: str | None = None) -> JobEvents:
        """Iterates (`for`, or `async for`) over the transitions of all jobs of the cluster, each a `JobEvent`.

        Without `after` it begins with what happens from now on: threads, when this call returns; asyncio, when `ready()` of the
        iterator does. With "0" it begins with all that is kept, else behind the event with this `position`. Redis keeps the last
        10,000 (option `events_max`); an event `missed` stands for those that are not kept any more or were not recorded.

        The iterator reconnects by itself, and reads ahead no more than some 1,000 events. It ends when the master is closed, and
        `close()` ends it; it raises an error that cannot be repaired. Raises SwarmInvalidArgument if `after` is no position.

        Transitions are recorded while a master follows them and for 30 s after that, or always with the option `events`.
        """
        return JobEvents(self._here.events(after), self._await)

    def queues(self) -> Queues:
        """How many jobs wait by priority and task, which tasks are paused, and which master chooses workers."""
        queues: Queues = self._await(self._here.queues())
        return queues

    def members(self) -> list[MemberInfo]:
        """Returns all live members."""
        members: list[MemberInfo] = self._await(self._here.members())
        return members

    def pause(self, task: str | None = None) -> None:
        """Stops the assignment of jobs until `resume`: of a task ("": jobs without one), or of all. Active jobs continue."""
        self._await(self._here.pause(task))

    def resume(self, task: str | None = None) -> None:
        """Ends a pause."""
        self._await(self._here.resume(task))

    def set_worker_slots(self, incarnation: str, slots: int) -> bool:
        """Sets the slots of a worker, 1 to 4,294,967,295, by its `incarnation`. Returns whether there is such a worker.

        The order is stored in Redis; the worker follows it when it reads its inbox, and keeps it when it registers anew. Raises
        SwarmInvalidArgument if the option `priority_slots` of the worker guarantees more slots.
        """
        known: bool = self._await(self._here.set_worker_slots(incarnation, slots))
        return known

    def pause_worker(self, incarnation: str) -> bool:
        """Pauses a worker: it is assigned no new jobs, and its active jobs continue. Returns whether there is such a worker."""
        known: bool = self._await(self._here.pause_worker(incarnation, True))
        return known

    def resume_worker(self, incarnation: str) -> bool:
        """Ends the pause of a worker, also one of its own. Returns whether there is such a worker."""
        known: bool = self._await(self._here.pause_worker(incarnation, False))
        return known

    def choose(self, callback: ChooseCallback, *, within: float = 1.0, tasks: Sequence[str] = ()) -> None:
        """Calls `callback(job, workers)` to choose the worker of each waiting job, until `stop_choosing` or `close`.

        It is called for one job after another, in the order in which they would be assigned, with the workers that can take the
        job now, the least loaded first; without any it is not called. It returns one of them, its incarnation, or None: then
        the job waits until jobs or workers change. The same happens when the callback raises or returns anything else, which
        is logged as an error of the logger `libswarm`. Threads: the callback runs on a thread of the library. Asyncio: it runs in
        the loop, may be a coroutine function, and is cancelled by `stop_choosing` and `close`.

        Jobs that wait longer than `within` seconds (10 ms to 1 h) for a choice are assigned to the least loaded workers, as
        without a chooser. `tasks` are the tasks of the jobs to choose for, "" for jobs without one; default all. Another call
        replaces callback and limits. If several masters choose, only the newest is used: `queues().chooser`.

        Raises the error that prevents choosing. An error that ends it later, such as a lost permission, is an `error` event.
        """
        self._choose(callback, within, tasks)

    def stop_choosing(self) -> None:
        """Assigns jobs to the least loaded workers again. Waits at most 1 s for a running callback (asyncio: cancels it)."""
        self._stop_choosing()

    def retry_failed(self, ids: Sequence[str] | None = None) -> int:
        """Requeues failed jobs with all their retries: those with the ids, or all. Returns their number."""
        count: int = self._await(self._here.retry_failed(ids))
        return count

    def delete_failed(self, ids: Sequence[str] | None = None) -> int:
        """Deletes the records of failed jobs: those with the ids, or all. Returns their number."""
        count: int = self._await(self._here.delete_failed(ids))
        return count

    def delete_completed(self, ids: Sequence[str] | None = None) -> int:
        """Deletes the records of completed jobs that are kept: those with the ids, or all. Returns their number."""
        count: int = self._await(self._here.delete_completed(ids))
        return count

    def ready(self) -> None:
        """Waits until the master and its subscriptions are registered. Raises the error that prevents it."""
        self._await(self._here.ready())

    def stats(self) -> Stats:
        """Returns counts of the cluster, from Redis."""
        stats: Stats = self._await(self._here.stats())
        return stats

    def obliterate(self) -> None:
        """Deletes every key of the cluster, even while members use it. For tests, and for clusters that are no longer needed."""
        self._await(self._here.obliterate())

    def close(self) -> None:
        """Sends pending adds and leaves the cluster. Later calls raise SwarmClosed; closing again does nothing."""
        call = self._begin_close()
        if call is not None:
            try:
                self._await(call)
            finally:
                self._end_close()

    addJob = add_job
    deleteJob = delete_job

    def on(self, event: str, listener: Listener) -> Listener:
        """Calls `listener` at every `event`; see `on_ready` and the others for its arguments.

        Threads: on a thread that the first listener starts. Asyncio: in the loop, where it may be a coroutine function.
        """
        listener = super().on(event, listener)
        try:
            self._take_events()
        except SwarmError:
            self.off(event, listener)
            raise
        self._subscribe(self._native, event)
        return listener

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _add_in_span(self, payload: object, options: JobOptions) -> Added:
        with adding(self._cluster, options, []):
            added = Added(*self._add(payload, options))
            note_id(added.id)
        return added

    def _outcome(self, added: Call, ended: Call, on_existed: Callable[[str], object] | None) -> Any:
        """Waits for the outcome of jobs. Calls `on_existed` before, for those that existed."""
        try:
            if on_existed is not None:
                for id, existed, _ in self._await(added):
                    if existed:
                        on_existed(id)
            return self._await(ended)
        except BaseException:
            ended.abort()
            raise

    @property
    def _here(self) -> NativeMaster:
        raise NotImplementedError

    @property
    def _limits(self) -> Limits:
        return self._here.limits()

    @property
    def _schedules(self) -> Schedules:
        return self._here.schedules()

    def _enter(self) -> None:
        """Called at the begin of `with`."""

    def _add(self, payload: object, options: JobOptions) -> Waiting:
        """Adds one job. Waits for its id and whether it existed."""
        raise NotImplementedError

    def _choose(self, callback: ChooseCallback, within: float, tasks: Sequence[str]) -> None:
        raise NotImplementedError

    def _stop_choosing(self) -> None:
        raise NotImplementedError

    def _begin_close(self) -> Call | None:
        """Starts to leave. None if this was done before."""
        raise NotImplementedError

    def _end_close(self) -> None:
        """Stops taking events."""
        raise NotImplementedError
