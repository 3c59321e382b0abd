"""Jobs that wait for others, from threads and event loops."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Input, Job, Master, NewJob, Worker, aio, chain, fan_in
from test_aio import in_loop

Jobs = queue.SimpleQueue[Job]


@pytest.fixture
def jobs(cluster: str, url: str) -> Iterator[Jobs]:
    received: Jobs = queue.SimpleQueue()
    with Worker(cluster, url=url) as worker:
        worker.on("add", received.put)
        yield received


def completed(result: Any) -> Input:
    return Input("completed", result, None, None)


def test_jobs_wait_for_others_and_read_their_results(master: Master, jobs: Jobs) -> None:
    flow = master.add_flow(fan_in([NewJob({"n": 1}, id="a"), NewJob(b"\0", id="b")], NewJob(id="last")), id="f")
    assert (flow.id, flow.existed) == ("f", False)
    assert [(job.id, job.existed) for job in flow.jobs] == [("a", False), ("b", False), ("last", False)]
    assert master.add_flow([NewJob(id="a")], id="f").existed
    for _ in range(2):
        job = jobs.get(timeout=SOON)
        assert job.inputs().wait() == {}
        job.complete(job.payload)
    last = jobs.get(timeout=SOON)
    assert last.inputs().wait() == {"a": completed({"n": 1}), "b": completed(b"\0")}
    info = master.flow("last")
    assert info is not None
    assert (info.id, info.cancel_rest) == ("f", False)
    assert [(job.id, job.state, sorted(job.after)) for job in info.jobs] == [
        ("a", "completed", []),
        ("b", "completed", []),
        ("last", "active", ["a", "b"]),
    ]
    last.complete()
    assert master.flow("nobody") is None


def test_failures_of_dependencies(master: Master, jobs: Jobs) -> None:
    options: dict[str, Any] = {"result": True}
    chained = chain([NewJob(id="a"), NewJob(id="b", **options)])
    run = NewJob(id="run", after=["a"], on_failure="run")
    ignore = NewJob(id="ignore", after=["a"], on_failure="ignore")
    master.add_flow([*chained, run, ignore])
    jobs.get(timeout=SOON).fail_permanently("broken")
    with pytest.raises(libswarm.SwarmDependencyFailed, match="the job `a`, which it waited for, failed") as raised:
        master.result("b", timeout=SOON)
    assert raised.value.reason == "dependency_failed"
    inputs = {job.id: job.inputs().wait() for job in (jobs.get(timeout=SOON), jobs.get(timeout=SOON))}
    assert inputs == {"run": {"a": Input("failed", None, "failed", "broken")}, "ignore": {}}


def test_the_rest_of_a_flow_is_deleted(master: Master, jobs: Jobs) -> None:
    master.add_flow([NewJob(id="a"), NewJob(id="b"), NewJob(id="c", after=["b"])], id="f", cancel_rest=True)
    first = jobs.get(timeout=SOON)
    first.fail_permanently("broken")

    def states() -> list[str]:
        info = master.flow("f")
        return [] if info is None else [job.state for job in info.jobs if job.id != first.id]

    wait_until(lambda: states() == ["deleted", "deleted"], SOON, "the rest")


def test_a_single_job_waits_for_existing_ones(master: Master, jobs: Jobs) -> None:
    master.add_job(id="a")
    job = jobs.get(timeout=SOON)
    assert master.add_job(id="b", after=["a"]) == "b"
    found = master.job("b")
    assert found is not None
    assert found.state == "blocked"
    job.complete()
    assert jobs.get(timeout=SOON).inputs().wait() == {"a": completed(None)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"after": ["nobody"]}, "`nobody`, which is unknown"),
        ({"id": "x", "after": ["x"]}, "waits for itself"),
        ({"after": "x"}, "after is one str"),
        ({"after": ["y"], "unique": "s"}, "exclude each other"),
        ({"after": ["y"], "ephemeral": True}, "cannot be ephemeral"),
        ({"on_failure": "stop"}, "on_failure is `stop`, it must be fail or run or ignore"),
    ],
)
def test_bad_options_are_refused(master: Master, options: dict[str, Any], message: str) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match=message):
        master.add_job(1, **options)
    assert master.stats().added == 0


def test_bad_flows_are_refused(master: Master) -> None:
    with pytest.raises(
        libswarm.SwarmInvalidArgument, match=r"in a cycle, none was added: (`a` after `b` after `a`|`b` after `a` after `b`)"
    ):
        master.add_flow([NewJob(id="a", after=["b"]), NewJob(id="b", after=["a"])])
    with pytest.raises(libswarm.SwarmInvalidArgument, match="no jobs"):
        master.add_flow([])
    with pytest.raises(libswarm.SwarmTooLarge, match="10,001 jobs"):
        master.add_flow(range(10_001))
    with pytest.raises(libswarm.SwarmInvalidArgument, match="cancel_rest"):
        master.add_flow([1], cancel_rest=1)  # type: ignore[arg-type]
    assert master.stats().added == 0


@in_loop
async def test_flows_in_an_event_loop(cluster: str, url: str) -> None:
    async def handler(job: Job) -> Any:
        inputs = await job.inputs()
        return {id: one.result for id, one in inputs.items()} or job.payload

    worker = aio.Worker(cluster, url=url)
    worker.process(handler)
    async with aio.Master(cluster, url=url) as master, worker:
        flow = await master.add_flow(chain([NewJob(1, id="a"), NewJob(2, id="b", result=True)]))
        assert await master.result("b", timeout=SOON) == {"a": 1}
        assert (await master.flow(flow.id)) is not None
        refused = master.add_job(3, after=["nobody"])
        assert await master.run(4, timeout=SOON) == 4
        with pytest.raises(libswarm.SwarmInvalidArgument):
            await refused
