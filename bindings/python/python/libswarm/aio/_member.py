"""What masters and workers of an event loop have in common: the exit of the program."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from .._calling import log_raised
from .._exit import Exit
from .._subscriptions import Subscriptions
from ..types import KillRequest
from ._listeners import LoopListeners


class LoopMember(LoopListeners, Subscriptions):
    """A member whose listeners run in the loop."""

    def _end_program(self, request: KillRequest) -> Coroutine[Any, Any, None] | None:
        exit = self._begin_exit()
        return None if exit is None else self._exit_program(exit, request)

    async def _exit_program(self, exit: Exit, request: KillRequest) -> None:
        try:
            delay = exit.on_kill(request) if exit.on_kill is not None else None
            if asyncio.iscoroutine(delay):
                await delay
        except (Exception, SystemExit) as error:
            log_raised("on_kill raised", error=error)

        def end() -> None:
            raise SystemExit(request.code)

        # Not in this task, whose exception nothing retrieves: the loop raises it.
        asyncio.get_running_loop().call_soon(end)
