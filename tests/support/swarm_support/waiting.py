"""Waiting for a state, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Between two checks of a state; short beside every bound that is tested, long beside the cost of a check.
_LOOK_EVERY_S = 0.01


def wait_until(condition: Callable[[], T | None], within: float, what: str) -> T:
    """Answers the first truthy value of `condition`, checked until `within` seconds have passed.

    Raises `TimeoutError` naming `what` and the last value otherwise. Always checks at least once, and once more at the end.
    """
    end = time.monotonic() + within
    while True:
        last_look = time.monotonic() >= end
        value = condition()
        if value:
            return value
        if last_look:
            raise TimeoutError(f"not within {within:g} s: {what}; last seen: {value!r}")
        time.sleep(_LOOK_EVERY_S)
