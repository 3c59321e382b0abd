"""`Master`, `Worker` and `Supervisor` for asyncio: the same as in `libswarm`, with coroutines for the methods that wait.

```python
from libswarm.aio import Master, Worker

async with Master("mail", url="redis://localhost:6379") as master:
    await master.add_job({"user": 7})
```
"""

from .._native import Call, Job, Message
from .._signatures import current_job
from ..jobs import (
    Backoff,
    JobOptions,
    JobsOptions,
    NewJob,
    PermanentFailure,
    RateLimited,
    RetryAfter,
    Timeouts,
    Unique,
    chain,
    fan_in,
)
from ..processes import ProcessExit, ProcessInfo, ProcessState, SupervisorEvent
from ..types import (
    Added,
    AddedFlow,
    Candidate,
    FailedAttempt,
    FlowInfo,
    FlowJob,
    Health,
    Histogram,
    Input,
    JobEvent,
    JobEventKind,
    JobInfo,
    JobOutcome,
    JobPage,
    JobState,
    KillRequest,
    LimitInfo,
    LogLine,
    MemberChange,
    MemberInfo,
    MemberRef,
    MetricsRow,
    QueueCount,
    Queues,
    Receipt,
    Reply,
    ScheduleInfo,
    SchedulePage,
    Stats,
    To,
)
from ..values import from_json, register_reader, to_json
from .app import App, Task
from .master import Master
from .supervisor import Supervisor
from .worker import Worker

__all__ = [
    "Added",
    "AddedFlow",
    "App",
    "Backoff",
    "Call",
    "Candidate",
    "FailedAttempt",
    "FlowInfo",
    "FlowJob",
    "Health",
    "Histogram",
    "Input",
    "Job",
    "JobEvent",
    "JobEventKind",
    "JobInfo",
    "JobOptions",
    "JobOutcome",
    "JobPage",
    "JobState",
    "JobsOptions",
    "KillRequest",
    "LimitInfo",
    "LogLine",
    "Master",
    "MemberChange",
    "MemberInfo",
    "MemberRef",
    "Message",
    "MetricsRow",
    "NewJob",
    "PermanentFailure",
    "ProcessExit",
    "ProcessInfo",
    "ProcessState",
    "QueueCount",
    "Queues",
    "RateLimited",
    "Receipt",
    "Reply",
    "RetryAfter",
    "ScheduleInfo",
    "SchedulePage",
    "Stats",
    "Supervisor",
    "SupervisorEvent",
    "Task",
    "Timeouts",
    "To",
    "Unique",
    "Worker",
    "chain",
    "current_job",
    "fan_in",
    "from_json",
    "register_reader",
    "to_json",
]
