"""What a supervisor tells of its processes: the classes of its events, for `match` or by the name each has as `event`."""

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

#: Being started, or not ready yet; ready; told to end; none, until a pause is over; none, until a reload.
ProcessState = Literal["starting", "ready", "stopping", "pausing", "gave_up"]


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process of a supervisor at one moment, or an id that has none."""

    #: One that is started in place of another has the same id, so during a reload there may be two.
    id: int
    #: Of its program.
    name: str
    #: None if there is no process.
    pid: int | None
    state: ProcessState
    #: When it was started, or came to be without a process, in seconds since 1970.
    started_at: float
    #: How often a process of this id was started because the one before had failed.
    restarts: int


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended. As `str`, it says so."""

    #: By itself with a code; by a signal; stopped, as it did not say in time that it is ready; not even started; nobody knows.
    kind: Literal["code", "signal", "not_ready", "not_started", "unknown"]
    #: All but 0 is a failure.
    code: int | None
    #: Its number.
    signal: int | None
    #: Such as `exited with code 1`, or why it could not be started.
    text: str

    @property
    def success(self) -> bool:
        """Whether it ended by itself with code 0, and so is not started again."""
        return self.code == 0

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Started:
    """A process was started."""

    event: ClassVar = "started"

    id: int
    #: Of its program.
    name: str
    #: Its number in the system, and that of its group.
    pid: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A process is ready."""

    event: ClassVar = "ready"

    id: int
    #: Of its program.
    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class Exited:
    """A process ended, and all it had written was told before. What is left of its group is being stopped."""

    event: ClassVar = "exited"

    id: int
    #: Of its program.
    name: str
    #: None if it could not be started.
    pid: int | None
    #: How.
    exit: ProcessExit
    #: Seconds after which another is started; None if none is for this reason.
    respawn: float | None


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Processes of this id failed too often in a short time; only a reload starts one again."""

    event: ClassVar = "gave_up"

    id: int
    #: Of its program.
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """A process wrote a line; only with the option `lines`."""

    event: ClassVar = "line"

    id: int
    #: Of its program.
    name: str
    pid: int
    stream: Literal["stdout", "stderr"]
    #: Without the newline, at most 64 KiB: a longer line comes in pieces, cut between characters if it is UTF-8.
    line: bytes

    @property
    def text(self) -> str:
        """The line read as UTF-8, with U+FFFD for what is not."""
        return self.line.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Dropped:
    """So many were dropped, because nobody took them: lines where this is told, events before all that were kept."""

    event: ClassVar = "dropped"

    lines: int
    #: Other than lines.
    events: int


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A reload is complete: every process was started since it began."""

    event: ClassVar = "reloaded"


@dataclass(frozen=True, slots=True)
class ReloadFailed:
    """A reload was ended at the first process that failed; those not reloaded yet run on."""

    event: ClassVar = "reload_failed"

    #: Which failed; None if the supervisor was stopped meanwhile.
    id: int | None
    #: What `reload` raises.
    error: SwarmError


@dataclass(frozen=True, slots=True)
class Signal:
    """This process was sent a signal that `handle_signals` is for; what follows from it is told next."""

    event: ClassVar = "signal"

    #: Its number, such as 15.
    signal: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """All processes are gone. The last event."""

    event: ClassVar = "stopped"


SupervisorEvent = Started | Ready | Exited | GaveUp | Line | Dropped | Reloaded | ReloadFailed | Signal | Stopped
