"""The exit of the program at the request of a member."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from .errors import SwarmInvalidArgument

#: The default grace, in seconds.
GRACE = 5.0
MAX_GRACE = 3600.0

#: Interrupts the main thread in a blocking call. Ignored by default, so that a late signal has no effect.
_WAKE = signal.SIGURG

_code: int | None = None


class Exit:
    """What a member does when another member requests the exit of the program."""

    def __init__(self, on_kill: Callable[..., Any] | None, grace: float) -> None:
        if isinstance(grace, bool) or not isinstance(grace, int | float) or not 0 <= grace <= MAX_GRACE:
            raise SwarmInvalidArgument(f"grace is {grace!r}, it must be a number of seconds, 0 to {MAX_GRACE:g}")
        if threading.current_thread() is not threading.main_thread():
            raise SwarmInvalidArgument("exit_on_kill() is for the main thread, whose end is the program's")
        self.on_kill = on_kill
        self.grace = grace
        self.begun = False


def prepare() -> None:
    """Installs the signal handler of `end_main_thread`. Must be called in the main thread."""
    if signal.getsignal(_WAKE) in (signal.SIG_DFL, signal.SIG_IGN):
        signal.signal(_WAKE, _raise)


def end_main_thread(code: int) -> None:
    """Raises SystemExit in the main thread, from another one."""
    global _code
    _code = code
    main = threading.main_thread()
    # A program with its own handler for the signal exits when the grace is over.
    if main.is_alive() and main.ident is not None and signal.getsignal(_WAKE) is _raise:
        signal.pthread_kill(main.ident, _WAKE)


def _raise(number: int, frame: FrameType | None) -> None:
    if _code is not None:
        raise SystemExit(_code)
