"""A clean exit: members that are still open when the program ends leave their cluster, and processes are stopped."""

from __future__ import annotations

import atexit
import time
import weakref
from typing import Protocol

from . import _native, logs
from .errors import SwarmError

#: Seconds that the exit of the program may wait for Redis, for all members together.
_PATIENCE = 2.0


class Member(Protocol):
    """An object that leaves at the exit of the program."""

    def _leave(self) -> _native.Call | None:
        """Starts to leave without waiting for jobs; None if there is nothing to leave."""

    def _left(self, patience: float) -> None:
        """Ends the threads after the member has left."""


#: Members, with the additional seconds that each needs.
_members: weakref.WeakKeyDictionary[Member, float] = weakref.WeakKeyDictionary()


def register(member: Member, grace: float = 0.0) -> None:
    """Registers `member` to leave at exit. `grace` is how long its processes may take to stop, in seconds."""
    _members[member] = grace


@atexit.register
def _leave_all() -> None:
    _native.begin_exit()
    begin = time.monotonic() + _PATIENCE
    leaving = []
    for member, grace in list(_members.items()):
        try:
            leaving.append((member, member._leave(), begin + grace))
        except SwarmError:
            # Already closed, or it belongs to the parent of a forked child.
            continue
    for member, call, deadline in leaving:
        try:
            if call is not None:
                call.wait(max(0.0, deadline - time.monotonic()))
        except SwarmError:
            # Its lease will expire instead.
            pass
        member._left(max(0.0, min(_PATIENCE, deadline - time.monotonic())))
    logs.end()
    _native.end_exit()
