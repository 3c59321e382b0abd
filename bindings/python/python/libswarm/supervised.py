"""The readiness of a process, for the supervisor that started it."""

from __future__ import annotations

import os

from . import _native


def ready() -> bool:
    """Reports that this process is ready, if it was spawned with `ready="explicit"`. Never blocks.

    Returns False if no supervisor waits for it: there is none, or it counts the process as ready from its start, or this was
    called before. Closes the descriptor whose number is in `SWARM_READY_FD` and removes the variable; raises
    SwarmInvalidArgument if it is not open.
    """
    try:
        return _native.say_ready()
    finally:
        # From Python's copy of the environment, which child processes inherit.
        os.environ.pop("SWARM_READY_FD", None)
