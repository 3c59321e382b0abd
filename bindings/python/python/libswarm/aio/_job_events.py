"""The transitions of jobs."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from .. import _native
from ..errors import SwarmClosed
from ..types import JobEvent


class JobEvents(AsyncIterator[JobEvent]):
    """The iterator of `Master.events`."""

    def __init__(self, events: _native.JobEvents, wait: Callable[[_native.Call], asyncio.Future[Any]]) -> None:
        self._events = events
        self._wait = wait
        self._taken: collections.deque[JobEvent] = collections.deque()
        #: A call under way. It survives a cancelled wait, so that no event is lost.
        self._next: asyncio.Future[Any] | None = None

    async def ready(self) -> None:
        """Waits until transitions are recorded. Raises the error that prevents it."""
        await self._wait(self._events.ready())

    async def __anext__(self) -> JobEvent:
        while not self._taken:
            following = self._next
            if following is None:
                following = self._next = self._wait(self._events.take())
            await asyncio.wait([following])
            if self._next is following:
                self._next = None
                with contextlib.suppress(SwarmClosed):
                    self._taken.extend(following.result())
                if not self._taken:
                    raise StopAsyncIteration
        return self._taken.popleft()

    def close(self) -> None:
        """Stops following; a wait for the next event ends. May be called again."""
        self._events.close()
