"""What a process can say to the supervisor that started it."""

from __future__ import annotations

import os

from . import _native


def ready() -> bool:
    """Says that this process is ready, if it was spawned with `ready="explicit"`. Never blocks.

    False if nobody waits for it: it has no supervisor, or one that takes it as ready by its start, or has said so before. The
    descriptor whose number is in `SWARM_READY_FD` is closed, and the variable removed; SwarmInvalidArgument if it is not open.
    """
    try:
        return _native.say_ready()
    finally:
        # Python's copy of the environment, which programs that it starts may be given.
        os.environ.pop("SWARM_READY_FD", None)
