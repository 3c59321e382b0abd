"""The handlers of a worker by task, and the tasks that it accepts."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from typing import Any

from ._batches import Batching
from ._native import Job
from .errors import SwarmInvalidArgument

#: By task; "" is for jobs without a task, and for tasks without their own handler.
Handlers = Mapping[str, Callable[[Job], object]]
#: As `Handlers`, for several jobs at once.
BatchHandlers = Mapping[str, Callable[[list[Job]], object]]
#: A handler, and the context (of `contextvars`) in which it was added: each job runs in a copy.
Handler = tuple[Callable[[Job], Any] | Batching, contextvars.Context]


class Tasks:
    """Immutable, so that the threads of handlers can use it while the program adds handlers."""

    def __init__(self, named: object = (), handlers: Mapping[str, Handler] | None = None) -> None:
        """`named` are the tasks of the option `tasks`; without any, only jobs without a task are accepted."""
        if not isinstance(named, list | tuple | set | frozenset):
            raise SwarmInvalidArgument(f"tasks is of type {type(named).__name__}, it must be a list of str")
        for name in [*named, *(handlers or ())]:
            if not isinstance(name, str):
                raise SwarmInvalidArgument(f"the name of a task is of type {type(name).__name__}, it must be a str")
        self.named: list[str] = list(named)
        self.handlers: Mapping[str, Handler] = dict(handlers or {})

    def named_anew(self, named: object) -> Tasks:
        """The same handlers with other names."""
        return Tasks(named, self.handlers)

    def with_handlers(self, handlers: Mapping[str, Callable[[Job], object] | Batching]) -> Tasks:
        """The same tasks with additional handlers."""
        for task in handlers:
            if task in self.handlers:
                raise SwarmInvalidArgument(f"the worker has a handler already{f' for the task `{task}`' if task else ''}")
        context = contextvars.copy_context()
        return Tasks(self.named, {**self.handlers, **{task: (handler, context) for task, handler in handlers.items()}})

    def handler(self) -> Callable[[Job], Handler] | None:
        """A function that returns the handler of a job. None if there are no handlers."""
        if any(self.handlers):
            return self._of
        handler = self.handlers.get("")
        return None if handler is None else lambda job: handler

    def largest_batch(self) -> int:
        """The size of the largest batch of a handler; 0 if all handle one job."""
        return max((handler.size for handler, _ in self.handlers.values() if isinstance(handler, Batching)), default=0)

    def settings(self) -> list[tuple[str, str]]:
        """The tasks to accept, as options of the core."""
        own = [task for task in self.handlers if task]
        # Without names the core accepts jobs without a task; with names, these must be named too, by "".
        plain = [""] if own and not self.named and "" in self.handlers else []
        return [("task", task) for task in dict.fromkeys([*self.named, *plain, *own])]

    def check(self) -> None:
        """Raises if a task has no handler."""
        if self.handlers and "" not in self.handlers:
            for task in self.named:
                if task not in self.handlers:
                    raise SwarmInvalidArgument(f"no handler for the task `{task}`, and none for any task")

    def _of(self, job: Job) -> Handler:
        task = job.task
        return self.handlers[task if task in self.handlers else ""]
