"""A distributed job queue on Redis.

`Master` adds jobs and waits for results, `Worker` runs them, `Supervisor` keeps processes running; `libswarm.aio` has the same
classes for asyncio.

```python
from libswarm import Master, Worker

with Master("mail", url="redis://localhost:6379") as master:
    master.add_job({"user": 7})
```
"""

from . import _load  # noqa: F401, I001  # before what needs the native module
from . import _install, errors, processes  # noqa: F401
from ._native import Call, Job, Message, __version__
from ._signatures import current_job
from .app import App, Task
from .errors import *  # noqa: F403
from .jobs import (
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
from .logs import disable_logging, enable_logging
from .master import Master
from .processes import ProcessExit, ProcessInfo, ProcessState, SupervisorEvent
from .supervised import ready
from .supervisor import Supervisor
from .types import (
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
from .values import from_json, register_reader, to_json
from .worker import Worker

__all__ = [
    "App",
    "Task",
    "current_job",
    "Added",
    "AddedFlow",
    "Backoff",
    "Call",
    "Candidate",
    "FlowInfo",
    "FlowJob",
    "Input",
    "JobOutcome",
    "Health",
    "Histogram",
    "Job",
    "JobEvent",
    "JobEventKind",
    "JobInfo",
    "JobOptions",
    "JobPage",
    "JobState",
    "JobsOptions",
    "Master",
    "KillRequest",
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
    "Receipt",
    "Reply",
    "LimitInfo",
    "FailedAttempt",
    "LogLine",
    "ScheduleInfo",
    "SchedulePage",
    "RateLimited",
    "RetryAfter",
    "Stats",
    "Supervisor",
    "SupervisorEvent",
    "Timeouts",
    "To",
    "Unique",
    "Worker",
    "__version__",
    "chain",
    "disable_logging",
    "enable_logging",
    "fan_in",
    "from_json",
    "processes",
    "ready",
    "register_reader",
    "to_json",
    *errors.__all__,
]
