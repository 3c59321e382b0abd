"""Messages between members, and who comes and goes, for masters and workers of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from .. import _native
from .._events import logger
from .._exit import Exit
from .._messages import Hearing
from ..types import KillRequest, MemberRef, Receipt, To
from ._bridge import Bridge


class Messenger(Hearing):
    """The messages of a master or worker of an event loop, whose listeners may be coroutine functions."""

    #: Of listeners that are coroutine functions; the loop itself keeps tasks only weakly.
    _listening: set[asyncio.Task[None]]

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
        except Exception:
            logger.exception("on_kill raised")

        def end() -> None:
            raise SystemExit(request.code)

        # Not in this task, whose outcome nobody asks for: the loop lets it through.
        asyncio.get_running_loop().call_soon(end)

    def _messages(self) -> tuple[_native.Master | _native.Worker, Bridge]:
        raise NotImplementedError

    def _call(self, listener: Callable[..., Any], *arguments: object) -> None:
        try:
            answer = listener(*arguments)
        except Exception:
            logger.exception("a listener raised")
            return
        if asyncio.iscoroutine(answer):
            self._spawn(answer, lambda error: logger.error("a listener raised", exc_info=error))

    def _spawn(self, coroutine: Coroutine[Any, Any, object], failed: Callable[[Exception], object]) -> None:
        """Runs what a listener that is a coroutine function returned."""

        async def guarded() -> None:
            try:
                await coroutine
            except Exception as error:
                failed(error)

        task = asyncio.get_running_loop().create_task(guarded())
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)
