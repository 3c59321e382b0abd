"""Spans of OpenTelemetry for adds and attempts. Its API is used only by programs that have imported it; others have no spans."""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, cast

from ._calling import class_name, log_raised, text_of
from ._native import Job, __version__
from .errors import SwarmInvalidArgument
from .jobs import NewJob, PermanentFailure, RateLimited

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, SpanContext, Tracer

_API = "opentelemetry.trace"
#: The header of W3C Trace Context that `inject` always sets.
_TRACEPARENT = "traceparent"
#: Reasons to stop that mean that the attempt did not do its work.
_FAULTS = ("timed_out", "lease_lost")


def mode(value: object) -> str:
    """Checks the option `trace`."""
    if value is None:
        return "link"
    if value not in ("link", "parent"):
        raise SwarmInvalidArgument(f'trace is {value!r}, it must be "link" or "parent"')
    return str(value)


def in_span() -> bool:
    """Whether a span is active in this context."""
    if _API not in sys.modules:
        return False
    from opentelemetry import trace

    return trace.get_current_span().get_span_context().is_valid


def adding(cluster: str, options: Any, jobs: list[object]) -> AbstractContextManager[list[object]]:
    """In an active span: a span around the call that adds these jobs, all with these options, or one job if there are none.

    The context of the span is put into the headers, in `options` and in the jobs that it yields.
    """
    return _adding(cluster, options, jobs) if in_span() else nullcontext(jobs)


@contextlib.contextmanager
def _adding(cluster: str, options: dict[str, Any], jobs: list[object]) -> Iterator[list[object]]:
    from opentelemetry import trace

    if _has_context(options):
        yield jobs
        return
    task = _task_of(options, jobs)
    attributes = _attributes(cluster, task, "add", "send")
    if jobs:
        attributes["messaging.batch.message_count"] = len(jobs)
    elif isinstance(options.get("id"), str):
        attributes["messaging.message.id"] = options["id"]
    with _tracer().start_as_current_span(_name("add", task), kind=trace.SpanKind.PRODUCER, attributes=attributes):
        fields: dict[str, str] = {}
        _propagator().inject(fields)
        _add_headers(options, fields)
        yield [_with_headers(job, fields) for job in jobs]


def note_id(id: str) -> None:
    """Adds the id of the job to the span of its add, which is the current one."""
    from opentelemetry import trace

    trace.get_current_span().set_attribute("messaging.message.id", id)


def _has_context(options: Mapping[str, Any]) -> bool:
    """Whether the program has set the header itself."""
    headers = options.get("headers")
    return isinstance(headers, Mapping) and _TRACEPARENT in headers


def _add_headers(options: dict[str, Any], fields: dict[str, str]) -> None:
    headers = options.get("headers")
    # Of any other type, it is refused as without a span.
    if headers is None or isinstance(headers, Mapping):
        options["headers"] = {**(headers or {}), **fields}


def _with_headers(job: object, fields: dict[str, str]) -> object:
    """The job; a copy if its own headers would replace those of the call."""
    own = _own_options(job)
    if "headers" not in own or _has_context(own):
        return job
    own = dict(own)
    _add_headers(own, fields)
    return NewJob(cast("NewJob", job).payload, **own)


def _own_options(job: object) -> dict[str, Any]:
    """Empty also for what is refused later."""
    return cast("dict[str, Any]", job.options) if isinstance(job, NewJob) and isinstance(job.options, dict) else {}


def _task_of(options: Mapping[str, Any], jobs: Sequence[object]) -> str:
    """The task that all have in common; empty if there is none."""
    common = options.get("task")
    found = [_own_options(job).get("task", common) for job in jobs] or [common]
    return found[0] if isinstance(found[0], str) and found.count(found[0]) == len(found) else ""


class Attempt:
    """The span of one attempt of a job, or of one batch."""

    def __init__(self, span: Span, jobs: Sequence[Job]) -> None:
        self._span = span
        self._jobs = jobs
        #: What the handler has raised.
        self.error: BaseException | None = None
        self._returned = False
        self._finished = False

    def returned(self, *, finished: bool) -> None:
        """The handler has returned. `finished`: it has finished the jobs itself, so that their outcome is not known here."""
        self._returned, self._finished = True, finished

    def end(self) -> None:
        """Ends the span with the outcome. Never raises: the job goes on without its span."""
        for step in (self._note_outcome, self._span.end):
            try:
                step()
            except Exception as error:
                log_raised("a span cannot be ended", error=error)

    def _note_outcome(self) -> None:
        from opentelemetry.trace import Status, StatusCode

        job, error, span = self._jobs[0], self.error, self._span
        stopped = job.delete_reason if all(other.delete_reason is not None for other in self._jobs) else None
        if stopped == "terminated" and (self._returned or error is not None):
            # While the worker leaves, results and errors are accepted.
            stopped = None
        if stopped is not None:
            span.set_attribute("swarm.outcome", stopped)
            if stopped in _FAULTS:
                span.set_attribute("error.type", stopped)
                span.set_status(Status(StatusCode.ERROR, stopped))
        elif isinstance(error, RateLimited):
            span.set_attribute("swarm.outcome", "rate_limited")
        elif error is not None:
            retried = not isinstance(error, PermanentFailure) and any(job.retries_left > 0 for job in self._jobs)
            span.set_attribute("swarm.outcome", "retrying" if retried else "failed")
            span.set_attribute("error.type", class_name(error))
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, text_of(error) or class_name(error)))
        elif not self._finished or job.delete_reason is not None:
            span.set_attribute("swarm.outcome", "completed")


def begin_attempt(
    cluster: str, mode: str, jobs: Sequence[Job], scope: contextvars.Context, *, batch: bool = False
) -> Attempt | None:
    """Starts a span and makes it the current one of `scope`, in which the handler will run. None without the API."""
    if _API not in sys.modules:
        return None
    try:
        return Attempt(_start(cluster, mode, jobs, scope, batch), jobs)
    except Exception as error:
        log_raised("a span cannot be started", error=error)
        return None


def _start(cluster: str, mode: str, jobs: Sequence[Job], scope: contextvars.Context, batch: bool) -> Span:
    from opentelemetry import context, trace

    job = jobs[0]
    attributes = _attributes(cluster, job.task, "process", "process")
    if batch:
        attributes["messaging.batch.message_count"] = len(jobs)
    else:
        attributes.update({"messaging.message.id": job.id, "swarm.attempt": job.attempt, "swarm.fence": job.fence})
    # Not the context in which the handler was added, whose span is not the cause of the job.
    nothing = context.Context()
    added = [found for job in jobs if _TRACEPARENT in (found := job.headers)]
    parents: list[Context] = [_propagator().extract(headers, context=nothing) for headers in added]
    links: list[Link] = []
    if mode == "parent" and not batch:
        parent = parents[0] if parents else nothing
    else:
        # One for each span that has added jobs, not for each of its jobs.
        causes = {cause.span_id: cause for parent in parents if (cause := _span_context(parent)).is_valid}
        links = [trace.Link(cause) for cause in causes.values()]
        parent = nothing
    span = _tracer().start_span(
        _name("process", job.task), context=parent, kind=trace.SpanKind.CONSUMER, attributes=attributes, links=links
    )
    # Never detached: nothing else runs in the scope.
    scope.run(context.attach, trace.set_span_in_context(span, parent))
    return span


def _span_context(context: Context) -> SpanContext:
    from opentelemetry import trace

    return trace.get_current_span(context).get_span_context()


def _tracer() -> Tracer:
    from opentelemetry import trace

    return trace.get_tracer("libswarm", __version__)


def _propagator() -> Any:
    # Not the one that the program has configured: the headers are those that programs in other languages read.
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()


def _name(operation: str, task: str) -> str:
    return f"{operation} {task}" if task else operation


def _attributes(cluster: str, task: str, name: str, kind: str) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "messaging.system": "libswarm",
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "swarm.cluster": cluster,
    }
    if task:
        attributes["messaging.destination.name"] = task
    return attributes
