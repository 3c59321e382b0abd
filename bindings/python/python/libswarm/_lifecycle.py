"""A clean exit: members that the program leaves open when it ends leave their cluster then, and processes are stopped."""

from __future__ import annotations

import atexit
import time
import weakref
from typing import Protocol

from . import _native, logs
from .errors import SwarmError

#: Seconds that the end of the program may wait for Redis, over all members.
_PATIENCE = 2.0


class Member(Protocol):
    """What can be told to leave."""

    def _leave(self) -> _native.Call | None:
        """Starts leaving without waiting for jobs; None if there is nothing to leave."""

    def _left(self, patience: float) -> None:
        """Ends the threads after the leaving."""


#: With the seconds that each needs beside.
_members: weakref.WeakKeyDictionary[Member, float] = weakref.WeakKeyDictionary()


def register(member: Member, grace: float = 0.0) -> None:
    """Has `member` leave at exit, should it still be there. `grace` is what it gives others, in seconds."""
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
            # Closed already, or the parent's in a forked child.
            continue
    for member, call, deadline in leaving:
        try:
            if call is not None:
                call.wait(max(0.0, deadline - time.monotonic()))
        except SwarmError:
            # Its lease will end instead.
            pass
        member._left(max(0.0, min(_PATIENCE, deadline - time.monotonic())))
    logs.end()
    _native.end_exit()
