"""Jobs as they are added, and as handlers end them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypedDict, Unpack

from ._calling import check_seconds


class Backoff(TypedDict, total=False):
    """The pauses before a failed job runs again."""

    #: "fixed": all are as long as the first, the default; "exponential": each is twice as long as the one before.
    type: Literal["fixed", "exponential"]
    #: Seconds of the first; 1.
    delay: float
    #: Seconds of the longest; 3,600.
    max: float
    #: The share of each that is random, 0 to 1; 0.
    jitter: float


class Timeouts(TypedDict, total=False):
    """Seconds after which a job is given up; the error of each tells which it was."""

    #: From when it was added, or due, until a worker is given it.
    assign: float
    #: Of one execution, which is then stopped and counts as failed: it may be retried.
    run: float
    #: From when it was added until it ended.
    total: float


class JobsOptions(TypedDict, total=False):
    """What any number of jobs can be told. All are optional."""

    #: Whether the result is kept, for `result` to ask for; False.
    result: bool
    #: Seconds that it is kept from the job's end, 1 s to 365 days; 300.
    result_ttl: float | None
    #: Higher ones go first, those of one priority in the order in which they came; 0, from -2**53 to 2**53.
    priority: int
    #: Seconds that the job waits before it may start, at most 10 years.
    delay: float
    #: Or the time before which it does not start, on Redis' clock: a `datetime` (local if it has no zone), or seconds since 1970.
    run_at: datetime | float
    #: How often it runs again after its handler failed, at most 200; 0.
    retries: int
    #: The pauses before that, or the seconds of each; 1.
    backoff: Backoff | float
    #: Jobs of one resource run one at a time.
    resource: str
    #: While a job with the same key exists, this one waits, and ends as that one ends.
    similar: str
    #: The name of the work: only workers that take this task are given the job.
    task: str
    #: Texts that travel with the job.
    headers: Mapping[str, str]
    timeouts: Timeouts
    #: Whether the job is deleted when this master leaves or is lost; False.
    ephemeral: bool
    #: What adding waits for: that Redis has the job in memory, on its disk, or on a replica too; "memory".
    durability: Literal["memory", "fsync", "replica"]


class JobOptions(JobsOptions, total=False):
    """What one job can be told."""

    #: The caller's own, 1 to 256 bytes: while a job with it exists, adding it again changes nothing. Random unless given.
    id: str | None


class NewJob:
    """A job with options of its own among the many that are added in one call. Each goes before the one given for all."""

    __slots__ = ("options", "payload")

    def __init__(self, payload: object = None, **options: Unpack[JobOptions]) -> None:
        """See `JobOptions`."""
        self.payload = payload
        self.options = options

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"NewJob({self.payload!r}{options})"


class PermanentFailure(Exception):
    """Raised by a handler: the job fails permanently, whatever its retries."""


class RetryAfter(Exception):
    """Raised by a handler: this attempt failed, and the next one, if a retry is left, is `seconds` from now."""

    def __init__(self, seconds: float, message: str = "") -> None:
        """`message` is the error that is kept if no retry is left."""
        super().__init__(message)
        self._seconds = check_seconds("seconds", seconds)

    @property
    def seconds(self) -> float:
        """Until the next attempt."""
        return self._seconds

    def __reduce__(self) -> tuple[type[RetryAfter], tuple[float, str]]:
        return type(self), (self._seconds, str(self))
