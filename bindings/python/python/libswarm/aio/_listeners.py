"""Listeners in an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from .._calling import log_raised
from .._events import Listeners, Registered

#: Seconds after which an ending loop has ended.
ENDING = 0.2


class LoopListeners(Listeners):
    """Listeners of a loop, which may be coroutine functions."""

    _COROUTINES = True

    #: Tasks of listeners that are coroutine functions; the loop keeps only weak references to tasks.
    _tasks_of_listeners: set[asyncio.Task[None]]

    def _call(self, listener: Registered, *arguments: object) -> None:
        function, context = listener[0], listener[1].copy()
        try:
            answer = context.run(function, *arguments)
        except (KeyboardInterrupt, SystemExit):
            # In a loop these exceptions end the program.
            raise
        except BaseException as error:
            log_raised("a listener raised", error=error)
            return
        if asyncio.iscoroutine(answer):
            spawn(self._tasks_of_listeners, answer, context, _listener_raised)


def spawn(
    tasks: set[asyncio.Task[None]],
    coroutine: Coroutine[Any, Any, object],
    context: contextvars.Context,
    failed: Callable[[BaseException], object],
) -> None:
    """Runs the coroutine of a listener; `failed` is called with its exception, unless the loop is ending."""

    async def guarded() -> None:
        try:
            await coroutine
        except asyncio.CancelledError as error:
            unless_ending(functools.partial(failed, error))
            raise
        except GeneratorExit as error:
            # Either a loop that is gone destroys its coroutines, or the listener raised it.
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
    """Calls `then()` if the loop continues.

    A task that was not cancelled by the library has cancelled itself, or was cancelled at the end of `asyncio.run`.
    """
    asyncio.get_running_loop().call_later(ENDING, then)


def _listener_raised(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        # In a loop these exceptions end the program.
        raise error
    log_raised("a listener raised", error=error)
