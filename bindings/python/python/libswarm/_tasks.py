"""Which handler is for the jobs of which task, and which tasks a worker takes for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ._native import Job
from .errors import SwarmInvalidArgument

#: By task; under "" the one for jobs whose task has none of its own, or no task.
Handlers = Mapping[str, Callable[[Job], object]]


class Tasks:
    """Never changed, so that a handler's thread may use it while the program adds handlers."""

    def __init__(self, named: object = (), handlers: Handlers | None = None) -> None:
        """`named` are the tasks that the program named; none: only jobs without one."""
        if not isinstance(named, list | tuple | set | frozenset):
            raise SwarmInvalidArgument(f"tasks is {named!r}, it must be a list of str")
        self.named: list[str] = list(named)
        self.handlers: Handlers = dict(handlers or {})

    def named_anew(self, named: object) -> Tasks:
        """The same handlers, other names."""
        return Tasks(named, self.handlers)

    def with_handlers(self, handlers: Handlers) -> Tasks:
        """More handlers."""
        for task in handlers:
            if task in self.handlers:
                raise SwarmInvalidArgument(f"the worker has a handler already{f' for the task `{task}`' if task else ''}")
        return Tasks(self.named, {**self.handlers, **handlers})

    def handler(self) -> Callable[[Job], Any] | None:
        """What to call for each job."""
        return self._route if any(self.handlers) else self.handlers.get("")

    def settings(self) -> list[tuple[str, str]]:
        """The tasks to take, as options of the core's."""
        own = [task for task in self.handlers if task]
        # Without a name, only jobs without a task are taken; with a handler's, that has to be said.
        plain = [""] if own and not self.named and "" in self.handlers else []
        return [("task", task) for task in dict.fromkeys([*self.named, *plain, *own])]

    def check(self) -> None:
        """Refuses tasks that nobody handles."""
        if self.handlers and "" not in self.handlers:
            for task in self.named:
                if task not in self.handlers:
                    raise SwarmInvalidArgument(f"no handler for the task `{task}`, and none for any task")

    def _route(self, job: Job) -> object:
        task = job.task
        return self.handlers[task if task in self.handlers else ""](job)
