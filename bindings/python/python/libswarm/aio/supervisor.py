"""A supervisor of an event loop: listeners in the loop, or `async for`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self, Unpack

from .. import _native
from .._options import ProgramOptions, SupervisorOptions
from .._supervisor import Ids, SupervisorBase, Text
from ..processes import SupervisorEvent
from ._bridge import Bridge
from ._messages import LoopListeners

#: Batches told before the loop may do something else.
_BATCHES = 4


class Supervisor(LoopListeners, SupervisorBase):
    """Keeps processes running, for the event loop it is first used in: as `libswarm.Supervisor`.

    Its events are told to listeners, `on("exited", f)` with a function or a coroutine function, in the loop; or taken by `async
    for event in supervisor:`.
    """

    def __init__(self, **options: Unpack[SupervisorOptions]) -> None:
        """Starts a supervisor without processes; see `SupervisorOptions`. It has two threads."""
        super().__init__(dict(options))
        self._bridge: Bridge | None = None
        #: Of loops that wait for an event.
        self._waiters: set[asyncio.Future[None]] = set()
        #: Calls under way.
        self._calls: set[asyncio.Future[Any]] = set()
        self._listening = set()

    async def spawn(self, command: Text, *args: Text, **options: Unpack[ProgramOptions]) -> Ids:
        """Runs a program with arguments, and answers the ids of its processes, as many as `count`; see `ProgramOptions`.

        `command` is a path, or a name looked for in `PATH`; no shell reads it. It does not wait for the start: a command that
        cannot be started is told by the event `exited`, and tried again. SwarmClosed after a stop.
        """
        ids: Ids = await self._await(self._spawn(command, args, options))
        return ids

    async def kill(self, id: int) -> None:
        """Stops the process of an id for good: TERM to its group, KILL after `grace`. Returns when nothing of it is left.

        SwarmNotFound if there is none, as after it ended with code 0. To cancel this stops the wait only; so for all that waits.
        """
        await self._await(self._native.kill(id))

    async def reload(self) -> None:
        """Replaces all processes, one after another: starts another, waits until it is ready, and stops the old one.

        Ends at the first that fails, and the old ones serve on: SwarmUnavailable if the new process cannot be started or exits
        before it is ready, SwarmTimeout if it is not ready within its `ready_timeout`. SwarmClosed if all is stopped meanwhile.
        """
        await self._await(self._native.reload())

    async def stop(self, *, wait: bool = True) -> None:
        """Stops all processes at the same time: TERM to their groups, KILL after `grace`. May be called again.

        Returns when nothing of them is left and listeners have been told all. With `wait` False it only begins.
        """
        call = self._leave()
        if not wait:
            return
        if call is not None:
            await self._await(call)
            self._native.close()
        while self._calls:
            # Of other tasks; all end with the stop.
            await asyncio.wait(self._calls)
        while self._dispatch():
            pass
        self._wake()
        if self._bridge is not None:
            self._bridge.close()

    def handle_signals(self) -> None:
        """As that of `libswarm.Supervisor`; SIGINT until the end of `asyncio.run`, which gives it back to Python."""
        self._bound()
        super().handle_signals()

    def __aiter__(self) -> AsyncIterator[SupervisorEvent]:
        """One event after another, until all have stopped. Of several loops each event goes to one."""
        self._begin_loop()
        self._bound()
        return self._iterate()

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

    def _tell(self) -> None:
        self._bound().loop.call_soon(self._readable)

    def _readable(self) -> None:
        """There are events, or were."""
        self._wake()
        for _ in range(_BATCHES):
            if not self._dispatch():
                return
        self._bound().loop.call_soon(self._readable)

    def _dispatch(self) -> bool:
        """Takes one batch and tells it to listeners; false if there was none."""
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
        # The processes go on, until this object is dropped or the program ends.
        self._waiters.clear()
        self._calls.clear()

    def _await(self, call: _native.Call) -> asyncio.Future[Any]:
        future = self._bound().future(call)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        return future

    async def __aenter__(self) -> Self:
        self._bound()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
