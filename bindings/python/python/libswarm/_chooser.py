"""A callback that chooses workers, on a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from . import _native
from ._calling import refuse_coroutine, start_thread
from ._choice import Choice, choose, log_callback
from .errors import SwarmClosed, SwarmError
from .types import Candidate, JobInfo

ChooseCallback = Callable[[JobInfo, list[Candidate]], Choice]


class ChooserThread:
    """Calls the callback on a thread of its own."""

    def __init__(
        self,
        native: _native.Master,
        callback: ChooseCallback,
        failed: Callable[[ChooserThread, SwarmError], object],
    ) -> None:
        self._native = native
        self._callback = callback
        self._failed = failed
        # Not `Call.wait`, which does not end while the program exits: this thread must end before.
        self._mailbox = _native.Mailbox()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread = start_thread(self._run, "libswarm-chooser")

    def stop(self) -> None:
        """Ends the calls. Never blocks; `join` waits."""
        self._stopped = True
        self._mailbox.announce()

    def join(self, patience: float) -> None:
        """Waits until the callback has returned, unless the callback itself waits."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join(patience)

    def _run(self) -> None:
        while not self._stopped:
            try:
                choices: _native.Choices = self._wait(self._native.choices())
                for job, workers in iter(choices.next, None):
                    self._ask(choices, job, workers)
                    if self._stopped:
                        return
                self._wait(self._native.assign(choices))
            except SwarmClosed:
                return
            except SwarmError as error:
                # Otherwise the next round tries again.
                if not error.retryable:
                    self._failed(self, error)
                    return

    def _ask(self, choices: _native.Choices, job: JobInfo, workers: list[Candidate]) -> None:
        try:
            choice = self._callback(job, workers)
            refuse_coroutine(choice)
            choose(choices, choice)
        except BaseException as error:
            log_callback(job, error)

    def _wait(self, call: _native.Call) -> Any:
        call.notify(self._mailbox, 0)
        while not self._mailbox.take():
            if self._stopped:
                call.abort()
                raise SwarmClosed("the choosing has ended")
            self._mailbox.wait()
        return call.result()
