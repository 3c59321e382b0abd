"""How the parameters of a function become the payload of a job, and its annotations the types that are read."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

from ._native import Job
from .errors import SwarmInvalidArgument
from .values import from_json

_current: contextvars.ContextVar[Job] = contextvars.ContextVar("libswarm.current_job")

#: What a function cannot be called with by name.
_NAMELESS: dict[Any, str] = {
    inspect.Parameter.POSITIONAL_ONLY: "a parameter without a name",
    inspect.Parameter.VAR_POSITIONAL: "parameters as *{}",
    inspect.Parameter.VAR_KEYWORD: "parameters as **{}",
}


def current_job() -> Job:
    """Returns the job that this thread or asyncio task runs as a function of an `App`.

    Raises SwarmInvalidArgument outside of one.
    """
    try:
        return _current.get()
    except LookupError:
        raise SwarmInvalidArgument("no job of an App is running here") from None


@contextlib.contextmanager
def running(job: Job) -> Iterator[None]:
    """Makes the job the current one."""
    token = _current.set(job)
    try:
        yield
    finally:
        _current.reset(token)


class Signature:
    """The payload is an object with a value for each parameter that is passed, by its name."""

    def __init__(self, name: str, function: Callable[..., object]) -> None:
        self.name = name
        self._function = function
        self._signature = inspect.signature(function)
        for parameter in self._signature.parameters.values():
            if (what := _NAMELESS.get(parameter.kind)) is not None:
                raise SwarmInvalidArgument(f"the task `{name}` has {what.format(parameter.name)}: each needs a name")

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        """The annotations. Read at first use, because they may name what is defined later."""
        return typing.get_type_hints(self._function, include_extras=True)

    def payload(self, arguments: tuple[object, ...], named: dict[str, object]) -> dict[str, Any]:
        """The payload for a call. Raises TypeError as the call would."""
        return dict(self._signature.bind(*arguments, **named).arguments)

    def arguments(self, payload: object) -> dict[str, Any]:
        """What the function is called with."""
        if not isinstance(payload, dict):
            raise SwarmInvalidArgument(f"the payload of the task `{self.name}` is no object with its parameters")
        if unknown := payload.keys() - self._signature.parameters.keys():
            raise SwarmInvalidArgument(f"the task `{self.name}` has no parameter `{min(unknown)}`")
        values = {}
        for name, value in payload.items():
            try:
                values[name] = from_json(self._hints.get(name, Any), value)
            except SwarmInvalidArgument as error:
                raise SwarmInvalidArgument(f"{name} of the task `{self.name}`: {error}") from error
        return values

    def result(self, value: object) -> Any:
        """What the function returned, as it is annotated."""
        return from_json(self._hints.get("return", Any), value)
