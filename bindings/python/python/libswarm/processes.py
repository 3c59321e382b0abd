"""The processes of a supervisor, and the classes of its events, whose names are in `event`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .errors import SwarmError

__all__ = [
    "Dropped",
    "Exited",
    "GaveUp",
    "Line",
    "ProcessExit",
    "ProcessInfo",
    "ProcessState",
    "Ready",
    "ReloadFailed",
    "Reloaded",
    "Signal",
    "Started",
    "Stopped",
    "SupervisorEvent",
]

#: Started but not ready; ready; stopping; without a process until a pause is over; without a process until a reload.
ProcessState = Literal["starting", "ready", "stopping", "pausing", "gave_up"]


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process of a supervisor at one moment, or an id that has none."""

    #: A replacement has the same id, so during a reload there may be two.
    id: int
    #: The name of its program.
    name: str
    #: None if there is no process.
    pid: int | None
    state: ProcessState
    #: When it was started, or since when there is no process, in seconds since 1970.
    started_at: float
    #: How often a process of this id was restarted after a failure.
    restarts: int


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process exited. `str` describes it."""

    #: With an exit code; by a signal; stopped because it was not ready in time; it could not be started; unknown.
    reason: Literal["code", "signal", "not_ready", "not_started", "unknown"]
    #: The exit code. Any code except 0 is a failure.
    code: int | None
    #: The number of the signal.
    signal: int | None
    #: Such as `exited with code 1`, or why it could not be started.
    message: str

    @property
    def success(self) -> bool:
        """Whether it exited with code 0, so that it is not restarted."""
        return self.code == 0

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Started:
    """A process was started."""

    event: ClassVar = "started"

    id: int
    #: The name of its program.
    name: str
    #: The process id, which is also that of its group.
    pid: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A process is ready."""

    event: ClassVar = "ready"

    id: int
    #: The name of its program.
    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class Exited:
    """A process exited; all its lines were emitted before. The rest of its group is being stopped."""

    event: ClassVar = "exited"

    id: int
    #: The name of its program.
    name: str
    #: None if it could not be started.
    pid: int | None
    #: How it exited.
    exit: ProcessExit
    #: Seconds until it is restarted; None if it is not restarted for this exit.
    respawn: float | None


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Processes of this id failed too often in a short time. Only a reload starts another."""

    event: ClassVar = "gave_up"

    id: int
    #: The name of its program.
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """A process wrote a line; only with the option `lines`."""

    event: ClassVar = "line"

    id: int
    #: The name of its program.
    name: str
    pid: int
    stream: Literal["stdout", "stderr"]
    #: The line without its newline, at most 64 KiB. Longer lines are split, between characters if they are UTF-8.
    line: bytes

    @property
    def text(self) -> str:
        """The line decoded as UTF-8; invalid bytes become U+FFFD."""
        return self.line.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Dropped:
    """Lines and events were dropped, because they were not taken: lines at this point, events before all that were kept."""

    event: ClassVar = "dropped"

    lines: int
    #: Events other than lines.
    events: int


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A reload is complete: every process was started since it began."""

    event: ClassVar = "reloaded"


@dataclass(frozen=True, slots=True)
class ReloadFailed:
    """A reload ended early, at the first process that failed. Processes that were not reloaded yet continue."""

    event: ClassVar = "reload_failed"

    #: The id that failed; None if the supervisor was stopped meanwhile.
    id: int | None
    #: The error that `reload` raises.
    error: SwarmError


@dataclass(frozen=True, slots=True)
class Signal:
    """This process received a signal of `handle_signals`; the events that it causes follow."""

    event: ClassVar = "signal"

    #: The number of the signal, such as 15.
    signal: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """All processes are gone. The last event."""

    event: ClassVar = "stopped"


SupervisorEvent = Started | Ready | Exited | GaveUp | Line | Dropped | Reloaded | ReloadFailed | Signal | Stopped
