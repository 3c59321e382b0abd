"""A callback that chooses workers, in an event loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from .. import _native
from .._choice import Choice, choose, log_callback
from ..errors import SwarmClosed, SwarmError
from ..types import Candidate, JobInfo
from ._bridge import Bridge

ChooseCallback = Callable[[JobInfo, list[Candidate]], Choice | Awaitable[Choice]]


class ChooserTask:
    """Calls the callback in a task of its own."""

    def __init__(
        self,
        native: _native.Master,
        bridge: Bridge,
        callback: ChooseCallback,
        failed: Callable[[ChooserTask, SwarmError], object],
    ) -> None:
        self._native = native
        self._bridge = bridge
        self._callback = callback
        self._failed = failed
        self._stopped = False
        self._task = bridge.loop.create_task(self._run())

    def stop(self) -> None:
        """Ends the calls, and cancels the callback unless the callback itself stops."""
        self._stopped = True
        if asyncio.current_task() is not self._task:
            self._task.cancel()

    async def _run(self) -> None:
        while not self._stopped:
            try:
                choices: _native.Choices = await self._bridge.future(self._native.choices())
                for job, workers in iter(choices.next, None):
                    await self._ask(choices, job, workers)
                    if self._stopped:
                        return
                await self._bridge.future(self._native.assign(choices))
            except SwarmClosed:
                return
            except SwarmError as error:
                # Otherwise the next round tries again.
                if not error.retryable:
                    self._failed(self, error)
                    return

    async def _ask(self, choices: _native.Choices, job: JobInfo, workers: list[Candidate]) -> None:
        try:
            choice = self._callback(job, workers)
            choose(choices, await choice if inspect.isawaitable(choice) else choice)
        except asyncio.CancelledError as error:
            # Of this task, or of something that the callback awaits?
            if self._task.cancelling():
                raise
            log_callback(job, error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if isinstance(error, GeneratorExit) and self._bridge.loop.is_closed():
                raise
            log_callback(job, error)
