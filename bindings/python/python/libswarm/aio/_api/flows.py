"""Jobs that wait for each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from libswarm._native import Call
from libswarm._native import Master as NativeMaster
from libswarm._options import as_list
from libswarm._tracing import adding
from libswarm.jobs import JobsOptions
from libswarm.types import AddedFlow, FlowInfo

from .._waiting import Waiting


class FlowsApi:
    """Graphs of jobs."""

    _cluster: str

    async def add_flow(
        self, jobs: Iterable[object], *, id: str | None = None, cancel_rest: bool = False, **options: Unpack[JobsOptions]
    ) -> AddedFlow:
        """Adds a flow: 1 to 10,000 jobs whose options `after` name each other or other jobs, all or none.

        Each of `jobs` is a payload, or a `NewJob` with options that override those of the call; `chain` and `fan_in` build such
        lists. No job is assigned before all are in Redis. A job whose id exists is left unchanged, and those after it wait for
        the existing one. With `cancel_rest`, a failure of one job deletes those of the flow that have not ended. `id` is that of
        the flow, 1 to 200 bytes, default random: while a flow with this id exists, and for an hour after its last job has ended,
        adding it again changes nothing.

        Raises SwarmInvalidArgument if jobs wait for each other in a cycle, or for an id that is unknown, which the message names,
        and SwarmTooLarge for too many jobs or ids. Then nothing was added.
        """
        with adding(self._cluster, options, as_list("jobs", jobs)) as each:
            added: AddedFlow = await self._await(self._here.add_flow(each, options, id, cancel_rest))
        return added

    async def flow(self, id: str) -> FlowInfo | None:
        """Returns a flow with the states of its jobs, or None if there is none.

        `id` is that of the flow, or of one of its jobs that has not been completed or deleted. A flow is kept for an hour after
        its last job has ended.
        """
        info: FlowInfo | None = await self._await(self._here.flow(id))
        return info

    @property
    def _here(self) -> NativeMaster:
        """The native master. Raises if it cannot be used here and now."""
        raise NotImplementedError

    def _await(self, call: Call) -> Waiting:
        """Waits for the value of a call."""
        raise NotImplementedError
