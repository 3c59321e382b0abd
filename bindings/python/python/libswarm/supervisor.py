"""A supervisor for threads: listeners on a thread of the library's, or a loop in the caller's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self, Unpack

from . import _native
from ._calling import start_thread
from ._options import ProgramOptions, SupervisorOptions
from ._supervisor import Ids, SupervisorBase, Taken, Text
from .errors import SwarmInCallback
from .processes import SupervisorEvent


class Supervisor(SupervisorBase):
    """Keeps processes running: starts them again when they fail, reloads them one after another, and leaves none behind.

    Its events are told to listeners, `on("exited", f)`, on a thread of the library's; or taken by `for event in supervisor:`. It
    needs no Redis. It stops by `stop()`, at the end of `with` and at that of the program; if this process is killed, all it
    started is.
    """

    def __init__(self, **options: Unpack[SupervisorOptions]) -> None:
        """Starts a supervisor without processes; see `SupervisorOptions`. It has two threads, and one more for listeners."""
        super().__init__(dict(options))
        self._mailbox = _native.Mailbox()
        self._native.listen(self._mailbox)
        #: Active by who takes events.
        self._taking = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ending = False

    def spawn(self, command: Text, *args: Text, **options: Unpack[ProgramOptions]) -> Ids:
        """Runs a program with arguments, and answers the ids of its processes, as many as `count`; see `ProgramOptions`.

        `command` is a path, or a name looked for in `PATH`; no shell reads it. It does not wait for the start: a command that
        cannot be started is told by the event `exited`, and tried again. SwarmClosed after a stop.
        """
        ids: Ids = self._spawn(command, args, options).wait()
        return ids

    def kill(self, id: int) -> None:
        """Stops the process of an id for good: TERM to its group, KILL after `grace`. Returns when nothing of it is left.

        SwarmNotFound if there is none, as after it ended with code 0.
        """
        self._native.kill(id).wait()

    def reload(self) -> None:
        """Replaces all processes, one after another: starts another, waits until it is ready, and stops the old one.

        Ends at the first that fails, and the old ones serve on: SwarmUnavailable if the new process cannot be started or exits
        before it is ready, SwarmTimeout if it is not ready within its `ready_timeout`. SwarmClosed if all is stopped meanwhile.
        """
        self._native.reload().wait()

    def stop(self, *, wait: bool = True) -> None:
        """Stops all processes at the same time: TERM to their groups, KILL after `grace`. May be called again.

        Returns when nothing of them is left and listeners have been told all. With `wait` False it only begins; a listener must
        not wait for its own end: SwarmInCallback.
        """
        if wait and threading.current_thread() is self._thread:
            raise SwarmInCallback("stop() would wait for the listener it is called in; use stop(wait=False)")
        call = self._leave()
        if wait:
            if call is not None:
                call.wait()
                self._native.close()
            self._left(None)

    def __iter__(self) -> Iterator[SupervisorEvent]:
        """One event after another, until all have stopped. Of several loops each event goes to one."""
        self._begin_loop()
        return self._iterate()

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
        """The next events, none only when it is time to look for the reason."""
        if not (events := self._take()):
            self._mailbox.wait()
            self._mailbox.take()
        return events

    def _tell(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = start_thread(self._watch, "libswarm-supervisor")

    def _watch(self) -> None:
        """The library's thread: tells events as they come, until the last."""
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
