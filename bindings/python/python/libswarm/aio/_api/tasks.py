"""The methods of a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from libswarm._signatures import Signature

from .master import MasterApi

P = ParamSpec("P")
R = TypeVar("R")


class TaskApi(Generic[P, R]):
    """A function that runs as jobs."""

    def __init__(
        self, signature: Signature, master: Callable[[], MasterApi], timeout: float | None, options: dict[str, Any]
    ) -> None:
        """`master` returns that of the app; `timeout` limits `run`; `options` are those of the jobs."""
        self._signature = signature
        self._master = master
        self._timeout = timeout
        self._options = options

    async def add(self, *arguments: P.args, **named: P.kwargs) -> str:
        """Adds a job that calls the function with these arguments. Returns its id, once Redis has stored it."""
        return await self._master().add_job(self._signature.payload(arguments, named), **self._options)

    async def run(self, *arguments: P.args, **named: P.kwargs) -> R:
        """Adds a job that calls the function with these arguments, and waits for its result; `with_options` sets a limit."""
        payload = self._signature.payload(arguments, named)
        result: R = self._signature.result(await self._master().run(payload, timeout=self._timeout, **self._options))
        return result
