# Generated from libswarm/aio/_api/limits.py by generate_sync.py: do not edit.
"""The limits of a cluster."""

from __future__ import annotations

from libswarm._native import Call, Limits
from libswarm.types import LimitInfo

from .._waiting import Waiting


class LimitsApi:
    """How many jobs start in a time, and how many are active."""

    def limit(
        self,
        name: str,
        *,
        rate: int | None = None,
        per: float | None = None,
        burst: int | None = None,
        concurrency: int | None = None,
    ) -> bool:
        """Sets the figures of a limit for the whole cluster; jobs with the option `limits` are subject to it.

        `rate` jobs start in each period of `per` seconds (1 ms to a day; 1 s), and `burst` of them (1) may start at once after a
        pause: with 1, starts are at least `per / rate` apart. In a period, at most `rate + burst - 1` jobs start. `concurrency`
        jobs are active at a time. Figures are 1 to 1,000,000; a limit has a rate, a concurrency or both.

        A name `<group>:*` sets the figures of each limit `<group>:...` without figures of its own. Jobs that wait at the limit
        start as far as the new figures allow; active jobs continue. Returns whether the limit had figures before.

        Raises SwarmInvalidArgument for figures out of bounds.
        """
        figures: dict[str, object] = {"rate": rate, "per": per, "burst": burst, "concurrency": concurrency}
        existed: bool = self._await(self._limits.set(name, figures))
        return existed

    def remove_limit(self, name: str) -> bool:
        """Removes the figures of a limit: it allows everything, and jobs that wait at it start. Returns whether it had some."""
        existed: bool = self._await(self._limits.remove(name))
        return existed

    def limit_info(self, name: str) -> LimitInfo:
        """Returns the state of a limit, whether it has figures or not."""
        info: LimitInfo = self._await(self._limits.info(name))
        return info

    @property
    def _limits(self) -> Limits:
        """The native limits. Raises if the master cannot be used here and now."""
        raise NotImplementedError

    def _await(self, call: Call) -> Waiting:
        """Waits for the value of a call."""
        raise NotImplementedError
