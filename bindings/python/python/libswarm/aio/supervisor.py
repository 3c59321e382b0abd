"""A supervisor of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Unpack

from .. import _native
from .._options import SupervisorOptions
from ..processes import SupervisorEvent
from ._api.supervisor import SupervisorApi
from ._bridge import Bridge
from ._listeners import LoopListeners

#: Batches per turn of the loop.
_BATCHES = 4


class Supervisor(LoopListeners, SupervisorApi):
    """Keeps processes running, as `libswarm.Supervisor`, in the event loop that is running at its first use.

    Listeners, `on("exited", f)` with a function or a coroutine function, are called with its events in the loop; or
    `async for event in supervisor:` takes them.
    """

    def __init__(self, **options: Unpack[SupervisorOptions]) -> None:
        """Starts a supervisor without processes; see `SupervisorOptions`. It has two threads."""
        super().__init__(dict(options))
        self._bridge: Bridge | None = None
        #: Futures of loops that wait for an event.
        self._waiters: set[asyncio.Future[None]] = set()
        #: Calls under way.
        self._calls: set[asyncio.Future[Any]] = set()
        self._tasks_of_listeners = set()

    @property
    def _here(self) -> _native.Supervisor:
        self._bound()
        return self._native

    def _enter(self) -> None:
        self._bound()

    async def _settle(self) -> None:
        while self._calls:
            # Calls of other tasks; all end with the stop.
            await asyncio.wait(self._calls)
        while self._dispatch():
            pass
        self._wake()
        if self._bridge is not None:
            self._bridge.close()

    def _begin_loop(self) -> None:
        super()._begin_loop()
        self._bound()

    async def _iterate(self) -> AsyncIterator[SupervisorEvent]:
        while True:
            if not self._taken and not self._over:
                self._taken.extend(self._take())
            if self._taken:
                yield self._taken.popleft()
            elif self._over:
                return
            else:
                await self._news()

    async def _news(self) -> None:
        waiter = self._bound().loop.create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _start_emitting(self) -> None:
        self._bound().loop.call_soon(self._readable)

    def _readable(self) -> None:
        """Emits the waiting events."""
        self._wake()
        for _ in range(_BATCHES):
            if not self._dispatch():
                return
        self._bound().loop.call_soon(self._readable)

    def _dispatch(self) -> bool:
        """Takes one batch and emits it; returns false if there was none."""
        if not any(self._listeners.values()):
            return False
        events = self._take()
        for event in events:
            self._emit(event.event, event)
        return bool(events)

    def _bound(self) -> Bridge:
        if self._bridge is None:
            self._bridge = Bridge(self._loop_ended)
            self._bridge.on_event = self._readable
            self._native.listen(self._bridge.mailbox)
        else:
            self._bridge.check()
        return self._bridge

    def _loop_ended(self) -> None:
        # The processes continue until this object is dropped or the program ends.
        self._waiters.clear()
        self._calls.clear()

    def _await(self, call: _native.Call) -> asyncio.Future[Any]:
        future = self._bound().future(call)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        return future
