"""The outcomes of many jobs, as they finish."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator, Callable
from typing import Any

from .. import _native
from ..types import JobOutcome


class Outcomes(AsyncIterator[JobOutcome]):
    """The iterator of `run_each`."""

    def __init__(
        self,
        group: _native.Group,
        wait: Callable[[_native.Call], asyncio.Future[Any]],
        on_existed: Callable[[str], object] | None,
    ) -> None:
        self._group = group
        self._wait = wait
        self._on_existed = on_existed
        self._ready: collections.deque[JobOutcome] = collections.deque()
        #: A call under way. It survives a cancelled wait, so that no outcome is lost.
        self._next: asyncio.Future[Any] | None = None

    async def __anext__(self) -> JobOutcome:
        if self._on_existed is not None:
            added = await self._wait(self._group.added())
            # Another task may have waited at the same time, and called it.
            on_existed, self._on_existed = self._on_existed, None
            for id, existed, _ in added if on_existed is not None else ():
                if existed:
                    on_existed(id)
        while not self._ready:
            following = self._next
            if following is None:
                following = self._next = self._wait(self._group.take())
            await asyncio.wait([following])
            if self._next is following:
                self._next = None
                self._ready.extend(JobOutcome(*pair) for pair in following.result())
                if not self._ready:
                    raise StopAsyncIteration
        return self._ready.popleft()
