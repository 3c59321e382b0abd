"""The trace of a job in two languages: one adds it, the other runs it."""

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from libswarm import Master, Worker
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from swarm_support import Redis, wait_until

#: Seconds.
SOON = 20.0

Servers = Callable[[dict[str, str]], Redis]


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """The spans of this process, which has one SDK."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def program(cluster: str, url: str, action: str) -> "subprocess.Popen[str]":
    """Starts the program in Node."""
    command = ["node", str(Path(__file__).with_name("tracing.js")), cluster, url, action]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def spans_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Ends the program, and returns its spans by name."""
    output, _ = process.communicate(timeout=SOON)
    return {span["name"]: span for span in map(json.loads, output.splitlines())}


def named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    """Waits for a span of this process."""
    wait_until(lambda: any(span.name == name for span in exporter.get_finished_spans()), SOON, f"a span {name}")
    return next(span for span in exporter.get_finished_spans() if span.name == name)


def ids(context: Any) -> list[str]:
    return [f"{context.trace_id:032x}", f"{context.span_id:016x}"]


@pytest.mark.parametrize("mode", ["link", "parent"])
def test_python_adds_and_node_runs(servers: Servers, exporter: InMemorySpanExporter, mode: str) -> None:
    exporter.clear()
    url, cluster = servers({}).url, uuid.uuid4().hex
    process = program(cluster, url, mode)
    with Master(cluster, url=url) as master:
        with trace.get_tracer("program").start_as_current_span("request"):
            id = master.add_job("from python", task="node")
        wait_until(lambda: master.job(id) is None, SOON, "the end of the job")
    ran = spans_of(process)["process node"]
    added = ids(named(exporter, "add node").get_span_context())
    assert (ran["links"], ran.get("parent")) == (([added], None) if mode == "link" else ([], added))


@pytest.mark.parametrize("mode", ["link", "parent"])
def test_node_adds_and_python_runs(servers: Servers, exporter: InMemorySpanExporter, mode: Any) -> None:
    exporter.clear()
    url, cluster = servers({}).url, uuid.uuid4().hex
    process = program(cluster, url, "add")
    worker = Worker(cluster, url=url, trace=mode)
    worker.process({"python": lambda job: None})
    with worker:
        ran = named(exporter, "process python")
    added = spans_of(process)["add python"]["span"]
    parent = None if ran.parent is None else ids(ran.parent)
    assert ([ids(link.context) for link in ran.links], parent) == (([added], None) if mode == "link" else ([], added))
