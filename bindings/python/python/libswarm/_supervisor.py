"""The common part of the supervisors of threads and of event loops: options, programs, events."""

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

#: A text for system calls; a str may contain bytes that are not UTF-8, as `os.fsdecode` returns them.
Text = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Ids = list[int]
Infos = list[ProcessInfo]
Taken = list[SupervisorEvent]

#: Events per crossing into the native module.
BATCH = 256
#: The default of the option `grace`, in seconds; as in the core.
_GRACE = 5.0

_CLASSES: dict[str, Callable[..., SupervisorEvent]] = {
    of.event: of for of in (Started, Ready, Exited, GaveUp, Line, Dropped, Reloaded, ReloadFailed, Signal, Stopped)
}


class SupervisorBase(Listeners):
    """The listeners and the state of a supervisor."""

    _EVENTS = tuple(_CLASSES)

    def __init__(self, options: dict[str, object]) -> None:
        super().__init__()
        self._native = _native.Supervisor(texts(options))
        logs.begin()
        #: Events that were taken and not yet returned by a loop.
        self._taken: collections.deque[SupervisorEvent] = collections.deque()
        #: Whether the last event has been taken.
        self._over = False
        self._looped = False
        grace = options.get("grace")
        _lifecycle.register(self, grace if isinstance(grace, int | float) else _GRACE)

    def on(self, event: str, listener: Listener) -> Listener:
        """Calls `listener(event)` at every event of the name; see `libswarm.processes` for the events."""
        if self._looped:
            raise SwarmInvalidArgument("a loop takes the events of this supervisor; there is none left for a listener")
        listener = super().on(event, listener)
        try:
            self._start_emitting()
        except SwarmError:
            self.off(event, listener)
            raise
        return listener

    def list(self) -> Infos:
        """All processes, and the ids that have none at the moment, in the order of their ids. Never blocks."""
        return self._native.processes()

    def _start_emitting(self) -> None:
        """Starts to call listeners."""
        raise NotImplementedError

    def _spawn(self, command: Text, args: Iterable[Text], options: ProgramOptions) -> _native.Call:
        known = ProgramOptions.__annotations__
        for name in options:
            if name not in known:
                raise SwarmInvalidArgument(f"unknown option `{name}` of a program; it takes {', '.join(known)}")
        rest: dict[str, object] = dict(options)
        env, cwd, cpus = rest.pop("env", None), rest.pop("cwd", None), rest.pop("cpus", None)
        if env is not None and not isinstance(env, Mapping):
            raise SwarmInvalidArgument(f"env is of type {type(env).__name__}, it must map names to values")
        if cpus is not None:
            rest["cpus"] = cpus if isinstance(cpus, str) else ",".join(str(cpu) for cpu in _each("cpus", cpus))
        return self._native.spawn(
            _bytes("command", command),
            [_bytes("an argument", arg) for arg in args],
            [(_bytes("a name in env", name), _bytes("a value in env", value)) for name, value in (env or {}).items()],
            None if cwd is None else _bytes("cwd", cwd),
            texts(rest),
        )

    def _take(self) -> Taken:
        """Takes a batch of events; empty only if there are none now."""
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
        """Called when only threads remain to be ended."""


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
