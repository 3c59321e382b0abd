"""The values of calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from . import _native

#: Where a job is: waiting for a worker; delayed until its time; blocked until its resource is free or a similar job has ended;
#: assigned to a worker; deleted or timed out, but its worker has not stopped; failed permanently, and kept.
JobState = Literal["waiting", "delayed", "blocked", "active", "deleting", "failed"]


class Added(NamedTuple):
    """The value of `add`."""

    #: The job's id.
    id: str
    #: A job with this id existed; it was left as it was.
    existed: bool


class Ended(NamedTuple):
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
    #: Jobs that wait for their resource or for a similar job.
    blocked: int
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
    #: Jobs that failed permanently.
    failures: int
    #: Jobs deleted.
    deleted: int
    #: Crashes of workers counted on jobs.
    crashes: int
    #: Attempts that failed and were followed by another.
    retries: int
    #: Failed jobs that were run again by `retry_failed`.
    revived: int
    #: Damaged records in Redis that were set aside, replaced or repaired.
    damaged: int


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a member, without asking Redis."""

    #: Connected, registered, and the last renewal was answered in time.
    healthy: bool
    #: All connections that it needs are up.
    connected: bool
    #: The identity in Redis, empty before the first registration.
    incarnation: str
    #: Seconds until its lease expires.
    lease_left: float
    #: Active jobs (a worker).
    active: int
    #: Jobs or finishes gathered but not yet acknowledged by Redis.
    pending: int
    #: Kind of the last background error, empty once it is over.
    error: str
    #: Its message.
    error_message: str
    #: Registrations since the start: one, and one more for each lease that was lost.
    registrations: int
    #: Jobs that Redis has stored for it (a master).
    added: int
    #: Jobs that its program has taken (a worker).
    assigned: int
    #: Ends of jobs that Redis has accepted: completed, failed, retried, released or stopped (a worker).
    finished: int
    #: Messages that Redis has put into inboxes.
    sent: int
    #: Messages that its program has taken.
    received: int
    #: Messages for it that were dropped.
    dropped: int
    #: Jobs whose handlers were asked to stop and did not within the option `stop_grace` (a worker); each keeps a slot until its
    #: handler returns.
    stuck: int


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as it is at one moment. Times are seconds since 1970, on Redis' clock."""

    id: str
    state: JobState
    #: The payload's bytes as they were stored.
    payload_bytes: bytes
    content_type: Literal["json", "bytes"]
    priority: int
    #: Or "".
    task: str
    #: Or "".
    resource: str
    headers: dict[str, str]
    #: The running or next attempt, from 1.
    attempt: int
    #: How many attempts may follow the first.
    retries: int
    #: How many workers crashed in a row while they ran it.
    crashes: int
    #: The incarnation that holds it, or "".
    holder: str
    #: Of the execution, or 0.
    fence: int
    #: When it was assigned to its holder.
    assigned_at: float | None
    #: When a delayed job is due.
    due_at: float | None
    #: The last value of `job.progress`.
    progress: Any
    #: Why a failed job failed, see `SwarmJobFailed.reason`, or "".
    reason: str
    #: The error text of a failed job, or "".
    error: str
    #: Where a failed job failed, as its handler's language shows it, or "".
    traceback: str
    #: When it failed.
    failed_at: float | None

    @property
    def payload(self) -> Any:
        """What was added: the value of the JSON text, or bytes."""
        return self.payload_bytes if self.content_type == "bytes" else _native.decode_json(self.payload_bytes)


class JobPage(NamedTuple):
    """Some of many jobs."""

    #: A page of active jobs may have a few more or less than asked for.
    jobs: list[JobInfo]
    #: Where the next page begins; None at the end. Jobs that change their place meanwhile may be missed or come twice.
    next: str | None


class QueueCount(NamedTuple):
    """How many jobs of one priority and task wait."""

    priority: int
    #: Or "".
    task: str
    #: If there are more than 4,096, deleted ones count until their turn.
    waiting: int


class Queues(NamedTuple):
    """Queues and pauses of a cluster."""

    #: Those that are not empty, highest priority first.
    queues: list[QueueCount]
    #: Paused tasks; "*" stands for all.
    paused: list[str]
    #: The incarnation of the master that chooses the workers of jobs, or "".
    chooser: str


@dataclass(frozen=True, slots=True)
class MemberInfo:
    """A member as Redis knows it."""

    incarnation: str
    role: Literal["master", "worker"]
    #: The option `name`.
    name: str
    #: The option `group`.
    group: str
    #: The machine it runs on.
    host: str
    #: Its process there.
    pid: int
    #: Of its program.
    language: str
    #: Of libswarm.
    version: str
    #: The option `slots`, 0 if unlimited.
    slots: int
    #: Tasks it takes.
    tasks: list[str]
    #: Active jobs.
    active: int
    #: Free slots.
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
    """A worker that can take a job."""

    incarnation: str
    #: The option `name`.
    name: str
    #: The option `group`.
    group: str
    #: The machine it runs on.
    host: str
    #: Its process there.
    pid: int
    #: Tasks it takes, "" for jobs without one.
    tasks: list[str]
    #: Active jobs, including those just chosen for it.
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
    #: The machine it runs on.
    host: str
    #: Its process there.
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
    #: Its machine, as in `MemberInfo.host`; default this one.
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
        """What it replied with: the value of the JSON text, or bytes; None if it only acknowledged."""
        if self.payload_bytes is None or self.content_type == "bytes":
            return self.payload_bytes
        return _native.decode_json(self.payload_bytes)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a message."""

    #: The incarnations that it was sent to.
    recipients: list[str]
    #: How many more were addressed, but do not read their inboxes, which are full.
    dropped: int
    #: Those who acknowledged it or replied, in the order in which they did.
    replies: list[Reply]
    #: The recipients that had not in time, or have left.
    missing: list[str]
