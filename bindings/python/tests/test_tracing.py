"""Spans of OpenTelemetry, with its SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from swarm_support import wait_until

from conftest import SOON, Script
from libswarm import Job, Master, NewJob, PermanentFailure, RateLimited, SwarmInvalidArgument, Worker, __version__, aio
from test_aio import in_loop, until

_exporter = InMemorySpanExporter()
_provider = TracerProvider()
_provider.add_span_processor(SimpleSpanProcessor(_exporter))


class Spans:
    """The spans that have ended in a test."""

    def named(self, name: str, count: int = 1) -> list[ReadableSpan]:
        """Waits for so many spans with a name."""

        def found() -> list[ReadableSpan]:
            return [span for span in _exporter.get_finished_spans() if span.name == name]

        wait_until(lambda: len(found()) >= count, SOON, f"{count} spans {name}")
        assert len(found()) == count
        return found()

    def one(self, name: str) -> ReadableSpan:
        """Waits for a span."""
        return self.named(name)[0]


@pytest.fixture
def spans() -> Iterator[Spans]:
    """With the SDK, which is one for the whole process."""
    if trace.get_tracer_provider() is not _provider:
        trace.set_tracer_provider(_provider)
    _exporter.clear()
    yield Spans()
    _exporter.clear()


def ids(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def links(span: ReadableSpan) -> list[tuple[int, int]]:
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def request() -> Any:
    """The span of a request, which the program makes current."""
    return trace.get_tracer("program").start_as_current_span("request")


def header(master: Master, id: str) -> tuple[int, int] | None:
    """The span in the headers of a job."""
    info = master.job(id)
    assert info is not None
    if not info.headers:
        return None
    _, trace_id, span_id, _ = info.headers["traceparent"].split("-")
    return int(trace_id, 16), int(span_id, 16)


def test_an_attempt_has_a_link_to_the_add(master: Master, cluster: str, url: str, spans: Spans) -> None:
    current: list[tuple[int, int]] = []
    worker = Worker(cluster, url=url)

    @worker.task("mail")
    def mail(job: Job) -> None:
        context = trace.get_current_span().get_span_context()
        current.append((context.trace_id, context.span_id))

    with request() as outer:
        id = master.add_job({"n": 1}, task="mail")
    assert header(master, id) == ids(spans.one("add mail"))
    with worker:
        processed = spans.one("process mail")
    added = spans.one("add mail")
    assert (added.kind, processed.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert added.parent is not None
    assert added.parent.span_id == outer.get_span_context().span_id
    assert processed.parent is None
    assert links(processed) == [ids(added)]
    assert current == [ids(processed)]
    assert added.instrumentation_scope is not None
    assert (added.instrumentation_scope.name, added.instrumentation_scope.version) == ("libswarm", __version__)
    common = {
        "messaging.system": "libswarm",
        "messaging.destination.name": "mail",
        "messaging.message.id": id,
        "swarm.cluster": cluster,
    }
    assert attributes(added) == {**common, "messaging.operation.name": "add", "messaging.operation.type": "send"}
    fence = attributes(processed).pop("swarm.fence")
    assert isinstance(fence, int)
    assert attributes(processed) == {
        **common,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "swarm.attempt": 1,
        "swarm.fence": fence,
        "swarm.outcome": "completed",
    }
    assert processed.status.status_code is StatusCode.UNSET


def test_with_parent_an_attempt_is_a_child(master: Master, cluster: str, url: str, spans: Spans) -> None:
    worker = Worker(cluster, url=url, trace="parent")

    @worker.process
    def handle(job: Job) -> None:
        if job.payload == "first":
            worker.add("second", task="other")

    with request():
        master.add("first")
    with worker:
        processed = spans.one("process")
        nested = spans.one("add other")
    assert processed.parent is not None
    assert (processed.parent.trace_id, processed.parent.span_id) == ids(spans.one("add"))
    assert links(processed) == []
    assert nested.parent is not None
    assert (nested.parent.trace_id, nested.parent.span_id) == ids(processed)


@pytest.mark.parametrize("value", ["none", 1, True])
def test_another_mode_is_refused(cluster: str, url: str, value: Any) -> None:
    with pytest.raises(SwarmInvalidArgument, match='it must be "link" or "parent"'):
        Worker(cluster, url=url, trace=value)
    with pytest.raises(SwarmInvalidArgument, match="trace"):
        Master(cluster, url=url, trace="link")  # type: ignore[call-arg]


def test_retries_have_a_span_each(master: Master, cluster: str, url: str, spans: Spans) -> None:
    worker = Worker(cluster, url=url)

    @worker.task("flaky")
    def flaky(job: Job) -> None:
        if job.attempt < 3:
            raise ValueError("not yet")
        raise PermanentFailure("never")

    with request():
        master.add_job(task="flaky", retries=5, backoff=0.001)
    with worker:
        attempts = spans.named("process flaky", 3)
    assert [attributes(span)["swarm.attempt"] for span in attempts] == [1, 2, 3]
    assert [attributes(span)["swarm.outcome"] for span in attempts] == ["retrying", "retrying", "failed"]
    assert [attributes(span)["error.type"] for span in attempts] == ["ValueError", "ValueError", "PermanentFailure"]
    assert all(links(span) == [ids(spans.one("add flaky"))] for span in attempts)
    assert all(span.status.status_code is StatusCode.ERROR for span in attempts)
    assert attempts[0].status.description == "not yet"
    assert [event.name for event in attempts[0].events] == ["exception"]


def test_other_outcomes(master: Master, cluster: str, url: str, spans: Spans) -> None:
    worker = Worker(cluster, url=url, slots=1)
    limited: list[Job] = []

    @worker.process
    def handle(job: Job) -> None:
        if job.payload == "limited":
            limited.append(job)
            if len(limited) == 1:
                raise RateLimited(0.01)
        elif job.payload == "own":
            job.fail("as it likes")
        else:
            wait_until(lambda: job.cancelled, SOON, "the end of the job")

    def outcomes(count: int) -> list[tuple[object, StatusCode]]:
        ended = spans.named("process", count)
        _exporter.clear()
        return [(attributes(span).get("swarm.outcome"), span.status.status_code) for span in ended]

    with worker:
        master.add_job("limited")
        assert outcomes(2) == [("rate_limited", StatusCode.UNSET), ("completed", StatusCode.UNSET)]
        master.add_job("own")
        assert outcomes(1) == [(None, StatusCode.UNSET)]
        master.add_job("slow", timeouts={"run": 0.5})
        assert outcomes(1) == [("timed_out", StatusCode.ERROR)]
        id = master.add_job("deleted")
        wait_until(lambda: id in worker.jobs, SOON, "an active job")
        master.delete_job(id)
        assert outcomes(1) == [("deleted", StatusCode.UNSET)]


def test_without_an_active_span_nothing_is_written(master: Master, cluster: str, url: str, spans: Spans) -> None:
    plain = master.add_job()
    assert header(master, plain) is None
    worker = Worker(cluster, url=url)
    # The span that is active when a handler is added is not the cause of its jobs.
    with request():
        worker.process(lambda job: None)
    with worker:
        processed = spans.one("process")
    assert (processed.parent, links(processed)) == (None, [])
    assert [span.name for span in _exporter.get_finished_spans()] == ["request", "process"]


def test_a_context_of_the_program_is_kept(master: Master, spans: Spans) -> None:
    headers = {"traceparent": f"00-{1:032x}-{2:016x}-01"}
    with request():
        id = master.add_job(headers=headers)
        mixed = master.add_job(headers={"tenant": "a"})
        many = master.add_jobs([NewJob(headers=headers), NewJob(headers={"tenant": "b"}), "plain"])
    assert header(master, id) == header(master, many[0]) == (1, 2)
    info = master.job(mixed)
    assert info is not None
    assert sorted(info.headers) == ["traceparent", "tenant"][::-1]
    one, batch = spans.named("add", 2)
    assert header(master, mixed) == ids(one)
    assert header(master, many[1]) == header(master, many[2]) == ids(batch)
    assert attributes(batch)["messaging.batch.message_count"] == 3


def test_every_call_that_adds(master: Master, cluster: str, url: str, spans: Spans) -> None:
    worker = Worker(cluster, url=url)
    worker.process(lambda job: job.headers["traceparent"].rpartition("-")[0])
    with worker, request():
        results = [
            master.run("a", timeout=SOON),
            *master.run_many(["b"], timeout=SOON),
            *(outcome.outcome for outcome in master.run_each(["c"], timeout=SOON)),
            master.result(master.add_flow([NewJob("d", result=True)]).jobs[0].id, timeout=SOON),
            master.result(worker.add_many(["e"], result=True)[0].id, timeout=SOON),
        ]
        spans.named("process", 5)
    added = spans.named("add", 5)
    assert [f"00-{ids(span)[0]:032x}-{ids(span)[1]:016x}" for span in added] == results


def test_a_batch_has_one_span(master: Master, cluster: str, url: str, spans: Spans) -> None:
    worker = Worker(cluster, url=url)

    @worker.process_batches(size=3, wait=5.0)
    def handle(jobs: list[Job]) -> None:
        raise ValueError("all of them")

    with request():
        master.add_jobs([1, 2])
        master.add_job(3)
    with worker:
        processed = spans.one("process")
    assert sorted(links(processed)) == sorted(ids(span) for span in spans.named("add", 2))
    assert attributes(processed)["messaging.batch.message_count"] == 3
    assert attributes(processed)["swarm.outcome"] == "failed"
    assert processed.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("options", [{"priority": "high"}, {"task": []}, {"headers": [1]}, {"unknown": 1}])
def test_a_refused_add_has_an_error(master: Master, spans: Spans, options: Any) -> None:
    for add in (lambda: master.add_job(**options), lambda: master.add_jobs([1, NewJob(2, **options)])):
        with pytest.raises(SwarmInvalidArgument) as plain:
            add()
        with request(), pytest.raises(SwarmInvalidArgument) as traced:
            add()
        assert str(traced.value) == str(plain.value)
    assert all(span.status.status_code is StatusCode.ERROR for span in spans.named("add", 2))


@in_loop
async def test_in_a_loop(cluster: str, url: str, spans: Spans) -> None:
    worker = aio.Worker(cluster, url=url, slots=5)
    current: list[tuple[int, int]] = []

    @worker.process
    async def handle(job: Job) -> None:
        await asyncio.sleep(0)
        context = trace.get_current_span().get_span_context()
        current.append((context.trace_id, context.span_id))
        if job.payload == "fails":
            raise ValueError("it fails")
        if job.payload == "deleted":
            await asyncio.Event().wait()

    async with aio.Master(cluster, url=url) as master, worker:
        with request():
            await asyncio.gather(*(master.add_job(payload) for payload in ("fine", "fails")))
            id = await master.add_job("deleted")
        await until(lambda: len(current) == 3, "three handlers")
        await master.delete_job(id)
        await until(lambda: sum(span.name == "process" for span in _exporter.get_finished_spans()) == 3, "three spans")
    processed = spans.named("process", 3)
    assert sorted(current) == sorted(ids(span) for span in processed)
    assert sorted(link for span in processed for link in links(span)) == sorted(ids(span) for span in spans.named("add", 3))
    outcomes = {attributes(span)["swarm.outcome"]: span.status.status_code for span in processed}
    assert outcomes == {"completed": StatusCode.UNSET, "failed": StatusCode.ERROR, "deleted": StatusCode.UNSET}


@in_loop
async def test_a_batch_in_a_loop(cluster: str, url: str, spans: Spans) -> None:
    worker = aio.Worker(cluster, url=url)
    current: list[tuple[int, int]] = []

    @worker.process_batches(size=2, wait=5.0)
    async def handle(jobs: list[Job]) -> None:
        await asyncio.sleep(0)
        context = trace.get_current_span().get_span_context()
        current.append((context.trace_id, context.span_id))

    async with aio.Master(cluster, url=url) as master, worker:
        with request():
            await master.add_jobs([1, 2])
        await until(lambda: any(span.name == "process" for span in _exporter.get_finished_spans()), "the span of the batch")
    processed = spans.one("process")
    assert (current, links(processed)) == ([ids(processed)], [ids(spans.one("add"))])
    assert attributes(processed)["swarm.outcome"] == "completed"


def test_the_handlers_of_a_worker_that_leaves(master: Master, cluster: str, url: str, spans: Spans) -> None:
    worker = Worker(cluster, url=url, slots=2)

    @worker.process
    def handle(job: Job) -> None:
        wait_until(lambda: job.cancelled, SOON, "the request to stop")
        if job.payload == "fails":
            raise InterruptedError

    with worker:
        for payload in ("continues", "fails"):
            master.add_job(payload, id=payload)
        wait_until(lambda: len(worker.jobs) == 2, SOON, "active jobs")
    outcomes = {attributes(span)["messaging.message.id"]: attributes(span)["swarm.outcome"] for span in spans.named("process", 2)}
    assert outcomes == {"continues": "completed", "fails": "failed"}
    assert (master.stats().completed, master.stats().failed) == (1, 1)


@in_loop
async def test_a_handler_that_is_cancelled_because_its_worker_leaves(cluster: str, url: str, spans: Spans) -> None:
    worker = aio.Worker(cluster, url=url)

    @worker.process
    async def handle(job: Job) -> None:
        await asyncio.Event().wait()

    async with aio.Master(cluster, url=url) as master:
        await worker.start()
        await master.add_job()
        await until(lambda: worker.jobs, "an active job")
        await worker.terminate(grace=0.02)
    span = spans.one("process")
    assert (attributes(span)["swarm.outcome"], span.status.status_code) == ("terminated", StatusCode.UNSET)


def test_a_program_that_does_not_use_it_does_not_load_it(script: Script) -> None:
    done = script(
        """
        import sys
        from libswarm import Master, Worker

        # As if it were not installed.
        sys.modules["opentelemetry"] = None
        worker = Worker(cluster, url=url)
        worker.process(lambda job: job.payload)
        with Master(cluster, url=url) as master, worker:
            print(master.run(7, timeout=10), master.run_many([8], timeout=10))
        print([name for name in sys.modules if name.startswith("opentelemetry.")])
        """
    )
    assert (done.stdout, done.stderr) == ("7 [8]\n[]\n", "")
