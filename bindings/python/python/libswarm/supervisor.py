"""A supervisor for threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Unpack

from . import _native
from ._api.supervisor import SupervisorApi
from ._calling import start_thread
from ._options import SupervisorOptions
from ._supervisor import Taken
from .errors import SwarmInCallback
from .processes import SupervisorEvent


class Supervisor(SupervisorApi):
    """Keeps processes running: restarts them when they fail, reloads them one after another, and leaves no orphan processes.

    Listeners, `on("exited", f)`, are called with its events on a thread of the library; or `for event in supervisor:` takes them.
    It needs no Redis. `stop()`, the end of `with` and the end of the program stop all processes; if this process is killed, they
    are killed too.
    """

    def __init__(self, **options: Unpack[SupervisorOptions]) -> None:
        """Starts a supervisor without processes; see `SupervisorOptions`. It has two threads, and one more for listeners."""
        super().__init__(dict(options))
        self._mailbox = _native.Mailbox()
        self._native.listen(self._mailbox)
        #: Locked while a loop takes events.
        self._taking = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ending = False

    def _await(self, call: _native.Call) -> Any:
        return call.wait()

    def _refuse_in_listener(self, what: str) -> None:
        if threading.current_thread() is self._thread:
            raise SwarmInCallback(f"{what}() would wait for the listener it is called in; use {what}(wait=False)")

    def _settle(self) -> None:
        self._left(None)

    def _iterate(self) -> Iterator[SupervisorEvent]:
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> SupervisorEvent | None:
        with self._taking:
            while not self._taken:
                if self._over:
                    return None
                self._taken.extend(self._await_events())
            return self._taken.popleft()

    def _await_events(self) -> Taken:
        """Waits for events and takes them; may return none."""
        if not (events := self._take()):
            self._mailbox.wait()
            self._mailbox.take()
        return events

    def _start_emitting(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = start_thread(self._emit_events, "libswarm-supervisor")

    def _emit_events(self) -> None:
        """The thread of the listeners: emits events until the last."""
        while not self._over:
            for event in self._await_events():
                if self._ending:
                    return
                self._emit(event.event, event)

    def _left(self, patience: float | None) -> None:
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)
            self._ending = True
