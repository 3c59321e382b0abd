"""Options of new jobs, and the exceptions of handlers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypedDict, Unpack
from uuid import uuid4

from ._calling import check_seconds


class Backoff(TypedDict, total=False):
    """The pauses before retries."""

    #: "fixed": all are as long as the first, the default; "exponential": each is twice as long as the one before.
    type: Literal["fixed", "exponential"]
    #: Seconds of the first pause; 1.
    delay: float
    #: Seconds of the longest pause; 3,600.
    max: float
    #: The share of each pause that is random, 0 to 1; 0.
    jitter: float


class Timeouts(TypedDict, total=False):
    """Time limits of a job in seconds; each has its own error."""

    #: From when the job was added, or due, until it is assigned to a worker.
    assign: float
    #: The limit of one attempt, which is then stopped and fails: the job may be retried.
    run: float
    #: From when the job was added until it is finished.
    total: float


class JobsOptions(TypedDict, total=False):
    """The options of one or many jobs. All are optional."""

    #: Whether the result is kept for `result`; False.
    result: bool
    #: Seconds that it is kept after the job has finished, 1 s to 365 days; 300.
    result_ttl: float | None
    #: Higher priorities are assigned first, jobs of one priority in the order in which they were added; 0, -2**53 to 2**53.
    priority: int
    #: Seconds before the job may start, at most 10 years.
    delay: float
    #: Or its earliest start, on Redis' clock: a `datetime` (local if it has no zone), or seconds since 1970.
    run_at: datetime | float
    #: How often it is retried after its handler failed, at most 200; 0.
    retries: int
    #: The pauses before the retries, or the seconds of each; 1.
    backoff: Backoff | float
    #: Jobs of one resource run one at a time.
    resource: str
    #: While a job with the same key exists, this one waits, and then finishes with the same outcome.
    similar: str
    #: Ids of jobs for whose end it waits, at most 1,000 (in a flow 10,000): jobs that exist, that have ended and whose result or
    #: failure is kept, or that are added in the same call. `delay`, `run_at` and the timeout `assign` count from then on.
    #: Excludes `similar` and `ephemeral`.
    after: Sequence[str]
    #: What it does if one of these fails or is deleted. "fail", the default: it fails, too, at once, with SwarmDependencyFailed;
    #: "run": it runs when all have ended, and `Job.inputs` shows which failed; "ignore": the same, but they are not shown.
    on_failure: Literal["fail", "run", "ignore"]
    #: The kind of work: only workers that accept this task run the job.
    task: str
    #: Texts that the handler receives with the job.
    headers: Mapping[str, str]
    timeouts: Timeouts
    #: Whether the job is deleted when this master leaves or is lost; False.
    ephemeral: bool
    #: What adding waits for: Redis has the job in memory, on its disk, or also on a replica; "memory".
    durability: Literal["memory", "fsync", "replica"]


class JobOptions(JobsOptions, total=False):
    """The options of one job."""

    #: The job's id, 1 to 256 bytes: while a job with it exists, adding it again changes nothing. Default random.
    id: str | None


class NewJob:
    """A job with its own options in a call that adds many. They override the options of the call."""

    __slots__ = ("options", "payload")

    def __init__(self, payload: object = None, **options: Unpack[JobOptions]) -> None:
        """See `JobOptions`."""
        self.payload = payload
        self.options = options

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"NewJob({self.payload!r}{options})"


def _named(job: object, after: Sequence[str]) -> tuple[NewJob, str]:
    """The job with an id, and with further jobs that it waits for; and its id."""
    payload, options = (job.payload, job.options) if isinstance(job, NewJob) else (job, JobOptions())
    named = NewJob(payload, **options)
    id = named.options.get("id") or uuid4().hex
    named.options["id"] = id
    if after:
        named.options["after"] = [*named.options.get("after", ()), *after]
    return named, id


def chain(jobs: Iterable[object]) -> list[NewJob]:
    """Returns jobs of which each waits for the one before, besides its own option `after`; for `Master.add_flow`.

    Each of `jobs` is a payload or a `NewJob`; those without an id get one.
    """
    chained: list[NewJob] = []
    before: list[str] = []
    for job in jobs:
        named, id = _named(job, before)
        chained.append(named)
        before = [id]
    return chained


def fan_in(jobs: Iterable[object], last: object) -> list[NewJob]:
    """Returns `jobs` and a last one that waits for all of them, besides its own option `after`; for `Master.add_flow`.

    Each job is a payload or a `NewJob`; those without an id get one.
    """
    named = [_named(job, ()) for job in jobs]
    return [*(job for job, _ in named), _named(last, [id for _, id in named])[0]]


class PermanentFailure(Exception):
    """Raised by a handler: the job fails permanently, even if retries are left."""


class RetryAfter(Exception):
    """Raised by a handler: this attempt failed, and the next one, if a retry is left, starts `after` seconds later."""

    def __init__(self, after: float, message: str = "") -> None:
        """`message` is the error that is kept if no retry is left."""
        super().__init__(message)
        self._after = check_seconds("after", after)

    @property
    def after(self) -> float:
        """Seconds until the next attempt."""
        return self._after

    def __reduce__(self) -> tuple[type[RetryAfter], tuple[float, str]]:
        return type(self), (self._after, str(self))
