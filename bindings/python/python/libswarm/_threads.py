"""Threads that run a handler, made as they are needed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from ._native import Job


class HandlerThreads:
    """Runs `work(job)` on up to `limit` threads. They end with the program, whatever they are at."""

    def __init__(self, work: Callable[[Job], None], limit: int, name: str) -> None:
        self._work = work
        self._limit = limit
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def submit(self, job: Job) -> None:
        """Queues a job. From one thread only."""
        self._jobs.put(job)
        if len(self._threads) < self._limit and not self._idle.acquire(blocking=False):
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def backlog(self) -> int:
        """Jobs that no thread has begun."""
        return self._jobs.qsize()

    def withdraw(self) -> list[Job]:
        """Takes back all jobs that no thread has begun."""
        jobs = []
        try:
            while (job := self._jobs.get_nowait()) is not None:
                jobs.append(job)
            self._jobs.put(None)
        except queue.Empty:
            pass
        return jobs

    def stop(self) -> None:
        """Has each thread end after the job it is at."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._work(job)
            self._idle.release()
        # For the next thread.
        self._jobs.put(None)
