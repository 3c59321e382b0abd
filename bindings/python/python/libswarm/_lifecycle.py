"""A clean exit: members that the program leaves open when it ends leave their cluster then."""

from __future__ import annotations

import atexit
import time
import weakref
from typing import Protocol

from . import _native
from .errors import SwarmError

#: Seconds that the end of the program may wait for Redis, over all members.
_PATIENCE = 2.0


class Member(Protocol):
    """What can be told to leave."""

    def _leave(self) -> _native.Call | None:
        """Starts leaving without waiting for jobs; None if there is nothing to leave."""

    def _left(self, patience: float) -> None:
        """Ends the threads after the leaving."""


_members: weakref.WeakSet[Member] = weakref.WeakSet()


def register(member: Member) -> None:
    """Has `member` leave at exit, should it still be there."""
    _members.add(member)


@atexit.register
def _leave_all() -> None:
    _native.begin_exit()
    deadline = time.monotonic() + _PATIENCE
    leaving = []
    for member in list(_members):
        try:
            leaving.append((member, member._leave()))
        except SwarmError:
            # Closed already, or the parent's in a forked child.
            continue
    for member, call in leaving:
        try:
            if call is not None:
                call.wait(max(0.0, deadline - time.monotonic()))
        except SwarmError:
            # Its lease will end instead.
            pass
        member._left(max(0.0, deadline - time.monotonic()))
    _native.set_log_sink(0)
    _native.end_exit()
