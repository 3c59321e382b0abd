"""The common part of the masters of threads and of event loops."""

from __future__ import annotations

from typing import Any

from . import logs
from ._native import Master
from ._options import credentials, settings
from ._subscriptions import SUBSCRIBED, Subscriptions
from .types import Health

#: Events per crossing into the native module; a master has few.
BATCH = 64


class MasterBase(Subscriptions):
    """The native master and its events."""

    def __init__(self, cluster: str, options: dict[str, object]) -> None:
        super().__init__()
        self._cluster = cluster
        self._native = Master(cluster, settings(options), credentials(options))
        logs.begin()

    def health(self) -> Health:
        """The state of this member as it is known locally."""
        return self._native.health()

    @property
    def incarnation(self) -> str:
        """The current incarnation, empty before the first registration."""
        return self._native.incarnation()

    def _arm(self) -> None:
        if self._exit is not None:
            self._native.exit_on_kill(self._exit.grace)

    def _emit_event(self, event: str, detail: Any, *_: object) -> None:
        if event == "error":
            self._emit_error(detail)
        elif event in SUBSCRIBED:
            self._emit_subscribed(event, detail)
        elif event == "ready":
            self._emit("ready", detail)
