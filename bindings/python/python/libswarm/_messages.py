"""Messages between members, and who comes and goes, for masters and workers of threads; what both faces have in common."""

from __future__ import annotations

from collections.abc import Callable

from . import _native
from ._calling import check_listener, log_raised, refuse_coroutine, start_thread
from ._events import Events, Listener
from ._exit import GRACE, Exit, end_main_thread, prepare
from .errors import SwarmError
from .types import KillRequest, MemberRef, Receipt, To

#: Of these a member is told only what it asks for.
HEARD = ("message", "kill", "member")


class Hearing(Events):
    """Listeners of messages, and of members that come and go."""

    _EVENTS = (*HEARD, *Events._EVENTS)

    def __init__(self) -> None:
        super().__init__()
        #: Closed: what was taken but not told is told no more.
        self._deaf = False
        self._exit: Exit | None = None

    def on_message(self, listener: Listener) -> Listener:
        """Decorator: `listener(message)` is called for every message from another member, see `Message`.

        It hears them soon after the first listener was given and it has registered; `ready` waits for that. Those that come after
        `off` are taken all the same. A worker is told messages beside its jobs, but
        not while 1,000 jobs wait here for a handler or a loop.
        """
        return self.on("message", listener)

    def on_kill(self, listener: Listener) -> Listener:
        """Decorator: `listener(request)` is called when a member asks this program to end, see `KillRequest`.

        What it does is its own, unless `exit_on_kill` was called.
        """
        return self.on("kill", listener)

    def exit_on_kill(self, on_kill: Callable[[KillRequest], object] | None = None, *, grace: float = GRACE) -> None:
        """From now on this program ends when a member asks it to, by `kill`. To be called in the main thread.

        `on_kill(request)` is called first, if there is one, and may delay the end; it may be a coroutine function for members of
        an event loop, and is called on a thread of its own otherwise. Then SystemExit is raised in the main thread with the code
        that was asked for, so that the program ends as by `sys.exit`: `finally` and `atexit` run, and members leave. `grace`
        seconds (at most an hour) after the request the process exits in any case, without them. The first request counts.

        Members of threads take the signal SIGURG for it, which wakes the main thread; in a program with a handler of its own
        for that signal, the process exits when the grace is over.
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

    def _prepare_exit(self) -> None:
        """In the main thread."""

    def _arm(self) -> None:
        """Has the core see to the grace, once there is a native member."""
        raise NotImplementedError

    def _end_program(self, request: KillRequest) -> object:
        """Asked to end, the first time or again."""
        raise NotImplementedError

    def _begin_exit(self) -> Exit | None:
        """What is to be done; None if it is being done."""
        if self._exit is None or self._exit.begun:
            return None
        self._exit.begun = True
        return self._exit

    def on_member(self, listener: Listener) -> Listener:
        """Decorator: `listener(change)` is called when another member joined, left or was lost, see `MemberChange`."""
        return self.on("member", listener)

    def _hear(self, native: _native.Master | _native.Worker, event: str) -> None:
        """Has the member told what there are listeners for."""
        if event in HEARD and self._listeners[event]:
            native.hear(event)

    def _tell_heard(self, event: str, detail: object) -> None:
        if not self._deaf:
            self._emit(event, detail)


class Messenger(Hearing):
    """The messages of a master or worker of threads."""

    def send(
        self,
        payload: object,
        to: To = "all",
        *,
        acknowledged: float | None = None,
        request: float | None = None,
        to_self: bool = False,
    ) -> Receipt:
        """Sends a message to the members that listen, and returns when Redis has put it into their inboxes.

        `to` is "all", or `{"group": …}`, `{"name": …}`, `{"pid": …}` and a `host` unless it is this one, or `{"member": …}`, an
        incarnation. With `to_self` the sender may be among them. The payload is what `json` can write, or bytes; 64 KiB at most.

        With `acknowledged` it waits, at most so many seconds, until each of them is about to hear the message; with `request`
        until each has replied. Of the limits, 1 ms to a year, one can be given. A message for nobody is answered at once. The
        messages of a member arrive in the order of these calls, and 10,000 may wait to be sent.

        Raises SwarmInvalidArgument, SwarmTooLarge, SwarmUnavailable or another retryable error if it was not sent within the
        option `timeout`, and SwarmOutcomeUnknown if it may have been.
        """
        receipt: Receipt = self._messages().send(payload, to, acknowledged, request, to_self).wait()
        return receipt

    def kill(self, to: To, code: int = 0) -> Receipt:
        """Asks the programs of members that listen to end with this exit code: their event `kill`. `to` is as for `send`."""
        receipt: Receipt = self._messages().kill(to, code).wait()
        return receipt

    def confirm(self, name: str) -> None:
        """Says to all that wait with `confirmations` that this member is so far. `name` has 1 to 256 bytes."""
        self._messages().confirm(name).wait()

    def confirmations(self, count: int, name: str) -> list[MemberRef]:
        """Waits, with no limit, until `count` distinct members have confirmed `name` from now on; who, in their order.

        From then on this member also gets messages, whether it has a listener or not.
        """
        self._take_events()
        members: list[MemberRef] = self._messages().confirmations(count, name).wait()
        return members

    def set_data(self, value: object) -> None:
        """What `members()` tells of this member as `data`: what `json` can write, at most 4 KiB. It outlives a lost lease."""
        self._messages().set_data(value).wait()

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
            # It ends all the same.
            end()

    def _messages(self) -> _native.Master | _native.Worker:
        raise NotImplementedError

    def _take_events(self) -> None:
        """Has events taken from now on, so that messages do not pile up."""
