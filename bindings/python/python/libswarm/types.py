"""The values of calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from . import _native

#: What a schedule does when its job before has not ended: skips the slot; adds its job; has one job wait; deletes the job before.
Overlap = Literal["skip", "allow", "queue_one", "replace"]

#: Which slots that passed while nothing ran do run: the last; none over 60 s late; all, at most the newest 100.
CatchUp = Literal["last", "none", "all"]

#: The state of a job: it waits for a worker; it is not due yet; it waits at a limit, for its resource or other jobs; it is
#: assigned to a worker; it was deleted or timed out, but its worker has not stopped; it failed permanently, and is kept.
JobState = Literal["waiting", "delayed", "blocked", "active", "deleting", "failed", "completed"]


#: What became of a job; `missed` stands for events that are not kept any more or were not recorded. See `JobEvent`.
JobEventKind = Literal[
    "added",
    "replaced",
    "delayed",
    "blocked",
    "waiting",
    "assigned",
    "progress",
    "released",
    "retrying",
    "completed",
    "failed",
    "deleted",
    "schedule_fired",
    "missed",
]


class Added(NamedTuple):
    """The value of `add`."""

    #: The job's id; if another job has its unique key, the id of that job.
    id: str
    #: Whether the job with this id existed.
    existed: bool
    #: Whether the existing job got the payload and the options of the added one; if not, it was left unchanged.
    replaced: bool = False


class JobOutcome(NamedTuple):
    """The outcome of one job of `run_each`."""

    #: The position of the job in the call, from 0.
    position: int
    #: Its result, or a SwarmError.
    outcome: Any


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a whole cluster at one moment."""

    #: Jobs waiting for a worker.
    waiting: int
    #: Active jobs.
    active: int
    #: Deleted jobs that their worker has not yet stopped.
    deleting: int
    #: Jobs that are not due yet.
    delayed: int
    #: Jobs that wait at a limit, for their resource or for other jobs.
    blocked: int
    #: Failed jobs that are kept.
    failed: int
    #: Results that are kept.
    results: int
    #: Live members.
    members: int
    #: Jobs added since the cluster was created.
    added: int
    #: Jobs completed.
    completed: int
    #: Jobs that failed permanently.
    failures: int
    #: Jobs deleted.
    deleted: int
    #: Crashes of workers that were counted for jobs.
    crashes: int
    #: Attempts that failed and were followed by another.
    retries: int
    #: Failed jobs that were requeued by `retry_failed`.
    revived: int
    #: Records and keys that did not have the format of libswarm, and were removed, replaced or repaired.
    damaged: int
    #: Completed jobs that are kept.
    kept: int


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a member as it is known locally."""

    #: Connected and registered, and the last renewal was answered in time.
    healthy: bool
    #: All connections that the member needs are up.
    connected: bool
    #: The current incarnation, empty before the first registration.
    incarnation: str
    #: Seconds until its lease expires.
    lease_left: float
    #: Active jobs (worker).
    active: int
    #: Jobs or finishes that were submitted but not yet acknowledged by Redis.
    pending: int
    #: Kind of the last background error; empty if it has gone away.
    error: str
    #: Its message.
    error_message: str
    #: The number of registrations: one at the start, and one after each lost lease.
    registrations: int
    #: Jobs that this member added and Redis has stored.
    added: int
    #: Jobs that the program has taken (worker).
    assigned: int
    #: Finishes that Redis has accepted: jobs completed, failed, retried, released or stopped (worker).
    finished: int
    #: Messages that Redis has put into inboxes.
    sent: int
    #: Messages that the program has taken.
    received: int
    #: Messages for this member that were dropped.
    dropped: int
    #: Jobs whose handlers were asked to stop and did not within the option `stop_grace` (worker); each keeps a slot until its
    #: handler returns.
    stuck: int


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job at one moment. Times are seconds since 1970, on Redis' clock."""

    id: str
    state: JobState
    #: The payload's bytes as they were stored.
    payload_bytes: bytes
    content_type: Literal["json", "bytes"]
    #: The payload is encrypted or compressed, and this member cannot decode it: it is the bytes that are stored. Progress,
    #: checkpoint and result that cannot be decoded are None; an error, a traceback and a line of the log are replaced by the
    #: reason in parentheses.
    payload_encoded: bool
    priority: int
    #: The job's task, or "".
    task: str
    #: The job's resource, or "".
    resource: str
    #: The job's group, or "".
    group: str
    #: The names of its limits.
    limits: list[str]
    headers: dict[str, str]
    #: The running or next attempt, from 1; of a completed job the number of its attempts.
    attempt: int
    #: The total number of retries that the job may have.
    retries: int
    #: How many workers crashed in a row while they ran it.
    crashes: int
    #: The incarnation of the worker that runs it or completed it, or "".
    holder: str
    #: The fencing token of the execution, or 0.
    fence: int
    #: When it was assigned to that worker.
    assigned_at: float | None
    #: When a delayed job is due.
    due_at: float | None
    #: The last value of `job.progress`.
    progress: Any
    #: The last value of `job.checkpoint`.
    checkpoint: Any
    #: Why a failed job failed, see `SwarmJobFailed.reason`, or "".
    reason: str
    #: The error text of a failed job, or "".
    error: str
    #: The traceback of a failed job, in the form of the handler's language, or "".
    traceback: str
    #: When it failed.
    failed_at: float | None
    #: When a completed job was completed.
    completed_at: float | None
    #: The result of a completed job: a value parsed from JSON, or bytes. None also if it is not kept.
    result: Any
    #: The result of a completed job is not kept: it has more than 64 KiB, or its worker did not know yet that the cluster keeps
    #: completed jobs.
    result_omitted: bool
    #: The lines that its handlers wrote with `job.log`, the newest 100. Pages of jobs leave them out.
    log: list[LogLine]
    #: The attempts that failed, the last one of a failed job included: of the newest 100 lines and attempts together. A crash is
    #: there if its worker had at most 100 jobs. Pages of jobs leave them out.
    failed_attempts: list[FailedAttempt]

    @property
    def payload(self) -> Any:
        """The payload: a value parsed from JSON, or bytes."""
        return self.payload_bytes if self.content_type == "bytes" else _native.decode_json(self.payload_bytes)


class LogLine(NamedTuple):
    """A line of the log of a job."""

    #: When it was written, in seconds since 1970 on Redis' clock.
    time: float
    #: The text, at most 1 KiB.
    text: str


class FailedAttempt(NamedTuple):
    """An attempt of a job that failed, and after which the job continued or failed."""

    #: The fencing token of the execution.
    fence: int
    #: The incarnation of the worker that ran it.
    holder: str
    #: "failed" by its handler, "run_timeout", "crashed" with its worker, or the reason of the failed job.
    reason: str
    #: The error text, at most 1 KiB.
    error: str
    #: When it was assigned, in seconds since 1970 on Redis' clock.
    assigned_at: float
    #: When it failed.
    failed_at: float


class JobPage(NamedTuple):
    """A page of jobs."""

    #: A page of active jobs may be slightly shorter or longer than requested.
    jobs: list[JobInfo]
    #: The position of the next page; None at the end. Jobs that change their state or position meanwhile may be missed or
    #: returned twice.
    next: str | None


class AddedFlow(NamedTuple):
    """The value of `add_flow`."""

    #: The flow's id.
    id: str
    #: Whether a flow with this id existed; then nothing was changed.
    existed: bool
    #: Its jobs, in order. Those that existed were left unchanged.
    jobs: list[Added]


@dataclass(frozen=True, slots=True)
class FlowJob:
    """A job of a flow."""

    id: str
    state: Literal["waiting", "delayed", "blocked", "active", "completed", "failed", "deleted"]
    #: Ids of the jobs that it waits for, or waited for.
    after: list[str]


@dataclass(frozen=True, slots=True)
class FlowInfo:
    """A flow at one moment."""

    id: str
    cancel_rest: bool
    #: Its jobs, by their ids.
    jobs: list[FlowJob]


@dataclass(frozen=True, slots=True)
class Input:
    """How a job ended that another one waited for."""

    state: Literal["completed", "failed", "deleted"]
    #: The result of a completed job; None also if it is not known, because the job was assigned before another one waited for it,
    #: without the option `result`.
    result: Any
    #: Why it failed, as `SwarmJobFailed.reason`, and the error text; None if it did not.
    reason: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A transition of a job, from `Master.events`. Times are those of Redis' clock, in seconds since 1970."""

    #: Where it is in the stream: the argument `after` of a follower that continues behind it.
    position: str
    kind: JobEventKind
    #: When it happened.
    time: float
    #: The job's id; "" for `missed`.
    id: str
    #: The job's task, or "" if it has none. `completed`, `progress`, `released` and `blocked` may lack it.
    task: str
    #: The incarnation of the worker that runs it, or ran it until now; or "".
    worker: str
    #: The fencing token of that execution; 0 if there is none.
    fence: int
    #: `failed`, `retrying`: the reason, as in `JobInfo.reason`; "" if a failed job is retried on request. `released`: "" if the
    #: worker released it or left, "crashed" or "limited". `blocked`: "limit", "resource", "unique" or "jobs".
    reason: str
    #: `failed`, `retrying`: the error, at most 256 bytes. `progress`: the progress as JSON, or "" if it is longer.
    text: str
    #: `delayed`, `retrying`: when the job is due.
    due_at: float | None
    #: `schedule_fired`: the id of the schedule. `blocked`: the name of the limit, the resource or the unique key.
    name: str


@dataclass(frozen=True, slots=True)
class LimitInfo:
    """A limit at one moment. Times are in seconds. Without figures it allows everything."""

    name: str
    #: Jobs that start in each period.
    rate: int | None
    #: The period.
    per: float | None
    #: Jobs that may start at once after a pause.
    burst: int | None
    #: Jobs that are active at a time.
    concurrency: int | None
    #: The number of active jobs that have this limit.
    active: int
    #: The number of jobs that wait at this limit. A job that may start waits in its queue.
    blocked: int
    #: The time until the rate lets the next job start, also after `RateLimited`; 0 if one may start now.
    next_in: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Times by range, in seconds."""

    #: How many there are.
    count: int
    #: How many are in each of 28 ranges: up to 1 ms, each next one up to twice as long, the last without a bound.
    buckets: tuple[int, ...]
    #: Percentiles, wrong by a factor of 2 at most; None if there are no times.
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class MetricsRow:
    """The counts of one task in one minute or hour."""

    #: When it began, in seconds since 1970 on Redis' clock.
    start: float
    #: The task, "" for jobs without one, "other" for tasks after the first 100.
    task: str
    #: Jobs that were completed.
    completed: int
    #: Jobs that failed permanently.
    failed: int
    #: Attempts that failed and were followed by another.
    retried: int
    #: Executions whose job waits again without a failed attempt.
    released: int
    #: Jobs that were deleted.
    deleted: int
    #: How long jobs waited before their first attempt.
    wait: Histogram
    #: How long handlers ran, each attempt by itself.
    run: Histogram


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """A schedule of the cluster. Times are in seconds, times of day in seconds since 1970 on Redis' clock."""

    id: str
    #: One of `cron`, `every` and `after_end`; the others are None.
    cron: str | None
    every: float | None
    after_end: float | None
    #: The IANA time zone of `cron`.
    tz: str
    start: float | None
    end: float | None
    #: The number of jobs of slots after which it ends.
    limit: int | None
    jitter: float
    overlap: Overlap
    catch_up: CatchUp
    #: The task of its jobs, or "".
    task: str
    priority: int
    #: The next slot.
    next_at: float | None
    #: The last slot that has come, whether its job was added or skipped.
    last_at: float | None
    #: The id of the last job, also of `run_schedule`, or "".
    last_job: str
    paused: bool
    #: Whether no slot follows; with `after_end` only once its limit is reached.
    ended: bool
    #: The number of jobs that its slots have added.
    added: int
    #: Slots that were skipped because the job before had not ended.
    skipped: int


class SchedulePage(NamedTuple):
    """A page of schedules, by their ids."""

    #: May be fewer than requested, 200 at most.
    schedules: list[ScheduleInfo]
    #: The position of the next page; None at the end.
    next: str | None


class QueueCount(NamedTuple):
    """The number of waiting jobs of a priority and task."""

    priority: int
    #: The task, or "".
    task: str
    #: In a queue of more than 4,096, deleted jobs count until their turn comes.
    waiting: int
    #: Groups that have waiting jobs.
    groups: int


class Queues(NamedTuple):
    """Queues and pauses of a cluster."""

    #: Queues that are not empty, highest priority first.
    queues: list[QueueCount]
    #: Paused tasks; "*" stands for all.
    paused: list[str]
    #: The incarnation of the master that chooses workers, or "".
    chooser: str
    #: Limits that have figures or at which jobs wait, by name.
    limits: list[LimitInfo]


@dataclass(frozen=True, slots=True)
class MemberInfo:
    """A member as it is registered in Redis."""

    incarnation: str
    role: Literal["master", "worker"]
    #: The option `name`.
    name: str
    #: The option `group`.
    group: str
    #: The host name of its machine.
    host: str
    #: Its process id.
    pid: int
    #: The language of its program.
    language: str
    #: The version of libswarm.
    version: str
    #: The slots that a worker has now, 0 if unlimited.
    slots: int
    #: Whether it is paused: it is assigned no jobs.
    paused: bool
    #: Tasks it accepts.
    tasks: list[str]
    #: The number of its active jobs.
    active: int
    #: The number of its free slots.
    free: int
    #: When it registered, in seconds since 1970.
    joined_at: float
    #: Seconds until its lease ends.
    lease_left: float
    #: The value of its `set_data`, or None.
    data: Any
    #: Messages for it that were dropped, because it did not read its inbox.
    dropped: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A worker to which a job can be assigned."""

    incarnation: str
    #: The option `name`.
    name: str
    #: The option `group`.
    group: str
    #: The host name of its machine.
    host: str
    #: Its process id.
    pid: int
    #: Tasks it accepts, "" for jobs without one.
    tasks: list[str]
    #: The number of its active jobs, including those that were just chosen for it.
    active: int
    #: Free slots for jobs like this one, at least 1.
    room: int


@dataclass(frozen=True, slots=True)
class MemberRef:
    """A member."""

    incarnation: str
    #: The option `name`.
    name: str
    #: The option `group`.
    group: str
    #: The host name of its machine.
    host: str
    #: Its process id.
    pid: int


@dataclass(frozen=True, slots=True)
class MemberChange:
    """A member that joined, left or was lost."""

    #: It registered; it was closed; its lease expired, because it crashed or lost its connection.
    change: Literal["joined", "left", "lost"]
    role: Literal["master", "worker"]
    member: MemberRef


@dataclass(frozen=True, slots=True)
class KillRequest:
    """A request of a member that this program exits."""

    #: The exit code.
    code: int
    sender: MemberRef


class ToGroup(TypedDict):
    """The members of a group."""

    #: Their option `group`.
    group: str


class ToName(TypedDict):
    """The members with a name."""

    #: Their option `name`.
    name: str


class ToProcess(TypedDict):
    """The members of a process."""

    pid: int
    #: Its host name, as in `MemberInfo.host`; default this host.
    host: NotRequired[str]


class ToMember(TypedDict):
    """One member."""

    #: Its incarnation.
    member: str


#: The recipients of a message.
To = Literal["all"] | ToGroup | ToName | ToProcess | ToMember


@dataclass(frozen=True, slots=True)
class Reply:
    """The acknowledgement or reply of a member to a message."""

    sender: MemberRef
    #: The reply's bytes; None if it only acknowledged.
    payload_bytes: bytes | None
    content_type: Literal["json", "bytes"] | None

    @property
    def payload(self) -> Any:
        """The reply: a value parsed from JSON, or bytes; None if it only acknowledged."""
        if self.payload_bytes is None or self.content_type == "bytes":
            return self.payload_bytes
        return _native.decode_json(self.payload_bytes)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of sending a message."""

    #: The incarnations of the recipients.
    recipients: list[str]
    #: How many more recipients there would have been: their inboxes are full, because they do not read them.
    dropped: int
    #: The recipients that acknowledged or replied, in the order in which they did.
    replies: list[Reply]
    #: The recipients that did not answer in time, or are gone.
    missing: list[str]
