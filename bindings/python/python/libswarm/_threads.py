"""The threads of a handler, started as they are needed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from ._calling import log_raised, start_thread
from ._native import Job
from .errors import SwarmError


class HandlerThreads:
    """Runs `work(job)`, or with the jobs of a batch, on up to `limit()` daemon threads, which may grow."""

    def __init__(self, work: Callable[[Job | list[Job]], None], limit: Callable[[], int], name: str) -> None:
        self._work = work
        self._limit = limit
        self._name = name
        self._jobs: queue.SimpleQueue[Job | list[Job] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0
        #: Jobs for which there was neither an idle thread nor a new one.
        self._owed = 0
        self._lacking = False

    def start(self) -> None:
        """Starts the first thread, so that no job is taken without one. Raises if it cannot be started."""
        start_thread(self._run, f"{self._name}-0")
        self._count = 1
        self._idle.release()

    def submit(self, job: Job | list[Job]) -> None:
        """Queues a job or a batch. Called by one thread only."""
        self._jobs.put(job)
        self._owed += 1
        while self._owed > 0 and (self._idle.acquire(blocking=False) or (self._count < self._limit() and self._add_thread())):
            self._owed -= 1

    def _add_thread(self) -> bool:
        try:
            start_thread(self._run, f"{self._name}-{self._count}")
        except SwarmError as error:
            # The running threads will run the job. Logged once, until a thread can be started again.
            if not self._lacking:
                log_raised("no more threads for handlers can be started; jobs wait for the running ones", error=error)
            self._lacking = True
            return False
        self._count += 1
        self._lacking = False
        return True

    def backlog(self) -> int:
        """The number of jobs and batches that no thread has started."""
        return self._jobs.qsize()

    def withdraw(self) -> list[Job]:
        """Removes and returns all jobs that no thread has started."""
        jobs: list[Job] = []
        try:
            while (job := self._jobs.get_nowait()) is not None:
                jobs.extend(job if isinstance(job, list) else [job])
            self._jobs.put(None)
        except queue.Empty:
            pass
        return jobs

    def stop(self) -> None:
        """Ends each thread after its current job."""
        self._jobs.put(None)

    def _run(self) -> None:
        while True:
            try:
                if (job := self._jobs.get()) is None:
                    # For the next thread.
                    self._jobs.put(None)
                    return
                self._work(job)
            except BaseException as error:
                # An exception that another thread raised in this one, between two jobs.
                log_raised("a thread for handlers was interrupted and continues", error=error)
            self._idle.release()
