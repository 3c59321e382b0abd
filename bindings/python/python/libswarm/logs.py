"""The library's log in Python's `logging`: warnings and errors, unless told otherwise."""

from __future__ import annotations

import logging
import os
import threading

from . import _native
from ._calling import complain, start_thread
from .errors import SwarmError, SwarmInvalidArgument

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: logging.DEBUG}
#: Seconds that the end of the program may wait for a handler of `logging` that is slow.
_PATIENCE = 1.0


def enable_logging(level: int = logging.INFO) -> None:
    """Has the library's records of `level` (of the `logging` module) and above logged, by loggers named `libswarm.<part>`.

    From the start these are warnings and errors: handlers that failed, trouble with Redis. Unless the program configures
    `logging`, Python prints them to stderr.
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
    """Has the library log nothing, not even errors."""
    _log.set_level(0)


def begin() -> None:
    """There is a member, which may have something to say."""
    _log.begin()


def end() -> None:
    """At the end of the program, when all members have left: logs what is left."""
    _log.end()


class _Log:
    """Takes the core's records in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Active while records are told to `logging`.
        self._telling = threading.Lock()
        #: Up to which the core's records are taken; 0 for none.
        self._level = 2
        self._native: _native.Log | None = None

    def begin(self) -> None:
        """Again in a forked child. A process that has no thread left for it goes without a log."""
        if self._native is None and self._level:
            try:
                self.set_level(self._level)
            except SwarmError:
                self._native = None

    def set_level(self, level: int) -> None:
        """From now on; 0 for nothing."""
        with self._lock:
            self._level = level
            if self._native is None and level:
                mailbox = _native.Mailbox()
                native = _native.Log(mailbox)

                def run() -> None:
                    while True:
                        mailbox.wait()
                        mailbox.take()
                        self._tell(native)

                start_thread(run, "libswarm-log")
                self._native = native
            if self._native is not None:
                self._native.fill(level)

    def end(self) -> None:
        """Never waits for long: the program ends."""
        if self._native is not None:
            self._native.fill(0)
            self._native.wait(_PATIENCE)
            self._tell(self._native, _PATIENCE)

    def forget(self) -> None:
        """In a forked child: what the parent's threads held would be held for ever."""
        self._lock, self._telling, self._native = threading.Lock(), threading.Lock(), None

    def _tell(self, native: _native.Log, patience: float = -1.0) -> None:
        if self._telling.acquire(timeout=patience):
            try:
                for level, target, message in native.take():
                    _tell(level, target, message)
            finally:
                self._telling.release()


def _tell(level: int, target: str, message: str) -> None:
    try:
        logger = logging.getLogger("libswarm." + target.removeprefix("libswarm::").replace("::", "."))
        logger.log(_LEVELS[level], "%s", message)
    except BaseException:
        # Of a filter of the program's; the next record may fare better.
        complain()


_log = _Log()
os.register_at_fork(after_in_child=_log.forget)
