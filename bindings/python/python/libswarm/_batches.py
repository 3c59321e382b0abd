"""Jobs that are gathered for handlers of several jobs at once."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ._calling import check_seconds, class_name
from ._native import Job
from .errors import SwarmInvalidArgument

MAX_SIZE = 1000
#: Seconds.
MAX_WAIT = 60.0


@dataclass(frozen=True)
class Batching:
    """A handler of several jobs, and when a batch starts: with `size` jobs, or `wait` seconds after the first.

    The jobs of a batch are of one task, with `by_group` also of one group, or without one.
    """

    function: Callable[[list[Job]], Any]
    size: int
    wait: float
    by_group: bool


def batching(function: Callable[[list[Job]], Any], size: int, wait: float, by: str) -> Batching:
    """Checks the options of batches."""
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_SIZE:
        raise SwarmInvalidArgument(f"size is {size!r}, it must be an int, 1 to {MAX_SIZE}")
    if by not in ("task", "group"):
        raise SwarmInvalidArgument(f'by is {by!r}, it must be "task" or "group"')
    return Batching(function, size, check_seconds("wait", wait, MAX_WAIT), by == "group")


def results_of(jobs: list[Job], results: Any) -> list[Any]:
    """A result for each job, from what a handler of a batch has returned."""
    if results is None:
        return [None] * len(jobs)
    if isinstance(results, list | tuple) and len(results) == len(jobs):
        return list(results)
    found = f"{len(results)} results" if isinstance(results, list | tuple) else f"a {class_name(results)}"
    raise SwarmInvalidArgument(
        f"the handler of a batch of {len(jobs)} jobs returned {found}; it returns None, or a list with a result for each job"
    )


@dataclass(eq=False)
class Group:
    """Jobs of one batch that wait for others."""

    handler: Batching
    context: contextvars.Context
    #: On the clock of `time.monotonic`.
    due: float
    jobs: list[Job] = field(default_factory=list)


class Gatherer:
    """The batches of a worker that have not started. May be used by several threads."""

    def __init__(self, start: Callable[[Group], object]) -> None:
        self._start = start
        self._lock = threading.Lock()
        #: By the task and the group that they have in common.
        self._groups: dict[tuple[str, str], Group] = {}

    def add(self, job: Job, handler: Batching, context: contextvars.Context) -> Group | None:
        """Adds a job. Returns its group if the job is the first; it is to be started when it is due."""
        if job._suspect:
            # Alone: another crash must show whether it is the cause.
            self._start(Group(handler, context, 0.0, [job]))
            return None
        key = (job.task, job.group if handler.by_group else "")
        with self._lock:
            group = self._groups.get(key)
            new = group is None
            if group is None:
                group = self._groups[key] = Group(handler, context, time.monotonic() + handler.wait)
            group.jobs.append(job)
            full = len(group.jobs) >= handler.size
        if full:
            self.start(group)
            return None
        return group if new else None

    def start(self, group: Group) -> None:
        """Starts a batch, unless that was done before."""
        with self._lock:
            key = next((key for key, other in self._groups.items() if other is group), None)
            if key is None:
                return
            del self._groups[key]
        if group.jobs:
            self._start(group)

    def seconds(self) -> float | None:
        """The time until the next batch is due; None if none waits."""
        with self._lock:
            due = min((group.due for group in self._groups.values()), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def start_due(self) -> None:
        """Starts the batches whose time is over."""
        now = time.monotonic()
        with self._lock:
            due = [group for group in self._groups.values() if group.due <= now]
        for group in due:
            self.start(group)

    def remove(self, job: Job) -> None:
        """Removes a job that was deleted."""
        with self._lock:
            for key, group in self._groups.items():
                if job in group.jobs:
                    group.jobs.remove(job)
                    if not group.jobs:
                        # The next job begins a wait of its own.
                        del self._groups[key]
                    return

    def withdraw(self) -> list[Job]:
        """Removes and returns all jobs."""
        with self._lock:
            groups = list(self._groups.values())
            self._groups.clear()
        return [job for group in groups for job in group.jobs]
