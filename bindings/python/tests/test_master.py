"""The master of threads."""

from __future__ import annotations

import logging
import math
import socket
import threading

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Master, Worker


def test_add_job_answers_an_id_of_twenty_hexadecimal_characters(master: Master) -> None:
    id = master.add_job({"user": 7})
    assert len(id) == 20
    assert int(id, 16) >= 0


def test_an_id_of_ones_own_is_added_once(master: Master) -> None:
    assert master.add("first", id="mine") == libswarm.Added("mine", False)
    assert master.add("second", id="mine") == libswarm.Added("mine", True)
    assert master.add_many(["third", "fourth"], ids=["mine", "other"]) == [
        libswarm.Added("mine", True),
        libswarm.Added("other", False),
    ]
    assert master.stats().waiting == 2


def test_add_jobs_keeps_the_order(master: Master, cluster: str, url: str) -> None:
    ids = master.add_jobs(range(2500), ids=[f"job-{n}" for n in range(2500)])
    assert ids == [f"job-{n}" for n in range(2500)]
    with Worker(cluster, url=url, slots=1) as worker:
        for n, job in enumerate(worker):
            assert (job.id, job.payload) == (f"job-{n}", n)
            job.complete()
            if n == 2499:
                break


def test_one_bad_job_of_many_adds_none(master: Master) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match="JSON"):
        master.add_jobs([1, float("nan"), 3])
    with pytest.raises(libswarm.SwarmTooLarge):
        master.add_jobs([b"", b"x" * (512 * 1024 + 1)])
    with pytest.raises(libswarm.SwarmInvalidArgument, match="1 ids for 2 payloads"):
        master.add_jobs([1, 2], ids=["a"])
    assert master.stats().added == 0
    assert master.add_jobs([]) == []


def test_delete_returns_what_existed(master: Master) -> None:
    id = master.add_job()
    assert master.delete_job(id) is True
    assert master.delete_job(id) is False
    other = master.addJob()
    assert master.delete_jobs([id, other]) == [False, True]
    assert master.deleteJob(other) is False
    assert master.stats().waiting == 0


def test_run_and_result(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    worker.process(lambda job: job.payload * 2)
    with worker:
        assert master.run(21, timeout=SOON) == 42
        id = master.add_job("ab", result=True, result_ttl=60)
        with Master(cluster, url=url) as other:
            assert other.result(id, timeout=SOON) == "abab"
    with pytest.raises(libswarm.SwarmNotFound):
        master.result("nobody", timeout=SOON)


def test_a_wait_ends_in_time_and_the_job_continues(master: Master, cluster: str, url: str) -> None:
    with pytest.raises(TimeoutError) as caught:
        master.run("slow", id="slow", timeout=0.05)
    assert isinstance(caught.value, libswarm.SwarmTimeout)
    assert caught.value.retryable
    worker = Worker(cluster, url=url)
    worker.process(lambda job: job.payload)
    with worker:
        assert master.result("slow", timeout=SOON) == "slow"


def test_failed_and_deleted_jobs_raise_what_they_are(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    worker.process(lambda job: 1 / 0)
    with worker, pytest.raises(libswarm.SwarmJobFailed, match="ZeroDivisionError: division by zero") as caught:
        master.run(timeout=SOON)
    assert caught.value.reason == "failed"
    _, call = master._native.run(None, SOON, {"id": "mine"})
    wait_until(lambda: master.stats().waiting == 1, SOON, "the job waits")
    master.delete_job("mine")
    with pytest.raises(libswarm.SwarmJobDeleted):
        call.wait()


def test_stats_and_health(master: Master) -> None:
    master.ready()
    master.add_jobs([1, 2])
    stats = master.stats()
    assert (stats.waiting, stats.added, stats.members) == (2, 2, 1)
    health = master.health()
    assert health.healthy
    assert health.incarnation == master.incarnation != ""
    assert 0 < health.lease_left <= 15


def test_closed_is_closed(cluster: str, url: str) -> None:
    master = Master(cluster, url=url)
    master.add_job()
    master.close()
    master.close()
    with pytest.raises(libswarm.SwarmClosed):
        master.add_job()
    with pytest.raises(libswarm.SwarmClosed):
        master.health()


def test_added_jobs_are_sent_when_the_master_is_dropped(cluster: str, url: str, master: Master) -> None:
    dropped = Master(cluster, url=url)
    dropped.ready()
    dropped._native.add("left behind", {})
    del dropped
    wait_until(lambda: master.stats().added == 1, SOON, "the job is added")


def test_jobs_are_added_after_the_cluster_was_removed(cluster: str, url: str) -> None:
    with Master(cluster, url=url, lease=3600) as master:
        for n in range(3):
            master.add_job(n)
            master.obliterate()
            added = threading.Thread(target=master.add_job, args=("after",), daemon=True)
            added.start()
            added.join(SOON)
            assert not added.is_alive(), "the add after the removal is stuck"
            assert master.stats().waiting == 1
            master.obliterate()


@pytest.mark.parametrize("grace", [math.inf, math.nan, -1.0, 1e19, 86_401.0])
def test_a_grace_that_cannot_be_counted_is_refused(cluster: str, url: str, grace: float) -> None:
    worker = Worker(cluster, url=url)
    worker.on("add", lambda job: None)
    worker.start()
    try:
        worker.ready()
        with pytest.raises(libswarm.SwarmInvalidArgument):
            worker.terminate(grace=grace)
        assert worker.health().error == ""
    finally:
        worker.terminate(grace=0)


def test_obliterate_leaves_nothing(master: Master) -> None:
    master.add_job()
    master.obliterate()
    assert master.stats().waiting == 0


def test_listeners_receive_the_registration_and_the_end(cluster: str, url: str) -> None:
    events: list[object] = []
    master = Master(cluster, url=url)
    master.on("ready", lambda incarnation: events.append(("ready", incarnation)))
    master.on_close(lambda error: events.append(("close", error)))
    wait_until(lambda: events, SOON, "ready is emitted")
    incarnation = master.incarnation
    master.close()
    assert events == [("ready", incarnation), ("close", None)]
    with pytest.raises(libswarm.SwarmInvalidArgument, match="no event `add`"):
        master.on("add", print)


def test_no_server_is_an_error_of_the_call_and_an_event(cluster: str) -> None:
    with socket.socket() as listener:
        # Bound, not listening: no other process can take the port meanwhile, and connections are refused.
        listener.bind(("127.0.0.1", 0))
        errors: list[libswarm.SwarmError] = []
        master = Master(cluster, host="127.0.0.1", port=listener.getsockname()[1], timeout=0.3)
        master.on_error(errors.append)
        with pytest.raises(ConnectionError) as caught:
            master.add_job()
        assert isinstance(caught.value, libswarm.SwarmUnavailable)
        wait_until(lambda: errors, SOON, "the error is emitted")
        assert isinstance(errors[0], libswarm.SwarmUnavailable)
        assert not master.health().healthy
        master.close()


def test_the_core_logs_into_logging(cluster: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    libswarm.enable_logging(1)
    try:
        with caplog.at_level(1), Worker(cluster, url=url):
            wait_until(lambda: any(record.name.startswith("libswarm.") for record in caplog.records), SOON, "a record is logged")
    finally:
        libswarm.enable_logging(logging.WARNING)


def test_an_error_before_its_listener_is_emitted_to_it(cluster: str) -> None:
    errors: list[libswarm.SwarmError] = []
    master = Master(cluster, url="redis://127.0.0.1:1", timeout=0.3)
    # The first listener starts the events, and that of errors may come too late.
    master.on_ready(lambda incarnation: None)
    with pytest.raises(libswarm.SwarmUnavailable):
        master.ready()
    master.on_error(errors.append)
    wait_until(lambda: errors, SOON, "the error is emitted")
    assert isinstance(errors[0], libswarm.SwarmUnavailable)
    master.close()
