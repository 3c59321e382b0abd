"""A master of threads: adds and deletes jobs, awaits results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from . import _lifecycle, _native, logs
from ._calling import check_listener, check_on_existed, log_raised, message_of, start_thread
from ._choice import Choice, ChooserThread, Choosing
from ._events import Listener
from ._groups import Outcomes
from ._messages import HEARD, Messenger
from ._options import ConnectionOptions, as_list, keeps, settings
from .errors import SwarmClosed, SwarmError, SwarmInternal
from .jobs import JobOptions, JobsOptions
from .types import Added, Candidate, Ended, Health, JobInfo, JobPage, JobState, MemberInfo, Queues, Stats

#: Events taken in one crossing; a master has few.
_BATCH = 64


class Master(Messenger, Choosing[ChooserThread]):
    """Adds and deletes jobs of one cluster, and awaits their results.

    Connects in the background, from the start; a call waits for the connection, at most the option `timeout`, and raises
    what is in its way. All methods are thread-safe. A context manager; `close` it otherwise.

    Payloads and results are whatever `json` can write, or bytes (`bytes`, `bytearray`, `memoryview`), which stay bytes.
    """

    def __init__(self, cluster: str, **options: Unpack[ConnectionOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `ConnectionOptions` for the rest."""
        super().__init__()
        self._native = _native.Master(cluster, settings(options))
        logs.begin()
        self._mailbox: _native.Mailbox | None = None
        self._thread: threading.Thread | None = None
        self._thread_lock = threading.Lock()
        _lifecycle.register(self)

    def add_job(self, payload: object = None, **options: Unpack[JobOptions]) -> str:
        """Adds a job and returns its id, once Redis has stored it. See `JobOptions` for all it can be told.

        `id` is the caller's own, 1 to 256 bytes: while a job with it exists, adding it again changes nothing. With `result`
        the job's result is kept, `result_ttl` seconds from its end (1 s to 365 days, 300 unless given), for `result` to ask for.
        """
        added: list[tuple[str, bool]] = self._native.add(payload, options).wait()
        return added[0][0]

    def add(self, payload: object = None, **options: Unpack[JobOptions]) -> Added:
        """As `add_job`, and tells whether the job existed."""
        added: list[tuple[str, bool]] = self._native.add(payload, options).wait()
        return Added(*added[0])

    def add_jobs(self, jobs: Iterable[object], *, ids: Sequence[str] | None = None, **options: Unpack[JobsOptions]) -> list[str]:
        """Adds many jobs in one go, all checked before any is sent, and returns their ids in order.

        Each of `jobs` is a payload, or a `NewJob` with options that go before those given here for all.
        """
        added: list[str] = self._native.add_many(as_list("jobs", jobs), ids, options, True).wait()
        return added

    def add_many(
        self, jobs: Iterable[object], *, ids: Sequence[str] | None = None, **options: Unpack[JobsOptions]
    ) -> list[Added]:
        """As `add_jobs`, and tells of each whether it existed."""
        added: list[tuple[str, bool]] = self._native.add_many(as_list("jobs", jobs), ids, options).wait()
        return [Added(*pair) for pair in added]

    def delete_job(self, id: str) -> bool:
        """Deletes a job whatever its state; its worker is told to stop it. Whether it existed."""
        existed: bool = self._native.delete(id).wait()
        return existed

    def delete_jobs(self, ids: Sequence[str]) -> list[bool]:
        """Deletes many jobs; whether each existed, in order."""
        existed: list[bool] = self._native.delete_many(ids).wait()
        return existed

    def result(self, id: str, *, timeout: float | None = None) -> Any:
        """Awaits the result of a job added with `result`, by anyone, at any time within its `result_ttl`.

        Raises SwarmJobFailed if the job failed, SwarmJobDeleted, SwarmNotFound, or SwarmTimeout after `timeout` seconds.
        """
        return self._native.result(id, timeout).wait()

    def run(
        self,
        payload: object = None,
        *,
        timeout: float | None = None,
        on_existed: Callable[[str], object] | None = None,
        **options: Unpack[JobOptions],
    ) -> Any:
        """Adds a job and awaits its result, at most `timeout` seconds. After a timeout or an interrupt the job goes on.

        If a job of this `id` exists, the result is that one's, and `on_existed(id)` is called as soon as that is known, in this
        thread. What it raises ends the wait and is raised.
        """
        check_on_existed(on_existed)
        return _ended(*self._native.run(payload, timeout, options), on_existed)

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
        """Adds many jobs as `add_jobs` and awaits all: in order, each one's result or the SwarmError that `run` would raise.

        The jobs are deleted when this master leaves or is lost, unless `keep` is set. `on_existed(id)` is called for each that
        existed, as by `run`.
        """
        options.setdefault("ephemeral", not keeps(keep))
        check_on_existed(on_existed)
        outcomes: list[Any] = _ended(*self._native.run_many(as_list("jobs", jobs), ids, timeout, options), on_existed)
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
    ) -> Iterator[Ended]:
        """As `run_many`, but tells each outcome when its job has ended: `for position, outcome in master.run_each(jobs)`.

        The jobs are added at once; the iterator raises what stands in the way, and SwarmClosed when this master is closed.
        `on_existed(id)` is called for each job that existed, before the first outcome is told.
        """
        options.setdefault("ephemeral", not keeps(keep))
        check_on_existed(on_existed)
        return Outcomes(self._native.run_each(as_list("jobs", jobs), ids, timeout, options), on_existed)

    def job(self, id: str) -> JobInfo | None:
        """A job as it is now. None if there is none: it never was, or is completed, deleted or forgotten."""
        job: JobInfo | None = self._native.job(id).wait()
        return job

    def jobs(self, state: JobState, *, after: str | None = None, limit: int = 100) -> JobPage:
        """Up to `limit` (at most 1,000) jobs in a state, from where the page before ended: its `next`.

        Waiting ones come in the order in which they will be given, delayed ones as they become due, failed ones newest first;
        active ones in no order, those being deleted among them.
        """
        page: JobPage = self._native.jobs(state, after, limit).wait()
        return page

    def queues(self) -> Queues:
        """How many jobs wait by priority and task, what is paused, and who chooses."""
        queues: Queues = self._native.queues().wait()
        return queues

    def members(self) -> list[MemberInfo]:
        """All members alive."""
        members: list[MemberInfo] = self._native.members().wait()
        return members

    def pause(self, task: str | None = None) -> None:
        """Has no more jobs given to workers until `resume`: those of a task ("": jobs without one), or all. Active jobs go on."""
        self._native.pause(task).wait()

    def resume(self, task: str | None = None) -> None:
        """Ends a pause."""
        self._native.resume(task).wait()

    def choose(
        self, callback: Callable[[JobInfo, list[Candidate]], Choice], *, within: float = 1.0, tasks: Sequence[str] = ()
    ) -> None:
        """Has `callback(job, workers)` choose the worker of each waiting job, until `stop_choosing` or `close`.

        It is asked on a thread of the library's, for one job after another in the order in which they would be given, with the
        workers that can take it now, the least loaded first; without any it is not asked. It answers one of them, its
        incarnation, or None: then the job is left until there is something new to choose. So it is when the callback raises
        or answers anything else, which is logged as an error of the logger `libswarm`.

        Jobs that wait longer than `within` seconds (10 ms to 1 h) for a choice go to the workers with the fewest jobs, as
        without a chooser. It chooses for the jobs of these `tasks`, "" for those without one; if there are none, for all. Again,
        it replaces callback and limits. Of several masters that choose, the newest counts: `queues().chooser`.

        Raises at once what is in its way; what ends the choosing later, such as a lost permission, is an `error` event.
        """
        check_listener(callback, coroutines=False)
        chooser = ChooserThread(self._native, callback, self._choosing_failed)
        try:
            self._native.start_choosing(within, tasks).wait()
            if (before := self._replace_chooser(chooser)) is not None:
                before.join(1.0)
            chooser.start()
        except BaseException:
            self._no_chooser(chooser)
            raise

    def stop_choosing(self) -> None:
        """Has jobs given to the workers with the fewest again. A callback under way is waited for, at most a second."""
        before = self._replace_chooser(None)
        self._native.stop_choosing().wait()
        if before is not None:
            before.join(1.0)

    def retry_failed(self, ids: Sequence[str] | None = None) -> int:
        """Runs failed jobs again, those with the ids or all, with all their retries; how many there were."""
        count: int = self._native.retry_failed(ids).wait()
        return count

    def delete_failed(self, ids: Sequence[str] | None = None) -> int:
        """Forgets failed jobs, those with the ids or all; how many there were."""
        count: int = self._native.delete_failed(ids).wait()
        return count

    def ready(self) -> None:
        """Waits until the master is registered, and others can send what it listens to; raises what is in its way."""
        self._native.ready().wait()

    def stats(self) -> Stats:
        """Counts of the cluster, from Redis."""
        stats: Stats = self._native.stats().wait()
        return stats

    def health(self) -> Health:
        """This member's own view; never asks Redis."""
        return self._native.health()

    @property
    def incarnation(self) -> str:
        """The identity in Redis, empty before the first registration."""
        return self._native.incarnation()

    def obliterate(self) -> None:
        """Removes every key of the cluster, whoever uses it. For tests, and for the end of a cluster's life."""
        self._native.obliterate().wait()

    def close(self) -> None:
        """Waits for adds in flight and leaves the cluster. Calls after it raise SwarmClosed; closing again does nothing."""
        call = self._leave()
        if call is not None:
            try:
                call.wait()
            finally:
                self._left(1.0)

    addJob = add_job
    deleteJob = delete_job

    def on(self, event: str, listener: Listener) -> Listener:
        """Has `listener` called at every `event`, on a thread that the first listener starts; see `on_ready` and so on."""
        listener = super().on(event, listener)
        try:
            self._take_events()
        except SwarmError:
            self.off(event, listener)
            raise
        self._hear(self._native, event)
        return listener

    def _arm(self) -> None:
        if self._exit is not None:
            self._native.exit_on_kill(self._exit.grace)

    def _messages(self) -> _native.Master:
        return self._native

    def _take_events(self) -> None:
        with self._thread_lock:
            if self._thread is None:
                mailbox = _native.Mailbox()
                self._thread = start_thread(lambda: self._listen(mailbox), "libswarm-master")
                self._mailbox = mailbox
                self._native.listen(mailbox)

    def _listen(self, mailbox: _native.Mailbox) -> None:
        try:
            self._tell_events(mailbox)
        except BaseException as error:
            log_raised("the thread of a master's listeners has failed", error=error)
            failure = SwarmInternal(f"the thread of a master's listeners has failed: {message_of(error)}")
            failure.__cause__ = error
            self._emit_error(failure)

    def _tell_events(self, mailbox: _native.Mailbox) -> None:
        try:
            while True:
                mailbox.wait()
                mailbox.take()
                while events := self._native.take(_BATCH):
                    for event in events:
                        self._heard(*event)
        except SwarmClosed:
            self._emit("close", None)

    def _heard(self, event: str, detail: Any, *_: object) -> None:
        if event == "error":
            self._emit_error(detail)
        elif event in HEARD:
            self._tell_heard(event, detail)
        elif event == "ready":
            self._emit("ready", detail)

    def _leave(self) -> _native.Call | None:
        self._deaf = True
        if self._chooser is not None:
            self._chooser.stop()
        return self._native.close()

    def _left(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        if self._chooser is not None:
            self._chooser.join(patience)
        if self._mailbox is not None and self._thread is not None:
            self._mailbox.announce()
            if self._thread is not threading.current_thread():
                self._thread.join(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _ended(added: _native.Call, ended: _native.Call, on_existed: Callable[[str], object] | None) -> Any:
    """The outcome of what was added, once `on_existed` was told what existed."""
    try:
        if on_existed is not None:
            for id, existed in added.wait():
                if existed:
                    on_existed(id)
        return ended.wait()
    except BaseException:
        ended.abort()
        raise
