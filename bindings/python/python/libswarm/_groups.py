"""The outcomes of many jobs, as they finish."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any

from . import _native
from .types import JobOutcome


class Outcomes(Iterator[JobOutcome]):
    """The iterator of `run_each`."""

    def __init__(
        self, group: _native.Group, wait: Callable[[_native.Call], Any], on_existed: Callable[[str], object] | None
    ) -> None:
        self._group = group
        self._wait = wait
        self._on_existed = on_existed
        self._ready: collections.deque[JobOutcome] = collections.deque()

    def __next__(self) -> JobOutcome:
        if (on_existed := self._on_existed) is not None:
            added = self._wait(self._group.added())
            self._on_existed = None
            for id, existed, _ in added:
                if existed:
                    on_existed(id)
        if not self._ready:
            self._ready.extend(JobOutcome(*pair) for pair in self._wait(self._group.take()))
        try:
            return self._ready.popleft()
        except IndexError:
            raise StopIteration from None
