"""The transitions of jobs."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any

from . import _native
from .types import JobEvent


class JobEvents(Iterator[JobEvent]):
    """The iterator of `Master.events`."""

    def __init__(self, events: _native.JobEvents, wait: Callable[[_native.Call], Any]) -> None:
        self._events = events
        self._wait = wait
        self._taken: collections.deque[JobEvent] = collections.deque()
        wait(events.ready())

    def __next__(self) -> JobEvent:
        if not self._taken:
            try:
                self._taken.extend(self._wait(self._events.take()))
            except BaseException:
                # An interrupted wait may have lost events: it does not continue.
                self.close()
                raise
        try:
            return self._taken.popleft()
        except IndexError:
            raise StopIteration from None

    def close(self) -> None:
        """Stops following; a wait for the next event ends. May be called by any thread, and again."""
        self._events.close()
