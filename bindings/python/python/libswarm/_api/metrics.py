# Generated from libswarm/aio/_api/metrics.py by generate_sync.py: do not edit.
"""Metrics of a cluster."""

from __future__ import annotations

from typing import Literal

from libswarm._native import Call
from libswarm._native import Master as NativeMaster
from libswarm.types import MetricsRow

from .._waiting import Waiting


class MetricsApi:
    """What happened to jobs, counted without keeping them."""

    def metrics(self) -> str:
        """Returns the metrics of the cluster in the text format of Prometheus.

        Counters are exact, and continue through restarts of members and of Redis. The guide of metrics lists names and labels.
        """
        text: str = self._await(self._here.metrics())
        return text

    def metrics_history(
        self,
        resolution: Literal["minute", "hour"] = "minute",
        *,
        start: float | None = None,
        end: float | None = None,
        task: str | None = None,
    ) -> list[MetricsRow]:
        """Returns the counts of each task in minutes (the last 24 hours are kept) or hours (30 days), in the order of time.

        The first slot is that of `start`, or the first that is kept, the last the one before `end`, or the present one. Times are
        in seconds since 1970 on Redis' clock. `task` is one task, "" for jobs without one; default all. A slot without ends of
        jobs has no row.

        Raises SwarmInvalidArgument for another resolution, or if `start` is later than `end`.
        """
        rows: list[MetricsRow] = self._await(self._here.metrics_history(resolution, start, end, task))
        return rows

    @property
    def _here(self) -> NativeMaster:
        """The native master. Raises if it cannot be used here and now."""
        raise NotImplementedError

    def _await(self, call: Call) -> Waiting:
        """Waits for the value of a call."""
        raise NotImplementedError
