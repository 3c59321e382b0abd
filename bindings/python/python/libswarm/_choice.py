"""The workers of jobs, as a program's callback chooses them."""

from __future__ import annotations

import bisect
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from . import _native
from ._calling import log_raised, log_warning, refuse_coroutine, start_thread
from ._events import Events
from ._native import Call
from .errors import SwarmClosed, SwarmError, SwarmInvalidArgument
from .types import Candidate, JobInfo

#: One of the workers shown, or its incarnation; None leaves the job for later.
Choice = Candidate | str | None


class Round:
    """Jobs and workers that were shown together; to walk it tells each job with the workers that then have room for it."""

    def __init__(self, jobs: Sequence[JobInfo], workers: Sequence[dict[str, Any]]) -> None:
        self._jobs = jobs
        self._workers = {worker["incarnation"]: _Worker(**worker) for worker in workers}
        #: What was chosen: the ids of jobs and the incarnations of their workers.
        self.pairs: list[tuple[str, str]] = []

    def __iter__(self) -> Iterator[tuple[JobInfo, list[Candidate]]]:
        for job in self._jobs:
            if shown := [candidate for worker in self._workers.values() if (candidate := worker.shown_for(job)) is not None]:
                yield job, shown

    def choose(self, job: JobInfo, choice: object) -> None:
        """What the callback answered for the job."""
        if choice is None:
            return
        incarnation = choice.incarnation if isinstance(choice, Candidate) else choice
        worker = self._workers.get(incarnation) if isinstance(incarnation, str) else None
        if worker is None or worker.shown_for(job) is None:
            raise SwarmInvalidArgument(f"{choice!r} is none of the workers shown, nor the incarnation of one")
        worker.take(job)
        self.pairs.append((job.id, worker.incarnation))


class _Worker:
    """A worker, and how many jobs it can still be given."""

    def __init__(
        self, *, incarnation: str, tasks: list[str], active: int, free: int, ranges: list[tuple[int, int]], **fields: Any
    ) -> None:
        self.incarnation = incarnation
        self._fields = fields
        self._tasks = tasks
        self._active = active
        self._free = free
        #: With guaranteed slots: where each range of priorities begins, lowest first, and how many of the free ones it has.
        self._from = [start for start, _ in ranges]
        self._free_from = [room for _, room in ranges]
        #: As the program is shown it, by the range of the job. There may be a thousand workers for each of a hundred jobs.
        self._shown: dict[int, Candidate | None] = {}

    def shown_for(self, job: JobInfo) -> Candidate | None:
        """None if it cannot be given the job."""
        if job.task not in self._tasks:
            return None
        at = self._range_of(job)
        try:
            return self._shown[at]
        except KeyError:
            room = min(self._free, self._free_from[at]) if self._from else self._free
            shown = self._shown[at] = self._candidate(room) if room > 0 else None
            return shown

    def take(self, job: JobInfo) -> None:
        """It is given the job."""
        self._active += 1
        self._free -= 1
        if self._from:
            self._free_from[self._range_of(job)] -= 1
        self._shown.clear()

    def _range_of(self, job: JobInfo) -> int:
        # The lowest range has all below it, too.
        return max(0, bisect.bisect_right(self._from, job.priority) - 1)

    def _candidate(self, room: int) -> Candidate:
        return Candidate(incarnation=self.incarnation, tasks=self._tasks.copy(), active=self._active, room=room, **self._fields)


class Chooser(Protocol):
    """Asks the callback in the background."""

    def stop(self) -> None:
        """Asks no more. Never blocks."""


AnyChooser = TypeVar("AnyChooser", bound=Chooser)


class Choosing(Events, Generic[AnyChooser]):
    """What masters of threads and of event loops have in common when they choose."""

    _native: _native.Master

    def __init__(self) -> None:
        super().__init__()
        self._chooser: AnyChooser | None = None
        self._chooser_lock = threading.Lock()

    def _replace_chooser(self, chooser: AnyChooser | None) -> AnyChooser | None:
        """Stops the one before, and answers it."""
        with self._chooser_lock:
            before, self._chooser = self._chooser, chooser
        if before is not None:
            before.stop()
        return before

    def _no_chooser(self, chooser: AnyChooser) -> None:
        """This one could not be started."""
        with self._chooser_lock:
            if self._chooser is chooser:
                self._chooser = None
        # Awaited, lest it undo what is started next.
        if (call := self._choosing_not_started()) is not None:
            with contextlib.suppress(SwarmError):
                call.wait()

    def _choosing_not_started(self) -> Call | None:
        """After an error, or a wait given up: Redis may know already, and jobs must not wait for a choice that never comes."""
        if self._chooser is None:
            with contextlib.suppress(SwarmError):
                return self._native.stop_choosing()
        return None

    def _choosing_failed(self, chooser: AnyChooser, error: SwarmError) -> None:
        """The chooser met what only the user can mend, and has ended."""
        with self._chooser_lock:
            if self._chooser is not chooser:
                return
            self._chooser = None
        self._choosing_not_started()
        log_warning("the master chooses no more: %s: %s", error.kind, error)
        self._emit_error(error)


class ChooserThread:
    """Asks the callback in a thread of its own."""

    def __init__(
        self,
        native: _native.Master,
        callback: Callable[[JobInfo, list[Candidate]], Choice],
        failed: Callable[[ChooserThread, SwarmError], object],
    ) -> None:
        self._native = native
        self._callback = callback
        self._failed = failed
        # Not `Call.wait`, which never ends while the program does: the thread ends before.
        self._mailbox = _native.Mailbox()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to ask."""
        self._thread = start_thread(self._run, "libswarm-chooser")

    def stop(self) -> None:
        """Asks no more. Never blocks; `join` waits."""
        self._stopped = True
        self._mailbox.announce()

    def join(self, patience: float) -> None:
        """Waits until the callback has returned, unless it is what waits."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join(patience)

    def _run(self) -> None:
        while not self._stopped:
            try:
                round = Round(*self._wait(self._native.choices()))
                for job, workers in round:
                    self._ask(round, job, workers)
                    if self._stopped:
                        return
                self._wait(self._native.assign(round.pairs))
            except SwarmClosed:
                return
            except SwarmError as error:
                # What could be tried again is seen by the next look.
                if not error.retryable:
                    self._failed(self, error)
                    return

    def _ask(self, round: Round, job: JobInfo, workers: list[Candidate]) -> None:
        try:
            choice = self._callback(job, workers)
            refuse_coroutine(choice)
            round.choose(job, choice)
        except BaseException as error:
            told(job, error)

    def _wait(self, call: _native.Call) -> Any:
        call.notify(self._mailbox, 0)
        while not self._mailbox.take():
            if self._stopped:
                call.abort()
                raise SwarmClosed("nobody chooses any more")
            self._mailbox.wait()
        return call.result()


def told(job: JobInfo, error: BaseException) -> None:
    """Logs what the callback raised."""
    log_raised("the callback of `choose` raised; job %r is left for later", job.id, error=error)
