"""Listeners by the name of their event."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, TypeVar

from ._calling import check_listener, log_raised, refuse_coroutine
from .errors import SwarmError, SwarmInvalidArgument

Listener = TypeVar("Listener", bound=Callable[..., object])

#: A listener, and the context in which it was added.
Registered = tuple[Callable[..., Any], contextvars.Context]


class Listeners:
    """`on`, `off` and the calls of listeners, each in the context (of `contextvars`) in which it was added."""

    #: The names of the events.
    _EVENTS: tuple[str, ...] = ()
    #: Whether listeners may be coroutine functions.
    _COROUTINES = False

    def __init__(self) -> None:
        # Tuples, replaced as a whole, so that one thread can iterate while another adds a listener.
        self._listeners: dict[str, tuple[Registered, ...]] = dict.fromkeys(self._EVENTS, ())

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled: it belongs to its process; make one in each")

    def on(self, event: str, listener: Listener) -> Listener:
        """Calls `listener` at every `event`. Returns the listener."""
        before = self._of(event)
        check_listener(listener, coroutines=self._COROUTINES)
        self._listeners[event] = (*before, (listener, contextvars.copy_context()))
        return listener

    def off(self, event: str, listener: Callable[..., object]) -> None:
        """Removes the listener."""
        self._listeners[event] = tuple(other for other in self._of(event) if other[0] is not listener)

    def _of(self, event: str) -> tuple[Registered, ...]:
        try:
            return self._listeners[event]
        except (KeyError, TypeError):
            raise SwarmInvalidArgument(f"there is no event `{event}`; the events are {', '.join(self._EVENTS)}") from None

    def _emit(self, event: str, *arguments: object) -> None:
        for listener in self._listeners[event]:
            self._call(listener, *arguments)

    def _call(self, listener: Registered, *arguments: object) -> None:
        """Calls one listener; its exceptions must neither stop the others nor end the library's thread."""
        function, context = listener
        try:
            refuse_coroutine(context.copy().run(function, *arguments))
        except BaseException as error:
            log_raised("a listener raised", error=error)


class Events(Listeners):
    """The events of a member."""

    _EVENTS: tuple[str, ...] = ("ready", "close", "error")

    def __init__(self) -> None:
        super().__init__()
        # The last error from before the first listener of `error`: a listener of another event may have started the emitting.
        self._pending_error: SwarmError | None = None

    def on(self, event: str, listener: Listener) -> Listener:
        """Calls `listener` at every `event`. Returns the listener."""
        super().on(event, listener)
        if event == "error" and self._pending_error is not None:
            error, self._pending_error = self._pending_error, None
            self._call(self._listeners["error"][-1], error)
        return listener

    def on_ready(self, listener: Listener) -> Listener:
        """Decorator: `listener(incarnation)` is called at every registration with the cluster."""
        return self.on("ready", listener)

    def on_close(self, listener: Listener) -> Listener:
        """Decorator: `listener(error)` is called when the member left the cluster: `error` is None if the program closed it."""
        return self.on("close", listener)

    def on_error(self, listener: Listener) -> Listener:
        """Decorator: `listener(error)` is called for an error in the background, once until the error changes.

        The error is also logged, as a warning of a logger under `libswarm`.
        """
        return self.on("error", listener)

    def _emit(self, event: str, *arguments: object) -> None:
        if event == "ready":
            self._pending_error = None
        super()._emit(event, *arguments)

    def _emit_error(self, error: SwarmError) -> None:
        """Emits an error that the native module has logged."""
        if self._listeners["error"]:
            self._emit("error", error)
        else:
            self._pending_error = error
