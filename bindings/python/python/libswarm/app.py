# Generated from libswarm/aio/app.py by generate_sync.py: do not edit.
"""Functions that run as jobs."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, Unpack, overload

from ._api.tasks import TaskApi
from ._native import Job
from ._options import ConnectionOptions, WorkerOptions
from ._signatures import Signature, running
from .errors import SwarmInvalidArgument
from .jobs import JobsOptions
from .master import Master
from .worker import Worker

P = ParamSpec("P")
R = TypeVar("R")


class Task(TaskApi[P, R]):
    """A function of an `App`: `task.add(...)` and `task.run(...)` add a job, `task(...)` calls it here."""

    def __init__(
        self,
        app: App,
        function: Callable[P, R],
        signature: Signature,
        timeout: float | None,
        options: dict[str, Any],
    ) -> None:
        """Made by `App.task`."""
        super().__init__(signature, app.master, timeout, options)
        self._app = app
        self._function: Callable[..., R] = function
        functools.update_wrapper(self, function)

    @property
    def name(self) -> str:
        """The task of its jobs."""
        return self._signature.name

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        """Calls the function here, without a job."""
        return self._function(*arguments, **named)

    def with_options(self, *, timeout: float | None = None, **options: Unpack[JobsOptions]) -> Task[P, R]:
        """Returns the same task with other options for its jobs, such as `delay` or `priority`.

        `timeout` limits in seconds how long `run` waits; the job continues. See `JobsOptions` for the options.
        """
        _check(options)
        return Task(self._app, self._function, self._signature, timeout, {**self._options, **options})

    def _handle(self, job: Job) -> R:
        with running(job):
            return self._function(**self._signature.arguments(job.payload))


class App:
    """Functions that run as jobs of one cluster.

    ```python
    app = App("images", url="redis://localhost:6379")


    @app.task(retries=3)
    def resize(path: str, width: int = 100) -> str: ...


    resize.run("a.jpg", width=200)  # in a program that adds jobs
    app.worker().run()  # in a program that runs them
    ```

    The payload of a job is an object with the arguments by name, so that programs in other languages can add jobs, too.
    Arguments and results are read by their annotations: see `from_json`. A function gets its job by `current_job()`.
    """

    def __init__(self, cluster: str, **options: Unpack[ConnectionOptions]) -> None:
        """`cluster` and `options` are those of `Master` and `Worker`. Connects at the first use."""
        self._cluster = cluster
        self._settings = options
        self._tasks: dict[str, Task[Any, Any]] = {}
        self._master: tuple[int, Master] | None = None
        self._lock = threading.Lock()

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(self, /, *, name: str | None = None, **options: Unpack[JobsOptions]) -> Callable[[Callable[P, R]], Task[P, R]]: ...
    def task(self, function: Any = None, /, *, name: str | None = None, **options: Unpack[JobsOptions]) -> Any:
        """Makes a function a task: a decorator. `name` is that of the task, default that of the function.

        `options` are those of its jobs, such as `retries`; see `JobsOptions`. Raises SwarmInvalidArgument for a function with
        parameters without a name, and for a name that another function has.
        """
        if function is None:
            return lambda function: self._add(function, name, options)
        return self._add(function, name, options)

    def _add(self, function: Callable[P, R], name: str | None, options: JobsOptions) -> Task[P, R]:
        _check(options)
        name = function.__name__ if name is None else name
        if name in self._tasks:
            raise SwarmInvalidArgument(f"there is a task `{name}` already")
        task: Task[P, R] = Task(self, function, Signature(name, function), None, {**options, "task": name})
        self._tasks[name] = task
        return task

    def master(self) -> Master:
        """Returns the master that adds the jobs. After a fork it is another one."""
        with self._lock:
            current = self._master
            if current is None or current[0] != os.getpid():
                current = self._master = (os.getpid(), Master(self._cluster, **self._settings))
            return current[1]

    def worker(self, **options: Unpack[WorkerOptions]) -> Worker:
        """Returns a worker for all tasks of the app: `run()` it. `options` override those of the app."""
        settings: Any = {**self._settings, **options}
        worker = Worker(self._cluster, **settings)
        worker.process({name: task._handle for name, task in self._tasks.items()})
        return worker

    def close(self) -> None:
        """Closes the master, after what it sends is sent."""
        current, self._master = self._master, None
        if current is not None and current[0] == os.getpid():
            current[1].close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes it."""
        self.close()


def _check(options: JobsOptions) -> None:
    if "task" in options:
        raise SwarmInvalidArgument("a task of an App has its name as task; leave the option out")
