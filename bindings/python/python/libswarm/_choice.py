"""The choice of workers by a callback of the program."""

from __future__ import annotations

import bisect
import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from . import _native
from ._calling import log_raised, log_warning
from ._events import Events
from ._native import Call
from .errors import SwarmError, SwarmInvalidArgument
from .types import Candidate, JobInfo

#: One of the candidates, or its incarnation; None leaves the job for later.
Choice = Candidate | str | None


class Round:
    """Jobs and workers to choose from. Iterates over the jobs, each with the workers that then have a free slot for it."""

    def __init__(self, jobs: Sequence[JobInfo], workers: Sequence[dict[str, Any]]) -> None:
        self._jobs = jobs
        self._workers = {worker["incarnation"]: _Worker(**worker) for worker in workers}
        #: The choices: ids of jobs and incarnations of their workers.
        self.pairs: list[tuple[str, str]] = []

    def __iter__(self) -> Iterator[tuple[JobInfo, list[Candidate]]]:
        for job in self._jobs:
            candidates = [worker.candidate_for(job) for worker in self._workers.values()]
            if free := [candidate for candidate in candidates if candidate is not None]:
                yield job, free

    def choose(self, job: JobInfo, choice: object) -> None:
        """Records the callback's choice for the job."""
        if choice is None:
            return
        incarnation = choice.incarnation if isinstance(choice, Candidate) else choice
        worker = self._workers.get(incarnation) if isinstance(incarnation, str) else None
        if worker is None or worker.candidate_for(job) is None:
            raise SwarmInvalidArgument(f"{choice!r} is none of the candidates, nor the incarnation of one")
        worker.take(job)
        self.pairs.append((job.id, worker.incarnation))


class _Worker:
    """A worker, and how many jobs it can still take."""

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
        self._free_from = [free for _, free in ranges]
        #: Cached by the range of the job: there may be a thousand workers for each of a hundred jobs.
        self._candidates: dict[int, Candidate | None] = {}

    def candidate_for(self, job: JobInfo) -> Candidate | None:
        """None if it cannot take the job."""
        if job.task not in self._tasks:
            return None
        at = self._range_of(job)
        try:
            return self._candidates[at]
        except KeyError:
            free = min(self._free, self._free_from[at]) if self._from else self._free
            candidate = self._candidates[at] = self._candidate(free) if free > 0 else None
            return candidate

    def take(self, job: JobInfo) -> None:
        """Counts the job as its own."""
        self._active += 1
        self._free -= 1
        if self._from:
            self._free_from[self._range_of(job)] -= 1
        self._candidates.clear()

    def _range_of(self, job: JobInfo) -> int:
        # The lowest range includes all priorities below it.
        return max(0, bisect.bisect_right(self._from, job.priority) - 1)

    def _candidate(self, free: int) -> Candidate:
        return Candidate(incarnation=self.incarnation, tasks=self._tasks.copy(), active=self._active, room=free, **self._fields)


class Chooser(Protocol):
    """Calls the callback in the background."""

    def stop(self) -> None:
        """Ends the calls. Never blocks."""


AnyChooser = TypeVar("AnyChooser", bound=Chooser)


class Choosing(Events, Generic[AnyChooser]):
    """The chooser of a master, of threads or of an event loop."""

    _native: _native.Master

    def __init__(self) -> None:
        super().__init__()
        self._chooser: AnyChooser | None = None
        self._chooser_lock = threading.Lock()

    def _replace_chooser(self, chooser: AnyChooser | None) -> AnyChooser | None:
        """Stops the chooser before, and returns it."""
        with self._chooser_lock:
            before, self._chooser = self._chooser, chooser
        if before is not None:
            before.stop()
        return before

    def _no_chooser(self, chooser: AnyChooser) -> None:
        """After a chooser that could not be started."""
        with self._chooser_lock:
            if self._chooser is chooser:
                self._chooser = None
        # Awaited, so that it does not undo the next start.
        if (call := self._choosing_not_started()) is not None:
            with contextlib.suppress(SwarmError):
                call.wait()

    def _choosing_not_started(self) -> Call | None:
        """After an error or a cancelled wait: Redis may know the start, and jobs must not wait for a choice that never comes."""
        if self._chooser is None:
            with contextlib.suppress(SwarmError):
                return self._native.stop_choosing()
        return None

    def _choosing_failed(self, chooser: AnyChooser, error: SwarmError) -> None:
        """A chooser has ended by an error that only the user can correct."""
        with self._chooser_lock:
            if self._chooser is not chooser:
                return
            self._chooser = None
        self._choosing_not_started()
        log_warning("the master chooses no more: %s: %s", error.kind, error)
        self._emit_error(error)


def log_callback(job: JobInfo, error: BaseException) -> None:
    """Logs what the callback raised for a job."""
    log_raised("the callback of `choose` raised; job %r is left for later", job.id, error=error)
