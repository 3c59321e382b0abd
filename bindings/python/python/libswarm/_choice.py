"""The choice of workers by a callback of the program."""

from __future__ import annotations

import contextlib
import threading
from typing import Generic, Protocol, TypeVar

from . import _native
from ._calling import log_raised, log_warning
from ._events import Events
from ._native import Call
from .errors import SwarmError, SwarmInvalidArgument
from .types import Candidate, JobInfo

#: One of the candidates, or its incarnation; None leaves the job for later.
Choice = Candidate | str | None


def choose(choices: _native.Choices, choice: object) -> None:
    """Gives the job that `choices` showed last to the worker that the callback chose, if any."""
    if choice is None:
        return
    incarnation = choice.incarnation if isinstance(choice, Candidate) else choice
    if not isinstance(incarnation, str) or not choices.choose(incarnation):
        raise SwarmInvalidArgument(f"{choice!r} is none of the candidates, nor the incarnation of one")


class Chooser(Protocol):
    """Calls the callback in the background."""

    def stop(self) -> None:
        """Ends the calls. Never blocks."""


AnyChooser = TypeVar("AnyChooser", bound=Chooser)


class Choosing(Events, Generic[AnyChooser]):
    """The chooser of a master, of threads or of an event loop."""

    _native: _native.Master

    def __init__(self) -> None:
        super().__init__()
        self._chooser: AnyChooser | None = None
        self._chooser_lock = threading.Lock()

    def _replace_chooser(self, chooser: AnyChooser | None) -> AnyChooser | None:
        """Stops the chooser before, and returns it."""
        with self._chooser_lock:
            before, self._chooser = self._chooser, chooser
        if before is not None:
            before.stop()
        return before

    def _no_chooser(self, chooser: AnyChooser) -> None:
        """After a chooser that could not be started."""
        with self._chooser_lock:
            if self._chooser is chooser:
                self._chooser = None
        # Awaited, so that it does not undo the next start.
        if (call := self._choosing_not_started()) is not None:
            with contextlib.suppress(SwarmError):
                call.wait()

    def _choosing_not_started(self) -> Call | None:
        """After an error or a cancelled wait: Redis may know the start, and jobs must not wait for a choice that never comes."""
        if self._chooser is None:
            with contextlib.suppress(SwarmError):
                return self._native.stop_choosing()
        return None

    def _choosing_failed(self, chooser: AnyChooser, error: SwarmError) -> None:
        """A chooser has ended by an error that only the user can correct."""
        with self._chooser_lock:
            if self._chooser is not chooser:
                return
            self._chooser = None
        self._choosing_not_started()
        log_warning("the master chooses no more: %s: %s", error.kind, error)
        self._emit_error(error)


def log_callback(job: JobInfo, error: BaseException) -> None:
    """Logs what the callback raised for a job."""
    log_raised("the callback of `choose` raised; job %r is left for later", job.id, error=error)
