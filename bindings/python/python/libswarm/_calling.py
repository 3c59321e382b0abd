"""Calls of functions of the program: which are accepted, on which thread they run, and their exceptions as text."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import os
import threading
import traceback
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from . import _native
from .errors import SwarmInternal, SwarmInvalidArgument

logger = logging.getLogger("libswarm")

#: Where the files of this package are.
_PACKAGE = os.path.dirname(__file__) + os.sep
#: The limit of characters of a traceback, whose end is kept; the core limits the bytes.
_MAX_TRACEBACK = 16 * 1024


def returns_coroutine(function: Any) -> bool:
    """Whether it is a coroutine function, or wraps one."""
    return any(asyncio.iscoroutinefunction(one) or inspect.iscoroutinefunction(one) for one in _forms(function))


def _returns_generator(function: Any) -> bool:
    return any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in _forms(function))


def _forms(function: Any) -> list[Any]:
    """The function, what it wraps, and the `__call__` of an object."""
    forms: list[Any] = []
    form: Any
    for form in (function, getattr(type(function), "__call__", None)):  # noqa: B004
        while isinstance(form, functools.partial):
            form = form.func
        forms.append(form)
        try:
            # The function that `functools.wraps` was used for.
            forms.append(inspect.unwrap(form))
        except ValueError:
            # Wraps itself.
            continue
    return forms


def _check_function(what: str, function: object) -> None:
    if not callable(function):
        raise SwarmInvalidArgument(f"{what} is of type {type(function).__name__}, it must be a function")
    if _returns_generator(function):
        raise SwarmInvalidArgument(f"{what} is a generator function, which would never run: it must not `yield`")


def check_handler(function: object, *, coroutine: bool) -> None:
    """Checks a handler: it must be a coroutine function in a loop, and any other function on threads."""
    _check_function("the handler", function)
    if returns_coroutine(function) is not coroutine:
        raise SwarmInvalidArgument(
            "the handler is no coroutine function: write `async def`, or use libswarm.Worker, which runs functions on threads"
            if coroutine
            else "the handler is a coroutine function: write `def`, or use libswarm.aio.Worker, which runs coroutines"
        )


def check_listener(function: object, *, coroutines: bool) -> None:
    """Checks a listener. With `coroutines` it may be a coroutine function."""
    _check_function("the listener", function)
    if not coroutines and returns_coroutine(function):
        raise SwarmInvalidArgument("the listener is a coroutine function, which only members of libswarm.aio can have")


def check_on_existed(function: object) -> None:
    """Checks the argument `on_existed`. Accepts None."""
    if function is None:
        return
    _check_function("on_existed", function)
    if returns_coroutine(function):
        raise SwarmInvalidArgument("on_existed is a coroutine function, it must be a function that returns at once")


def check_job_listener(function: object, in_loop: bool) -> None:
    """`check_listener` for the native module."""
    check_listener(function, coroutines=in_loop)


#: The longest grace of a worker, as in the core.
DAY = 86_400.0


def check_seconds(name: str, value: object, most: float = 1e12) -> float:
    """Checks a duration, of at most `most` seconds."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= float(value) <= most:
            raise OverflowError
    except OverflowError:
        shown = text_of(value)[:40] if isinstance(value, int | float) else f"of type {class_name(value)}"
        bounds = "from 0 on" if most > DAY else f"from 0 to {most:.0f}"
        raise SwarmInvalidArgument(f"{name} is {shown}, it must be a number of seconds, {bounds}") from None
    return float(value)


def refuse_coroutine(answer: object) -> None:
    """Raises if a function on threads returned a coroutine, which would never run."""
    if type(answer) is CoroutineType:
        answer.close()
        raise TypeError("a coroutine was returned, which only libswarm.aio runs")


def text_of(value: object) -> str:
    """The text of anything; never raises."""
    try:
        # A plain str also for an instance of a subclass.
        return "".join((str(value),))
    except BaseException:
        return f"<{class_name(value)} without a readable text>"


def class_name(value: object) -> str:
    """The name of its class; never raises."""
    try:
        return "".join((type(value).__name__,))
    except BaseException:
        return "object"


def message_of(error: BaseException) -> str:
    """The class and the text of an exception; never raises."""
    try:
        text = "".join((str(error),))
    except BaseException:
        return f"{class_name(error)}, which has no readable text"
    return f"{class_name(error)}: {text}" if text else class_name(error)


def traceback_of(error: BaseException) -> str:
    """Its traceback with those of its causes, as Python prints it; never raises."""
    try:
        own = trace = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            own = own.tb_next
        # From the first frame of the program's code, if there is one.
        return "".join(traceback.format_exception(type(error), error, own or trace))[-_MAX_TRACEBACK:]
    except BaseException:
        try:
            return "".join(traceback.format_tb(error.__traceback__))[-_MAX_TRACEBACK:] + message_of(error)
        except BaseException:
            return message_of(error)


def log_raised(message: str, *arguments: object, error: BaseException) -> None:
    """Logs an exception as an error. A filter or handler that raises must not end the calling thread."""
    try:
        logger.error(message, *arguments, exc_info=error)
    except Exception:
        complain()


def log_warning(message: str, *arguments: object) -> None:
    """Logs a warning; never raises."""
    _log(logging.WARNING, message, *arguments)


def log_info(message: str, *arguments: object) -> None:
    """Logs an information; never raises."""
    _log(logging.INFO, message, *arguments)


def _log(level: int, message: str, *arguments: object) -> None:
    try:
        logger.log(level, message, *arguments)
    except Exception:
        complain()


def complain() -> None:
    """Prints the exception of a filter or handler of `logging`, as `logging` does for its own errors."""
    if logging.raiseExceptions:
        with contextlib.suppress(Exception):
            traceback.print_exc()


def start_thread(target: Callable[[], object], name: str) -> threading.Thread:
    """Starts a daemon thread. Raises a SwarmError if it cannot be started; `target` is not called then."""
    here = _native.thread_number()
    is_thread = True

    def run() -> None:
        nonlocal is_thread
        if _native.thread_number() == here:
            # A greenlet that would run within `start`, which would never return.
            is_thread = False
            return
        target()

    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise SwarmInternal(f"the thread {name} cannot be started: {error}") from error
    if not is_thread:
        raise SwarmInvalidArgument(
            "the threads of this process are greenlets (`monkey.patch_all` of gevent or eventlet), which a wait of the library's "
            "would stop forever; run workers in a process without it, or patch with `thread=False, queue=False`"
        )
    return thread
