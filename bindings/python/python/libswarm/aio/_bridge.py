"""Calls and events of the native module in an event loop. One descriptor, written once per batch, wakes the loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import weakref
from collections.abc import Callable
from typing import Any

from .. import _native
from ..errors import SwarmClosed, SwarmError, SwarmInvalidArgument

#: Seconds of a timer that outlives every loop.
_FOR_EVER = 365.0 * 86_400


class _Life:
    """Lives as long as a loop: only a timer of the loop refers to it, and a closed loop drops its timers."""

    __slots__ = ("__weakref__", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self()

    def __call__(self) -> None:
        loop = self._loop()
        if loop is not None:
            loop.call_later(_FOR_EVER, self, context=contextvars.Context())


#: One for each loop, whatever the number of its members.
_lives: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[_Life]] = weakref.WeakKeyDictionary()


def _life_of(loop: asyncio.AbstractEventLoop) -> _Life:
    known = _lives.get(loop)
    life = None if known is None else known()
    if life is None:
        life = _Life(loop)
        _lives[loop] = weakref.ref(life)
    return life


class Bridge:
    """The calls and events of one member, in the loop that is running when this object is created.

    `loop_ended()` is called, in any thread, when the loop was closed or dropped before `close`.
    """

    def __init__(self, loop_ended: Callable[[], object]) -> None:
        self.loop = asyncio.get_running_loop()
        self._loop_ended = loop_ended
        # By a weak reference, so that this can be collected.
        self._life = weakref.ref(_life_of(self.loop), _ender(weakref.ref(self)))
        self.mailbox = _native.Mailbox()
        self.on_event: Callable[[], object] | None = None
        self._waiting: dict[int, Callable[[], object]] = {}
        self._token = 0
        self._closed = False
        self._fd = self.mailbox.fileno()
        # Not in the context of the first caller.
        contextvars.Context().run(self.loop.add_reader, self._fd, self._readable)

    def check(self) -> None:
        """Raises in another loop."""
        if asyncio.get_running_loop() is not self.loop:
            raise SwarmInvalidArgument("this object belongs to another event loop; make one in each loop")

    def watch(self, call: _native.Call, then: Callable[[], object]) -> int:
        """Calls `then()` in the loop when `call` has ended."""
        self._token += 1
        self._waiting[self._token] = then
        call.notify(self.mailbox, self._token)
        return self._token

    def future(self, call: _native.Call) -> asyncio.Future[Any]:
        """A future of the loop with the outcome of `call`. Cancelling it ends the wait."""
        future: asyncio.Future[Any] = self.loop.create_future()

        def settle() -> None:
            if not future.done():
                try:
                    future.set_result(call.result())
                except SwarmError as error:
                    future.set_exception(error)

        if self._closed:
            # The call has failed at once, or counts as under way when the member was closed.
            settle()
            return future
        token = self.watch(call, settle)

        def forget(future: asyncio.Future[Any]) -> None:
            if future.cancelled() and self._waiting.pop(token, None) is not None:
                call.abort()

        future.add_done_callback(forget)
        return future

    def close(self) -> None:
        """Ends all waits and removes the descriptor from the loop. A closed loop has removed it."""
        if not self.loop.is_closed():
            self.loop.remove_reader(self._fd)
            self._readable()
            for then in list(self._waiting.values()):
                then()
        self._forget()

    def ended(self) -> None:
        """Called when the loop was closed or dropped."""
        if not self._closed:
            loop_ended = self._loop_ended
            self._forget()
            # In a forked child the member belongs to the parent.
            with contextlib.suppress(SwarmError):
                loop_ended()

    def _forget(self) -> None:
        self._closed = True
        self._waiting.clear()
        self.on_event = None
        self._loop_ended = _nothing

    def _readable(self) -> None:
        for token in self.mailbox.take():
            then = self._waiting.pop(token, None)
            if then is not None:
                then()
        if self.on_event is not None:
            self.on_event()


def _ender(bridge: weakref.ref[Bridge]) -> Callable[[object], None]:
    def end(life: object) -> None:
        if (ended := bridge()) is not None:
            ended.ended()

    return end


def _nothing() -> None:
    """Does nothing; used after the close."""


def closed(what: str) -> SwarmClosed:
    """The error of a call on a closed member."""
    return SwarmClosed(f"the {what} is closed")
