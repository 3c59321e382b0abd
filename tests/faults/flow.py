"""A steady flow of jobs, beside whatever else a test does."""

import threading
import time
from types import TracebackType
from typing import Self

from swarm_support import Driver, Note
from team import Team

_EVERY = 0.1


class Flow:
    """Adds `rate` jobs a second through `master`, which no other thread may use meanwhile, in calls of a tenth of a second each.
    After a call that took longer it catches up for at most a second."""

    def __init__(self, team: Team, master: Driver, rate: int) -> None:
        self._team = team
        self._master = master
        self._count = int(rate * _EVERY)
        self._done = threading.Event()
        self._error: BaseException | None = None
        self.added: list[tuple[float, list[str]]] = []
        """When each call was answered, and the ids."""
        self._thread = threading.Thread(target=self._run)

    def rate(self, begin: float, end: float) -> float:
        """Jobs a second in a time."""
        return sum(len(ids) for t, ids in self.added if begin <= t < end) / (end - begin)

    def doubt(self, begin: float, end: float) -> None:
        """What was done in a time may be lost, because the server lost it."""
        self._team.ledger.undone = (begin, end)
        self._team.ledger.doubtful |= {job for t, ids in self.added if begin <= t <= end for job in ids}

    def stop(self) -> None:
        """Stops it, and raises the first error that it was answered."""
        self._done.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._done.wait(max(due - time.monotonic(), 0)):
                ids = self._team.add(self._master, self._count)
                self.added.append((time.monotonic(), ids))
                due = max(due + _EVERY, time.monotonic() - 1)
        except BaseException as error:
            self._error = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()


def first_after(notes: list[Note], t: float) -> Note | None:
    """The first note after a moment."""
    return next((note for note in notes if note.t > t), None)
