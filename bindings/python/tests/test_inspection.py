"""Groups of jobs, and inspection of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, NewJob, PermanentFailure, SwarmInvalidArgument, SwarmTimeout, Worker


@pytest.fixture
def halver(cluster: str, url: str) -> Any:
    """A worker that halves numbers, and fails permanently at others than even ones."""
    worker = Worker(cluster, url=url, slots=4)

    @worker.process
    def handle(job: Job) -> int:
        if job.payload % 2:
            raise PermanentFailure(f"{job.payload} is odd")
        return int(job.payload) // 2

    with worker:
        yield worker


@pytest.mark.usefixtures("halver")
def test_all_outcomes_come_in_the_order_of_the_jobs(master: Master) -> None:
    outcomes = master.run_many([8, 3, NewJob(6, priority=9)], timeout=SOON)
    assert (outcomes[0], outcomes[2]) == (4, 3)
    assert isinstance(outcomes[1], libswarm.SwarmJobFailed)
    assert (str(outcomes[1]), outcomes[1].reason) == ("3 is odd", "failed")
    assert master.run_many([], timeout=SOON) == []
    assert master.run_many(range(0, 4000, 2), timeout=3 * SOON) == list(range(2000))
    with pytest.raises(libswarm.SwarmTimeout):
        master.run_many([2], task="nobody's", timeout=0.05)


@pytest.mark.usefixtures("halver")
def test_each_outcome_comes_when_its_job_finishes(master: Master) -> None:
    seen: dict[int, Any] = {}
    for position, outcome in master.run_each([NewJob(8, delay=0.2), 3, 6], timeout=SOON):
        seen[position] = outcome
    assert list(seen)[-1] == 0
    assert (seen[0], str(seen[1]), seen[2]) == (4, "3 is odd", 3)
    assert dict(master.run_each(range(0, 4000, 2), ids=[str(n) for n in range(2000)])) == {n: n for n in range(2000)}
    assert list(master.run_each([])) == []
    with pytest.raises(libswarm.SwarmTooLarge, match="job 1, none was added"):
        master.run_each([b"", b"x" * (512 * 1024 + 1)])
    slow = master.run_each([2, NewJob(4, task="nobody's")], timeout=0.2)
    assert next(slow) == (0, 1)
    with pytest.raises(libswarm.SwarmTimeout):
        next(slow)


def test_a_run_reports_that_a_job_with_this_id_existed(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    existed: list[str] = []

    @worker.on_add
    def add(job: Job) -> None:
        """Completes all but one."""
        if job.id != "active":
            job.complete(job.payload)

    def refuse(id: str) -> None:
        raise KeyError(id)

    def end(id: str) -> None:
        """It is called while the job is active."""
        existed.append(id)
        (active,) = worker.jobs.values()
        active.complete("of the first")

    with worker:
        assert master.run("new", id="new", on_existed=existed.append, timeout=SOON) == "new"
        assert existed == []
        runs: list[Callable[[], Any]] = [
            lambda: master.run("again", id="active", on_existed=end, timeout=SOON),
            lambda: master.run_many(["again"], ids=["active"], on_existed=end, timeout=SOON)[0],
            lambda: next(iter(master.run_each(["again"], ids=["active"], on_existed=end, timeout=SOON))).outcome,
        ]
        for run in runs:
            master.add_job("first", id="active", result=True)
            wait_until(lambda: bool(worker.jobs), SOON, "it is active")
            assert run() == "of the first"
        assert existed == ["active"] * 3
        assert master.run_many(["1", "2"], ids=["x", "y"], on_existed=existed.append, timeout=SOON) == ["1", "2"]
        assert existed == ["active"] * 3

        # An error that it raises ends the wait; a refusal of the job and the time limit are raised as without it.
        master.add_job("first", id="active", result=True)
        wait_until(lambda: bool(worker.jobs), SOON, "it is active")
        with pytest.raises(KeyError):
            master.run("again", id="active", on_existed=refuse, timeout=SOON)
        with pytest.raises(SwarmTimeout, match="the job has not finished"):
            master.run("again", id="active", on_existed=existed.append, timeout=0.2)
        assert existed == ["active"] * 4
        with pytest.raises(SwarmInvalidArgument, match="id"):
            master.run("again", id="", on_existed=existed.append, timeout=SOON)
        for bad in (1, "f", asyncio.sleep):
            with pytest.raises(SwarmInvalidArgument, match="on_existed"):
                master.run(1, on_existed=bad)  # type: ignore[arg-type]


def test_groups_are_deleted_with_their_master_unless_they_are_kept(master: Master, cluster: str, url: str) -> None:
    leaving = Master(cluster, url=url)
    given_up = leaving.run_each(["given up", NewJob("kept", ephemeral=False)])
    kept = leaving.run_each(["kept"], keep=True)
    wait_until(lambda: master.stats().waiting == 3, SOON, "all are added")
    leaving.close()
    for outcomes in (given_up, kept):
        with pytest.raises(libswarm.SwarmClosed):
            next(outcomes)
    wait_until(lambda: master.stats().waiting == 2, SOON, "one is deleted")
    assert [job.payload for job in master.jobs("waiting").jobs] == ["kept", "kept"]


def test_a_deleted_job_of_a_group_is_one_of_its_outcomes(master: Master) -> None:
    outcomes = master.run_each([1, 2], ids=["a", "b"])
    wait_until(lambda: master.stats().waiting == 2, SOON, "both are added")
    master.delete_jobs(["b", "a"])
    assert {position: type(outcome) for position, outcome in outcomes} == dict.fromkeys((0, 1), libswarm.SwarmJobDeleted)


def test_a_job_is_looked_up_in_every_state(master: Master, cluster: str, url: str) -> None:
    assert master.job("nobody") is None
    master.add_job({"n": 1}, id="a", retries=1, headers={"x": "y"})
    info = master.job("a")
    assert info is not None
    assert (info.id, info.state, info.payload, info.payload_bytes, info.content_type) == (
        "a",
        "waiting",
        {"n": 1},
        b'{"n":1}',
        "json",
    )
    assert (info.attempt, info.retries, info.holder, info.fence, info.headers) == (1, 1, "", 0, {"x": "y"})
    assert (info.assigned_at, info.due_at, info.failed_at, info.reason, info.error) == (None, None, None, "", "")
    with Worker(cluster, url=url, slots=1) as worker:
        job = next(iter(worker))
        info = master.job("a")
        assert info is not None
        assert (info.state, info.holder, info.fence) == ("active", worker.incarnation, job.fence)
        assert info.assigned_at is not None
        job.retry("later", 3600).wait(SOON)
        info = master.job("a")
        assert info is not None
        assert (info.state, info.attempt) == ("delayed", 2)
        assert info.due_at is not None
        master.add_job(b"\xff", id="b")
        job = next(iter(worker))
        job.fail("no").wait(SOON)
        info = master.job("b")
        assert info is not None
        assert (info.state, info.reason, info.error, info.payload) == ("failed", "failed", "no", b"\xff")
        assert info.failed_at is not None


def test_pages_queues_and_pauses(master: Master, cluster: str, url: str) -> None:
    master.pause()
    master.pause("t")
    assert sorted(master.queues().paused) == ["*", "t"]
    master.add_jobs([NewJob(n, id=str(n), priority=n // 5) for n in range(10)])
    master.add_job("t", id="t", task="t", priority=9)
    assert master.queues().queues == [(9, "t", 1, 0), (1, "", 5, 0), (0, "", 5, 0)]
    ids: list[str] = []
    after: str | None = ""
    while after is not None:
        jobs, after = master.jobs("waiting", after=after, limit=3)
        ids += [job.id for job in jobs]
    assert ids == ["t", "5", "6", "7", "8", "9", "0", "1", "2", "3", "4"]
    with Worker(cluster, url=url, slots=10, tasks=["", "t"], name="ann", group="g") as worker:
        worker.on("add", lambda job: None)
        worker.ready()
        assert not worker.jobs
        master.resume()
        wait_until(lambda: len(worker.jobs) == 10, SOON, "all but the task's are active")
        ann = next(member for member in master.members() if member.role == "worker")
        assert (ann.name, ann.group, ann.slots, ann.active, ann.free, ann.tasks) == ("ann", "g", 10, 10, 0, ["", "t"])
        assert (ann.incarnation, ann.language) == (worker.incarnation, "python")
        assert 0 < ann.lease_left <= 15
        worker.jobs["5"].complete()
        master.resume("t")
        wait_until(lambda: "t" in worker.jobs, SOON, "the task's is active")
    with pytest.raises(libswarm.SwarmInvalidArgument, match="no state `asleep`"):
        master.jobs("asleep")  # type: ignore[arg-type]
    for limit in (0, 1001, -1, "all"):
        with pytest.raises(libswarm.SwarmInvalidArgument):
            master.jobs("waiting", limit=limit)  # type: ignore[arg-type]


def test_failed_jobs_are_run_again_or_forgotten(master: Master, cluster: str, url: str) -> None:
    go = False
    worker = Worker(cluster, url=url)

    @worker.process
    def handle(job: Job) -> None:
        if not go:
            raise ValueError("no")

    with worker:
        ids = master.add_jobs(range(4), ids=list("abcd"))
        wait_until(lambda: master.stats().failed == 4, SOON, "all have failed")
        assert {job.id for job in master.jobs("failed").jobs} == set(ids)
        assert master.delete_failed(["a", "nobody"]) == 1
        go = True
        assert master.retry_failed(["b"]) == 1
        assert master.retry_failed() == 2
        wait_until(lambda: master.stats().completed == 3, SOON, "they are done")
        stats = master.stats()
        assert (stats.failed, stats.revived) == (0, 3)
        assert master.delete_failed() == 0
        with pytest.raises(libswarm.SwarmInvalidArgument, match="one str"):
            master.retry_failed("abc")
