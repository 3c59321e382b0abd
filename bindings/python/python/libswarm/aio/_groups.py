"""The outcomes of many jobs as they end."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator, Callable
from typing import Any

from .. import _native
from ..types import Ended
from ._bridge import Bridge


class Outcomes(AsyncIterator[Ended]):
    """What `run_each` answers."""

    def __init__(self, group: _native.Group, bridge: Bridge, on_existed: Callable[[str], object] | None) -> None:
        self._group = group
        self._on_existed = on_existed
        self._bridge = bridge
        self._told: collections.deque[Ended] = collections.deque()
        #: Under way; it outlives a wait that is cancelled, so that no outcome is lost with it.
        self._next: asyncio.Future[Any] | None = None

    async def __anext__(self) -> Ended:
        if self._on_existed is not None:
            added = await self._bridge.future(self._group.added())
            # Somebody else may have waited beside this one, and told them.
            on_existed, self._on_existed = self._on_existed, None
            for id, existed in added if on_existed is not None else ():
                if existed:
                    on_existed(id)
        while not self._told:
            following = self._next
            if following is None:
                following = self._next = self._bridge.future(self._group.take())
            await asyncio.wait([following])
            if self._next is following:
                self._next = None
                self._told.extend(Ended(*pair) for pair in following.result())
                if not self._told:
                    raise StopAsyncIteration
        return self._told.popleft()
