"""The core's log in Python's `logging`. Off unless asked for."""

from __future__ import annotations

import logging

from . import _native

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: logging.DEBUG}


def enable_logging(level: int = logging.INFO) -> None:
    """Has the core's records of `level` (of the `logging` module) and above logged as `libswarm.<part>`."""
    if level > logging.ERROR:
        disable_logging()
    else:
        _native.set_log_sink(max(core for core, python in _LEVELS.items() if python >= level or core == 1), _log)


def disable_logging() -> None:
    """Has the core log nothing, as before."""
    _native.set_log_sink(0)


def _log(level: int, target: str, message: str) -> None:
    logger = logging.getLogger("libswarm." + target.removeprefix("libswarm::").replace("::", "."))
    logger.log(_LEVELS[level], "%s", message)
