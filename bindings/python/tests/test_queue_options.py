"""Options of jobs and workers: priorities, tasks, times, resources, headers and durability."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, NewJob, Worker


def taken(worker: Worker, count: int) -> list[Any]:
    """The payloads of the next jobs, each completed at once."""
    payloads = []
    for job in worker:
        payloads.append(job.payload)
        job.complete()
        if len(payloads) == count:
            break
    return payloads


def test_each_of_many_jobs_may_have_options_of_its_own(master: Master, cluster: str, url: str) -> None:
    jobs = ["plain", NewJob("own", priority=9, id="own"), NewJob(b"bytes", headers={"a": "1"}), {"last": True}]
    ids = master.add_jobs(jobs, priority=3, headers={"b": "2"})
    assert ids[1] == "own"
    infos = [master.job(id) for id in ids]
    assert [info and info.payload for info in infos] == ["plain", "own", b"bytes", {"last": True}]
    assert [info and info.priority for info in infos] == [3, 9, 3, 3]
    assert [info and info.headers for info in infos] == [{"b": "2"}, {"b": "2"}, {"a": "1"}, {"b": "2"}]
    with Worker(cluster, url=url, slots=1) as worker:
        assert taken(worker, 4) == ["own", "plain", b"bytes", {"last": True}]
    assert master.add_jobs([NewJob(1, id="a"), 2], ids=["x", "y"]) == ["a", "y"]
    with pytest.raises(libswarm.SwarmInvalidArgument, match="NewJob"):
        master.add_job(NewJob(1))
    with pytest.raises(libswarm.SwarmInvalidArgument, match="NewJob"):
        master.add_jobs([[NewJob(1)]])
    assert repr(NewJob(1, task="t")) == "NewJob(1, task='t')"


def test_a_job_has_the_options_it_was_added_with(master: Master, cluster: str, url: str) -> None:
    options: libswarm.JobOptions = {
        "priority": -5,
        "task": "resize",
        "resource": "disk",
        "headers": {"trace": "a=b"},
        "retries": 2,
    }
    master.add_job("all", **options)
    with Worker(cluster, url=url, tasks=["resize"]) as worker:
        job = next(iter(worker))
        assert (job.priority, job.task, job.resource, job.headers) == (-5, "resize", "disk", {"trace": "a=b"})
        assert (job.attempt, job.retries_left) == (1, 2)
        job.complete()
    master.add_job("plain")
    with Worker(cluster, url=url) as worker:
        job = next(iter(worker))
        assert (job.priority, job.task, job.resource, job.headers, job.attempt, job.retries_left) == (0, "", "", {}, 1, 0)
        job.complete()


def test_delayed_jobs_start_when_they_are_due(master: Master, cluster: str, url: str) -> None:
    now = datetime.now(UTC)
    master.add_jobs(
        [
            NewJob("third", delay=0.3),
            NewJob("first", run_at=now - timedelta(days=1)),
            NewJob("second", run_at=time.time() + 0.15),
            NewJob("never", run_at=now + timedelta(hours=1), id="never"),
        ]
    )
    assert master.stats().delayed == 3
    never = master.job("never")
    assert never is not None
    assert never.state == "delayed"
    assert never.due_at == pytest.approx((now + timedelta(hours=1)).timestamp(), abs=0.01)
    with Worker(cluster, url=url) as worker:
        assert taken(worker, 3) == ["first", "second", "third"]


def test_jobs_of_a_resource_run_one_at_a_time_and_attached_ones_once(master: Master, cluster: str, url: str) -> None:
    master.add_jobs(["a", "b"], resource="r")
    master.add_jobs(["c", "d"], unique={"key": "s", "on_conflict": "attach"})
    with Worker(cluster, url=url) as worker:
        # Asked for, and kept for the loop.
        worker.on("add", print)
        worker.off("add", print)
        wait_until(lambda: len(worker.jobs) == 2, SOON, "the first of each is active")
        assert master.stats().blocked == 2
        assert taken(worker, 3) == ["a", "c", "b"]
        wait_until(lambda: master.stats().completed == 4, SOON, "the attached one has finished with its first")


def test_groups_of_waiting_jobs_take_turns(master: Master, cluster: str, url: str) -> None:
    master.add_jobs([1, 2, 3, 4], group="a")
    last = master.add_jobs([5, 6], group="b", weight=2)[-1]
    assert master.queues().queues == [(0, "", 6, 2)]
    info = master.job(last)
    assert info is not None
    assert info.group == "b"
    groups = []
    with Worker(cluster, url=url, slots=1) as worker:
        for job in worker:
            groups.append(job.group)
            job.complete()
            if len(groups) == 6:
                break
    assert sorted(groups[:4]) == ["a", "a", "b", "b"]
    with pytest.raises(libswarm.SwarmInvalidArgument, match="weight belongs to a group"):
        master.add(1, weight=2)


@pytest.mark.parametrize("durability", ["fsync", "replica"])
def test_less_durable_than_asked_is_an_error(master: Master, durability: Any) -> None:
    with pytest.raises(libswarm.SwarmNotDurable) as caught:
        master.add_job(durability=durability)
    assert not caught.value.retryable
    assert master.stats().waiting == 1


def test_ephemeral_jobs_go_with_their_master(master: Master, cluster: str, url: str) -> None:
    with Master(cluster, url=url) as leaving:
        leaving.add_jobs([NewJob("ephemeral", ephemeral=True), "kept"])
    wait_until(lambda: master.stats().waiting == 1, SOON, "one is deleted")


def test_priority_slots_are_kept_free(master: Master, cluster: str, url: str) -> None:
    with Worker(cluster, url=url, slots=4, priority_slots={1: 2, 2: 1}, strict_slots=True) as worker:
        worker.on("add", lambda job: None)
        master.add_jobs(range(10))
        wait_until(lambda: len(worker.jobs) == 1, SOON, "only the rest is for priority 0")
        master.add_jobs(range(10), priority=2)
        wait_until(lambda: len(worker.jobs) == 3, SOON, "one slot is that of priority 2, which may take of the rest too")
        master.add_jobs(range(10), priority=1)
        wait_until(lambda: len(worker.jobs) == 4, SOON, "all are taken")


def test_failed_jobs_are_kept_as_long_as_the_options_set(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, failed_max=2, failed_ttl=1, prefetch=1)
    worker.on_add(lambda job: job.fail("no"))
    with worker:
        master.add_jobs(range(4))
        wait_until(lambda: master.stats().failures == 4, SOON, "all have failed")
        assert master.stats().failed <= 2
        wait_until(lambda: master.stats().failed == 0, SOON, "they are forgotten")


def test_a_worker_takes_the_tasks_of_its_options(master: Master, cluster: str, url: str) -> None:
    master.add_jobs([NewJob(task, task=task) for task in ("a", "b", "c")])
    master.add_job("none")
    with Worker(cluster, url=url, slots=1, tasks=["a", ""]) as worker:
        assert sorted(taken(worker, 2)) == ["a", "none"]
        worker.set_tasks(["c"])
        assert taken(worker, 1) == ["c"]
        wait_until(lambda: any(member.tasks == ["c"] for member in master.members()), SOON, "the others know")
        with pytest.raises(libswarm.SwarmInvalidArgument):
            worker.set_tasks("b")
        with pytest.raises(libswarm.SwarmInvalidArgument):
            worker.set_tasks(["x\n"])
    assert master.stats().waiting == 1


@pytest.mark.parametrize(
    "options",
    [
        {"colour": "red"},
        {"backoff_delay": 5},
        {"assign_timeout": 5},
        {"id": 7},
        {"id": "lone \ud800"},
        {"result": 1},
        {"priority": "high"},
        {"priority": 1.5},
        {"priority": 2**53 + 1},
        {"delay": -1},
        {"delay": float("nan")},
        {"delay": "soon"},
        {"delay": timedelta(days=1)},
        {"run_at": "tomorrow"},
        {"run_at": -1},
        {"run_at": float("inf")},
        {"retries": -1},
        {"retries": 201},
        {"backoff": "exponential"},
        {"backoff": -1},
        {"backoff": {"type": "sideways"}},
        {"backoff": {"jitter": 2}},
        {"backoff": {"growth": "fixed"}},
        {"timeouts": 5},
        {"timeouts": {"run": "long"}},
        {"timeouts": {"walk": 1}},
        {"headers": {"a": 1}},
        {"headers": {1: "a"}},
        {"headers": ["a"]},
        {"task": "a\n"},
        {"task": 1},
        {"ephemeral": "yes"},
        {"durability": "eternal"},
    ],
    ids=str,
)
def test_bad_options_of_jobs_are_refused(master: Master, options: dict[str, Any]) -> None:
    for add in (
        lambda: master.add_job(**options),
        lambda: master.add_jobs([1, NewJob(2, **options)]),
        lambda: master.run_many([1], **options),
        lambda: master.run_each([1], **options),
    ):
        with pytest.raises(libswarm.SwarmInvalidArgument):
            add()
    assert master.stats().added == 0


@pytest.mark.parametrize(
    "options",
    [
        {"tasks": "resize"},
        {"tasks": ["a\n"]},
        {"tasks": [1]},
        {"tasks": [str(n) for n in range(101)]},
        {"priority_slots": {1: 5}},
        {"slots": 4, "priority_slots": {1: 5}},
        {"slots": 4, "priority_slots": {"high": 1}},
        {"strict_slots": 1},
        {"prefetch": -1},
        {"rebalance": "yes"},
        {"failed_max": 0},
        {"failed_ttl": 0.5},
    ],
    ids=str,
)
def test_bad_options_of_workers_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument):
        Worker("options", **options)


def test_moved_jobs_have_a_delete_reason(master: Master, cluster: str, url: str) -> None:
    reasons: list[object] = []

    def moved(job: Job) -> None:
        reasons.append(job.delete_reason)

    with Worker(cluster, url=url) as first:
        first.on_add(lambda job: None)
        first.on_delete(moved)
        master.add_jobs(range(10))
        wait_until(lambda: len(first.jobs) == 10, SOON, "all are active")
        with Worker(cluster, url=url, rebalance=True) as second:
            second.on_add(lambda job: None)
            wait_until(lambda: len(second.jobs) == 5, SOON, "half of them are moved")
            assert reasons == ["moved"] * 5
