"""The outcomes of many jobs as they end."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator

from . import _native
from .types import Ended


class Outcomes(Iterator[Ended]):
    """What `run_each` answers."""

    def __init__(self, group: _native.Group, on_existed: Callable[[str], object] | None) -> None:
        self._group = group
        self._on_existed = on_existed
        self._told: collections.deque[Ended] = collections.deque()

    def __next__(self) -> Ended:
        if (on_existed := self._on_existed) is not None:
            added = self._group.added().wait()
            self._on_existed = None
            for id, existed in added:
                if existed:
                    on_existed(id)
        if not self._told:
            self._told.extend(Ended(*pair) for pair in self._group.take().wait())
        try:
            return self._told.popleft()
        except IndexError:
            raise StopIteration from None
