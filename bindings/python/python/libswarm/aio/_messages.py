"""Messages between members, and who comes and goes, for masters and workers of an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from .. import _native
from .._calling import log_raised
from .._events import Listeners, Registered
from .._exit import Exit
from .._messages import Hearing
from ..types import KillRequest, MemberRef, Receipt, To
from ._bridge import Bridge

#: Seconds in which a loop that is ending has ended.
ENDING = 0.2


class LoopListeners(Listeners):
    """Listeners of a loop, which may be coroutine functions."""

    _COROUTINES = True

    #: Of listeners that are coroutine functions; the loop itself keeps tasks only weakly.
    _listening: set[asyncio.Task[None]]

    def _call(self, listener: Registered, *arguments: object) -> None:
        function, context = listener[0], listener[1].copy()
        try:
            answer = context.run(function, *arguments)
        except (KeyboardInterrupt, SystemExit):
            # In a loop they end the program.
            raise
        except BaseException as error:
            log_raised("a listener raised", error=error)
            return
        if asyncio.iscoroutine(answer):
            spawn(self._listening, answer, context, _listener_raised)


class Messenger(LoopListeners, Hearing):
    """The messages of a master or worker of an event loop, whose listeners may be coroutine functions."""

    def send(
        self,
        payload: object,
        to: To = "all",
        *,
        acknowledged: float | None = None,
        request: float | None = None,
        to_self: bool = False,
    ) -> asyncio.Future[Receipt]:
        """Sends a message to the members that listen. See `libswarm.Master.send`.

        Not a coroutine: messages are sent in the order of these calls, awaited or not. To cancel the wait does not take one back.
        """
        native, bridge = self._messages()
        return bridge.future(native.send(payload, to, acknowledged, request, to_self))

    async def kill(self, to: To, code: int = 0) -> Receipt:
        """Asks the programs of members that listen to end with this exit code: their event `kill`. `to` is as for `send`."""
        native, bridge = self._messages()
        receipt: Receipt = await bridge.future(native.kill(to, code))
        return receipt

    async def confirm(self, name: str) -> None:
        """Says to all that wait with `confirmations` that this member is so far. `name` has 1 to 256 bytes."""
        native, bridge = self._messages()
        await bridge.future(native.confirm(name))

    async def confirmations(self, count: int, name: str) -> list[MemberRef]:
        """Waits, with no limit, until `count` distinct members have confirmed `name` from now on; who, in their order.

        From then on this member also gets messages, whether it has a listener or not.
        """
        native, bridge = self._messages()
        members: list[MemberRef] = await bridge.future(native.confirmations(count, name))
        return members

    async def set_data(self, value: object) -> None:
        """What `members()` tells of this member as `data`: what `json` can write, at most 4 KiB. It outlives a lost lease."""
        native, bridge = self._messages()
        await bridge.future(native.set_data(value))

    def _end_program(self, request: KillRequest) -> Coroutine[Any, Any, None] | None:
        exit = self._begin_exit()
        return None if exit is None else self._exit_program(exit, request)

    async def _exit_program(self, exit: Exit, request: KillRequest) -> None:
        try:
            agreed = exit.on_kill(request) if exit.on_kill is not None else None
            if asyncio.iscoroutine(agreed):
                await agreed
        except (Exception, SystemExit) as error:
            log_raised("on_kill raised", error=error)

        def end() -> None:
            raise SystemExit(request.code)

        # Not in this task, whose outcome nobody asks for: the loop lets it through.
        asyncio.get_running_loop().call_soon(end)

    def _messages(self) -> tuple[_native.Master | _native.Worker, Bridge]:
        raise NotImplementedError


def spawn(
    tasks: set[asyncio.Task[None]],
    coroutine: Coroutine[Any, Any, object],
    context: contextvars.Context,
    failed: Callable[[BaseException], object],
) -> None:
    """Runs what a listener that is a coroutine function returned; `failed` is told what it raises, unless the loop is ending."""

    async def guarded() -> None:
        try:
            await coroutine
        except asyncio.CancelledError as error:
            unless_ending(functools.partial(failed, error))
            raise
        except GeneratorExit as error:
            # Of a loop that is gone, which destroys its coroutines, or the listener's own?
            if asyncio._get_running_loop() is None:
                raise
            failed(error)
        except KeyboardInterrupt as error:
            failed(error)
            raise
        except BaseException as error:
            failed(error)

    task = asyncio.get_running_loop().create_task(guarded(), context=context)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def unless_ending(then: Callable[[], object]) -> None:
    """Calls `then()` if the loop goes on: what is cancelled without a reason of the library's has cancelled itself, or is
    cancelled with all that a loop has left, at the end of `asyncio.run`.
    """
    asyncio.get_running_loop().call_later(ENDING, then)


def _listener_raised(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        # In a loop they end the program.
        raise error
    log_raised("a listener raised", error=error)
