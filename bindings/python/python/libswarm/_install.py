"""Passes classes and functions of this package to the native module, which imports nothing above it."""

from __future__ import annotations

from . import _native, errors
from ._calling import check_job_listener, traceback_of
from .jobs import NewJob
from .processes import ProcessInfo
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
    JobInfo,
    JobPage,
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
)
from .values import to_json

_native.install(
    **{name: getattr(errors, name) for name in errors.__all__},
    Added=Added,
    Candidate=Candidate,
    AddedFlow=AddedFlow,
    FlowInfo=FlowInfo,
    FlowJob=FlowJob,
    Health=Health,
    Histogram=Histogram,
    Input=Input,
    JobInfo=JobInfo,
    JobPage=JobPage,
    KillRequest=KillRequest,
    MemberChange=MemberChange,
    MemberInfo=MemberInfo,
    MemberRef=MemberRef,
    MetricsRow=MetricsRow,
    NewJob=NewJob,
    ProcessInfo=ProcessInfo,
    QueueCount=QueueCount,
    Queues=Queues,
    Receipt=Receipt,
    Reply=Reply,
    JobEvent=JobEvent,
    LimitInfo=LimitInfo,
    LogLine=LogLine,
    FailedAttempt=FailedAttempt,
    ScheduleInfo=ScheduleInfo,
    SchedulePage=SchedulePage,
    Stats=Stats,
    check_job_listener=check_job_listener,
    to_json=to_json,
    traceback_of=traceback_of,
)
