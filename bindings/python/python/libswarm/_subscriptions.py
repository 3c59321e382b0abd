"""Events that a member receives only if it subscribes: messages, kill requests, and members that join and leave."""

from __future__ import annotations

from collections.abc import Callable

from . import _native
from ._calling import check_listener
from ._events import Events, Listener
from ._exit import GRACE, Exit
from .types import KillRequest

#: The events that a member subscribes to when they get a listener.
SUBSCRIBED = ("message", "kill", "member")


class Subscriptions(Events):
    """Listeners of messages, and of members that join and leave."""

    _EVENTS = (*SUBSCRIBED, *Events._EVENTS)

    def __init__(self) -> None:
        super().__init__()
        #: Closed: messages that were taken but not emitted are dropped.
        self._muted = False
        self._exit: Exit | None = None

    def on_message(self, listener: Listener) -> Listener:
        """Decorator: `listener(message)` is called for every message from another member, see `Message`.

        The member receives messages soon after the first listener was added and it has registered; `ready` waits for that.
        After `off` it still receives them, and drops them. A worker receives messages in addition to its jobs, but not while
        1,000 jobs wait for a handler or a loop.
        """
        return self.on("message", listener)

    def on_kill(self, listener: Listener) -> Listener:
        """Decorator: `listener(request)` is called when a member requests that this program exits, see `KillRequest`.

        The listener decides what to do, unless `exit_on_kill` was called.
        """
        return self.on("kill", listener)

    def exit_on_kill(self, on_kill: Callable[[KillRequest], object] | None = None, *, grace: float = GRACE) -> None:
        """Exits this program when a member requests it with `kill`. Must be called in the main thread.

        `on_kill(request)` is called first, if there is one, and may delay the exit; for members of an event loop it may be a
        coroutine function, otherwise it is called on a thread of its own. Then SystemExit is raised in the main thread with the
        requested code, so that the program ends as by `sys.exit`: `finally` and `atexit` run, and members leave. `grace` seconds
        (at most an hour) after the request the process exits at any rate, without them. Only the first request has an effect.

        Members of threads use the signal SIGURG for it, which wakes the main thread; in a program with its own handler for that
        signal, the process exits when the grace is over.
        """
        if on_kill is not None:
            check_listener(on_kill, coroutines=self._COROUTINES)
        exit = Exit(on_kill, grace)
        before, self._exit = self._exit, exit
        exit.begun = before is not None and before.begun
        self._prepare_exit()
        self._arm()
        if before is None:
            self.on("kill", self._end_program)

    def on_member(self, listener: Listener) -> Listener:
        """Decorator: `listener(change)` is called when another member joined, left or was lost, see `MemberChange`."""
        return self.on("member", listener)

    def _prepare_exit(self) -> None:
        """Prepares the exit. Called in the main thread."""

    def _arm(self) -> None:
        """Lets the core enforce the grace, once there is a native member."""
        raise NotImplementedError

    def _end_program(self, request: KillRequest) -> object:
        """The listener of `kill`, called for every request."""
        raise NotImplementedError

    def _begin_exit(self) -> Exit | None:
        """Returns what to do at the first request; None after that."""
        if self._exit is None or self._exit.begun:
            return None
        self._exit.begun = True
        return self._exit

    def _subscribe(self, native: _native.Master | _native.Worker, event: str) -> None:
        """Subscribes to the event if it has listeners."""
        if event in SUBSCRIBED and self._listeners[event]:
            native.subscribe(event)

    def _emit_subscribed(self, event: str, detail: object) -> None:
        if not self._muted:
            self._emit(event, detail)
