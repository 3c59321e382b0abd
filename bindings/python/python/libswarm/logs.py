"""The library's log in Python's `logging`; by default warnings and errors."""

from __future__ import annotations

import logging
import os
import threading

from . import _native
from ._calling import complain, start_thread
from .errors import SwarmError, SwarmInvalidArgument

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: logging.DEBUG}
#: Seconds that the exit of the program may wait for a slow handler of `logging`.
_PATIENCE = 1.0


def enable_logging(level: int = logging.INFO) -> None:
    """Logs the library's records of `level` (of the `logging` module) and above, by loggers named `libswarm.<part>`.

    The default is warnings and errors: handlers that failed, problems with Redis. Unless the program configures `logging`,
    Python prints them to stderr.
    """
    if isinstance(level, bool) or not isinstance(level, int):
        raise SwarmInvalidArgument(
            f"level is of type {type(level).__name__}, it must be a level of `logging`, such as logging.INFO"
        )
    if level > logging.ERROR:
        disable_logging()
    else:
        _log.set_level(max(core for core, python in _LEVELS.items() if python >= level or core == 1))


def disable_logging() -> None:
    """Logs nothing, not even errors."""
    _log.set_level(0)


def begin() -> None:
    """Starts the log, with the first member of a process."""
    _log.begin()


def end() -> None:
    """At the exit of the program, after all members have left: logs the remaining records."""
    _log.end()


class _Log:
    """Takes the core's records on a separate thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Locked while records are passed to `logging`.
        self._logging = threading.Lock()
        #: The core's level up to which records are taken; 0 for none.
        self._level = 2
        self._native: _native.Log | None = None

    def begin(self) -> None:
        """Starts the log, also in a forked child. Does nothing if its thread cannot be started."""
        if self._native is None and self._level:
            try:
                self.set_level(self._level)
            except SwarmError:
                self._native = None

    def set_level(self, level: int) -> None:
        """Sets the core's level; 0 for nothing."""
        with self._lock:
            self._level = level
            if self._native is None and level:
                mailbox = _native.Mailbox()
                native = _native.Log(mailbox)

                def run() -> None:
                    while True:
                        mailbox.wait()
                        mailbox.take()
                        self._log(native)

                start_thread(run, "libswarm-log")
                self._native = native
            if self._native is not None:
                self._native.fill(level)

    def end(self) -> None:
        """Waits at most twice `_PATIENCE`."""
        if self._native is not None:
            self._native.fill(0)
            self._native.wait(_PATIENCE)
            self._log(self._native, _PATIENCE)

    def forget(self) -> None:
        """Called in a forked child: locks of the parent's threads would stay locked forever."""
        self._lock, self._logging, self._native = threading.Lock(), threading.Lock(), None

    def _log(self, native: _native.Log, patience: float = -1.0) -> None:
        if self._logging.acquire(timeout=patience):
            try:
                for level, target, message in native.take():
                    _log_record(level, target, message)
            finally:
                self._logging.release()


def _log_record(level: int, target: str, message: str) -> None:
    try:
        logger = logging.getLogger("libswarm." + target.removeprefix("libswarm::").replace("::", "."))
        logger.log(_LEVELS[level], "%s", message)
    except BaseException:
        # Raised by a filter of the program.
        complain()


_log = _Log()
os.register_at_fork(after_in_child=_log.forget)
