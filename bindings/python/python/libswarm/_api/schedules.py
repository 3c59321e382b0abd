# Generated from libswarm/aio/_api/schedules.py by generate_sync.py: do not edit.
"""The schedules of a cluster."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Unpack

from libswarm._native import Call, Schedules
from libswarm.jobs import JobsOptions
from libswarm.types import CatchUp, Overlap, ScheduleInfo, SchedulePage

from .._waiting import Waiting


class SchedulesApi:
    """Jobs that the cluster adds by itself."""

    def schedule(
        self,
        id: str,
        payload: object = None,
        *,
        cron: str | None = None,
        every: float | None = None,
        after_end: float | None = None,
        tz: str = "UTC",
        start: datetime | float | None = None,
        end: datetime | float | None = None,
        limit: int | None = None,
        jitter: float = 0.0,
        overlap: Overlap = "skip",
        catch_up: CatchUp = "last",
        **options: Unpack[JobsOptions],
    ) -> Literal["created", "changed", "unchanged"]:
        """Creates or changes a schedule, which adds a job like this one at each of its slots; see `JobsOptions` for the job.

        The slots are those of `cron` (5 fields, or 6 with seconds first; also `@daily` and the like, `L`, `W` and `#`) in the
        IANA time zone `tz`; or every `every` seconds since `start` or the creation; or `after_end` seconds after the job before
        has ended, without `start`, `end` and `jitter`. Intervals are 0.1 s to a year. No slot is before `start` or after `end`,
        and slots add at most `limit` jobs. The job of a slot is delayed by up to `jitter` seconds, at random; at most a day.

        The id of a job is `<schedule>@<slot in ms since 1970>`, so each slot adds one job at most. Any living member of the
        cluster fires the schedule. The same schedule again changes nothing. A change of the job, `overlap`, `catch_up` or
        `limit` keeps the slots, and a higher limit resumes a schedule that it had ended. A change of the timing computes them
        anew, and keeps a pause and the counts.

        Raises SwarmInvalidArgument for an expression or zone that does not exist, and for values out of bounds.
        """
        spec: dict[str, object] = {
            "cron": cron,
            "every": every,
            "after_end": after_end,
            "tz": tz,
            "start": start,
            "end": end,
            "limit": limit,
            "jitter": jitter,
            "overlap": overlap,
            "catch_up": catch_up,
        }
        how: Literal["created", "changed", "unchanged"] = self._await(self._schedules.set(id, spec, payload, options))
        return how

    def unschedule(self, id: str) -> bool:
        """Removes a schedule; jobs that it has added stay. Returns whether there was one."""
        existed: bool = self._await(self._schedules.remove(id))
        return existed

    def pause_schedule(self, id: str) -> bool:
        """Pauses a schedule until `resume_schedule`. Returns whether there is one."""
        existed: bool = self._await(self._schedules.pause(id))
        return existed

    def resume_schedule(self, id: str) -> bool:
        """Resumes a schedule with its next slot; slots of the pause do not run. Returns whether there is one."""
        existed: bool = self._await(self._schedules.resume(id))
        return existed

    def run_schedule(self, id: str) -> str | None:
        """Adds the job of a schedule now, also while it is paused. Returns its id, or None if `overlap` skips it.

        The job is beside the slots: it does not count in `added` or against `limit`.

        Raises SwarmInvalidArgument if there is no such schedule.
        """
        job: str | None = self._await(self._schedules.run(id))
        return job

    def schedule_info(self, id: str) -> ScheduleInfo | None:
        """Returns a schedule, or None if there is none."""
        info: ScheduleInfo | None = self._await(self._schedules.info(id))
        return info

    def schedules(self, *, after: str | None = None, limit: int = 100) -> SchedulePage:
        """Returns schedules by their ids, up to `limit` (1 to 1,000) and 200, from where the page before ended."""
        page: SchedulePage = self._await(self._schedules.page(after, limit))
        return page

    @property
    def _schedules(self) -> Schedules:
        """The native schedules. Raises if the master cannot be used here and now."""
        raise NotImplementedError

    def _await(self, call: Call) -> Waiting:
        """Waits for the value of a call."""
        raise NotImplementedError
