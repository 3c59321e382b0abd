"""What masters and workers of threads have in common: how they wait, and how they end the program."""

from __future__ import annotations

from typing import Any

from . import _native
from ._calling import log_raised, refuse_coroutine, start_thread
from ._exit import end_main_thread, prepare
from ._subscriptions import Subscriptions
from .errors import SwarmError
from .types import KillRequest


class ThreadMember(Subscriptions):
    """A member whose calls block."""

    def _await(self, call: _native.Call) -> Any:
        return call.wait()

    def _take_events(self) -> None:
        """Takes events from now on, on a thread."""

    def _prepare_exit(self) -> None:
        prepare()

    def _end_program(self, request: KillRequest) -> None:
        exit = self._begin_exit()
        if exit is None:
            return

        def end() -> None:
            try:
                if exit.on_kill is not None:
                    refuse_coroutine(exit.on_kill(request))
            except BaseException as error:
                log_raised("on_kill raised", error=error)
            end_main_thread(request.code)

        try:
            start_thread(end, "libswarm-exit")
        except SwarmError:
            # Without a thread of its own.
            end()
