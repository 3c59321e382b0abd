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


class _UniqueKey(TypedDict):
    #: The key, 1 to 256 bytes.
    key: str


class Unique(_UniqueKey, total=False):
    """A key that one job has at a time."""

    #: Until when the job has the key: "end", until it has completed, failed or was deleted, the default; "start", until it is
    #: assigned to a worker for the first time; or for so many seconds after it was added, 1 ms to 365 days, also if it has
    #: completed before.
    until: Literal["end", "start"] | float
    #: What adding this job does while another job has the key. "drop", the default: nothing; the answer has the id of the other
    #: job. "replace": if the other one has not been assigned, it gets the payload and options of this one. "attach": this one
    #: waits, and finishes with the outcome of the other one. "latest": as "replace", and if the other one is active, this one
    #: runs after it; of several, only the newest does.
    on_conflict: Literal["drop", "replace", "attach", "latest"]


class Timeouts(TypedDict, total=False):
    """Time limits of a job in seconds; each has its own error."""

    #: From when the job was added, or due, until it is assigned to a worker.
    assign: float
    #: The limit of one attempt, which is then stopped and fails: the job may be retried.
    run: float
    #: From when the job was added until it is finished.
    total: float


class JobLimit(TypedDict, total=False):
    """A limit of a job."""

    #: The name of the limit; required.
    name: str
    #: How much of the limit's rate the job takes, 1 to 1,000,000; 1.
    cost: int


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
    #: The groups of jobs that wait with the same priority and task take turns, so that none waits for all jobs of another.
    group: str
    #: How many turns its group has while one of weight 1 has one, 1 to 1,000; 1. That of the job queued last counts.
    weight: int
    #: Limits that the job is subject to, at most 4: names, or names and costs. A limit whose figures are not set allows all.
    limits: str | Sequence[str | JobLimit]
    #: A key that one job has at a time: while another job has it, adding this one does nothing, or what `on_conflict` states.
    unique: str | Unique
    #: Seconds by which each add with its unique key delays the job anew and replaces its payload, until it starts; 1 ms to 365
    #: days.
    debounce: float
    #: The longest time in seconds for which `debounce` delays the job; at most 10 years, ten times `debounce`.
    max_wait: float
    #: Ids of jobs for whose end it waits, at most 1,000 (in a flow 10,000): jobs that exist, that have ended and whose result or
    #: failure is kept, or that are added in the same call. `delay`, `run_at` and the timeout `assign` count from then on.
    #: Excludes `unique` and `ephemeral`.
    after: Sequence[str]
    #: What it does if one of these fails or is deleted. "fail", the default: it fails, too, at once, with SwarmDependencyFailed;
    #: "run": it runs when all have ended, and `Job.inputs` shows which failed; "ignore": the same, but they are not shown.
    on_failure: Literal["fail", "run", "ignore"]
    #: Seconds that the job is kept once it is completed, at most 10 years, whether or not the cluster keeps completed jobs; 0: it
    #: is not kept. Default as `completed_max` and `completed_ttl` of the cluster state.
    keep_completed: float | None
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


class RateLimited(Exception):
    """Raised by a handler whose request was refused for now (HTTP 429): its limits start no jobs for `after` seconds.

    They are the limit that it names, or each limit of the job. No attempt is counted. A job without that limit is delayed.
    """

    def __init__(self, after: float, limit: str | None = None) -> None:
        """`limit` is the name of a limit; None for those of the job."""
        super().__init__(f"rate limited for {after} s")
        self._after, self._limit = check_seconds("after", after), limit

    @property
    def after(self) -> float:
        """Seconds until a job starts again."""
        return self._after

    @property
    def limit(self) -> str | None:
        """The name of the limit; None for those of the job."""
        return self._limit

    def __reduce__(self) -> tuple[type[RateLimited], tuple[float, str | None]]:
        return type(self), (self._after, self._limit)
