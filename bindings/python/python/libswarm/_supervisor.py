"""What the supervisor of threads and the supervisor of an event loop have in common: options, programs, events."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import _lifecycle, _native, logs
from ._events import Listener, Listeners
from ._options import ProgramOptions, texts
from .errors import SwarmError, SwarmInvalidArgument
from .processes import (
    Dropped,
    Exited,
    GaveUp,
    Line,
    ProcessExit,
    ProcessInfo,
    Ready,
    Reloaded,
    ReloadFailed,
    Signal,
    Started,
    Stopped,
    SupervisorEvent,
)

#: What a system call takes as text; a str may hold bytes that are no UTF-8, as those of `os.fsdecode` do.
Text = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Ids = list[int]
Infos = list[ProcessInfo]
Taken = list[SupervisorEvent]

#: Events taken in one crossing.
BATCH = 256
#: Seconds between TERM and KILL unless the option says otherwise; as in the core.
_GRACE = 5.0

_CLASSES: dict[str, Callable[..., SupervisorEvent]] = {
    of.event: of for of in (Started, Ready, Exited, GaveUp, Line, Dropped, Reloaded, ReloadFailed, Signal, Stopped)
}


class SupervisorBase(Listeners):
    """The listeners and the state of a supervisor, whatever waits for its events."""

    _EVENTS = tuple(_CLASSES)

    def __init__(self, options: dict[str, object]) -> None:
        super().__init__()
        self._native = _native.Supervisor(texts(options))
        logs.begin()
        #: For a loop, which has asked for one of them.
        self._taken: collections.deque[SupervisorEvent] = collections.deque()
        #: The last event has been taken.
        self._over = False
        self._looped = False
        grace = options.get("grace")
        _lifecycle.register(self, grace if isinstance(grace, int | float) else _GRACE)

    def on(self, event: str, listener: Listener) -> Listener:
        """Has `listener(event)` called at every event of the name; see `libswarm.processes` for what they are told."""
        if self._looped:
            raise SwarmInvalidArgument("a loop takes the events of this supervisor; there is none left for a listener")
        listener = super().on(event, listener)
        try:
            self._tell()
        except SwarmError:
            self.off(event, listener)
            raise
        return listener

    def handle_signals(self) -> None:
        """From now on SIGHUP reloads, and SIGTERM and SIGINT stop all processes; each is told by the event `signal`.

        They end this program no more and raise no KeyboardInterrupt, not even after the stop: end it at the event `stopped`. In a
        forked child they are as before. SwarmClosed after a stop.
        """
        self._native.handle_signals()

    def list(self) -> Infos:
        """All processes, and the ids that have none at the moment, in the order of their ids. Never blocks."""
        return self._native.processes()

    def _tell(self) -> None:
        """Begins to tell events to listeners."""
        raise NotImplementedError

    def _spawn(self, command: Text, args: Iterable[Text], options: ProgramOptions) -> _native.Call:
        told: dict[str, object] = dict(options)
        env, dir, cpus = told.pop("env", None), told.pop("dir", None), told.pop("cpus", None)
        if env is not None and not isinstance(env, Mapping):
            raise SwarmInvalidArgument(f"env is of type {type(env).__name__}, it must map names to values")
        if cpus is not None:
            told["cpus"] = cpus if isinstance(cpus, str) else ",".join(str(cpu) for cpu in _each("cpus", cpus))
        return self._native.spawn(
            _bytes("command", command),
            [_bytes("an argument", arg) for arg in args],
            [(_bytes("a name in env", name), _bytes("a value in env", value)) for name, value in (env or {}).items()],
            None if dir is None else _bytes("dir", dir),
            texts(told),
        )

    def _take(self) -> Taken:
        """Some events, none only if there are none now."""
        events = [_event(*event) for event in self._native.take(BATCH)]
        if events and isinstance(events[-1], Stopped):
            self._over = True
            self._native.close()
        return events

    def _begin_loop(self) -> None:
        if any(self._listeners.values()):
            raise SwarmInvalidArgument("the supervisor has listeners, which take its events; there is none left to loop over")
        self._looped = True

    def _leave(self) -> _native.Call | None:
        return self._native.stop()

    def _left(self, patience: float | None) -> None:
        """Nothing but threads is left to end."""


def _event(kind: str, fields: tuple[Any, ...]) -> SupervisorEvent:
    if kind == "exited":
        id, name, pid, exit, respawn = fields
        return Exited(id, name, pid, ProcessExit(*exit), respawn)
    return _CLASSES[kind](*fields)


def _bytes(what: str, text: object) -> bytes:
    if not isinstance(text, str | bytes | os.PathLike):
        raise SwarmInvalidArgument(f"{what} is of type {type(text).__name__}, it must be a str, bytes or a path")
    try:
        return os.fsencode(text)
    except UnicodeEncodeError as error:
        raise SwarmInvalidArgument(f"{what} has lone surrogates") from error


def _each(name: str, values: object) -> Iterable[object]:
    if not isinstance(values, Iterable):
        raise SwarmInvalidArgument(f"{name} is of type {type(values).__name__}, it must be some numbers, or a str such as 0,2-3")
    return values
