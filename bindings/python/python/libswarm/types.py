"""What calls answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Added(NamedTuple):
    """What `add` answers."""

    #: The job's id.
    id: str
    #: A job with this id existed; it was left as it was.
    existed: bool


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a whole cluster at one moment."""

    #: Jobs waiting for a worker.
    waiting: int
    #: Jobs held by workers.
    held: int
    #: Jobs deleted whose worker has not yet said that it stopped.
    deleting: int
    #: Failed jobs kept.
    failed: int
    #: Results kept.
    results: int
    #: Members alive.
    members: int
    #: Jobs added since the cluster began.
    added: int
    #: Jobs completed.
    completed: int
    #: Jobs that ended as failed.
    failures: int
    #: Jobs deleted.
    deleted: int
    #: Deaths of workers counted on jobs.
    deaths: int


@dataclass(frozen=True, slots=True)
class Health:
    """A member's own view; costs nothing to ask."""

    #: Connected, registered, and the last renewal was answered in time.
    healthy: bool
    #: Both connections that are needed are up.
    connected: bool
    #: The identity in Redis, empty before the first registration.
    incarnation: str
    #: Seconds in which the member may still act as the holder of its jobs.
    lease_left: float
    #: Jobs held (a worker).
    held: int
    #: Jobs or finishes gathered but not yet acknowledged by Redis.
    pending: int
    #: Name of the kind of the last background error, empty if it has healed.
    error: str
    #: Its message.
    error_message: str
