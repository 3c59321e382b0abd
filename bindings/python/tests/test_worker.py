"""The worker of threads."""

from __future__ import annotations

import queue
import threading
import time

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, Worker


def test_add_and_delete_have_the_same_job(master: Master, cluster: str, url: str) -> None:
    events: queue.SimpleQueue[tuple[str, object]] = queue.SimpleQueue()
    worker = Worker(cluster, url=url)

    @worker.on_add
    def start(job: Job) -> None:
        job.on("delete", lambda: events.put(("job", job.delete_reason)))
        events.put(("add", job))

    worker.on_delete(lambda job: events.put(("delete", job)))
    with worker:
        id = master.add_job({"active": True})
        kind, job = events.get(timeout=SOON)
        assert kind == "add"
        assert isinstance(job, Job)
        assert (job.id, job.payload, job.crashes, job.cancelled) == (id, {"active": True}, 0, False)
        assert worker.jobs == {id: job}
        assert worker.health().active == 1
        master.delete_job(id)
        assert events.get(timeout=SOON) == ("job", "deleted")
        assert events.get(timeout=SOON) == ("delete", job)
        assert job.cancelled
        wait_until(lambda: not worker.jobs and master.stats().deleting == 0, SOON, "the slot is free")
        late: list[str] = []
        job.on("delete", lambda: late.append("at once"))
        assert late == ["at once"]


def test_complete_and_fail_from_any_thread(master: Master, cluster: str, url: str) -> None:
    assigned: queue.SimpleQueue[Job] = queue.SimpleQueue()
    worker = Worker(cluster, url=url)
    worker.on("add", assigned.put)
    with worker:
        id = master.add_job(result=True)
        call = assigned.get(timeout=SOON).complete({"sum": 3})
        call.wait(timeout=SOON)
        call.wait(timeout=SOON)
        assert master.result(id, timeout=SOON) == {"sum": 3}
        id = master.add_job(result=True)
        assigned.get(timeout=SOON).fail("no luck").wait(SOON)
        with pytest.raises(libswarm.SwarmJobFailed, match="no luck"):
            master.result(id, timeout=SOON)


def test_a_second_finish_is_stale(master: Master, cluster: str, url: str) -> None:
    assigned: queue.SimpleQueue[Job] = queue.SimpleQueue()
    worker = Worker(cluster, url=url)
    worker.on("add", assigned.put)
    with worker:
        master.add_job()
        job = assigned.get(timeout=SOON)
        job.complete().wait(SOON)
        with pytest.raises(libswarm.SwarmStaleFence):
            job.complete().wait(SOON)
    with pytest.raises(libswarm.SwarmClosed):
        job.complete().wait(SOON)


def test_a_released_job_comes_again_with_a_larger_fence(master: Master, cluster: str, url: str) -> None:
    with Worker(cluster, url=url) as worker:
        master.add_job("again")
        jobs = iter(worker)
        first = next(jobs)
        first.release()
        second = next(jobs)
        assert (second.id, second.payload, second.crashes) == (first.id, "again", 0)
        assert second.fence > first.fence
        assert second.delete_job().wait(SOON) is True
        wait_until(lambda: second.cancelled, SOON, "the deletion is reported")
        second.stopped()


def test_a_handler_runs_on_as_many_threads_as_there_are_slots(master: Master, cluster: str, url: str) -> None:
    together = threading.Barrier(4)
    worker = Worker(cluster, url=url, slots=4)

    @worker.process
    def handle(job: Job) -> str:
        together.wait(SOON)
        return threading.current_thread().name

    with worker:
        ids = master.add_jobs([None] * 8, result=True)
        assert len({master.result(id, timeout=SOON) for id in ids}) == 4


def test_a_handler_without_slots_takes_only_what_its_threads_can_do(master: Master, cluster: str, url: str) -> None:
    go = threading.Event()
    worker = Worker(cluster, url=url)

    @worker.process(threads=3)
    def handle(job: Job) -> None:
        go.wait(SOON)

    with worker:
        master.add_jobs(range(10))
        wait_until(lambda: master.stats().active == 3, SOON, "three are active")
        assert master.stats().waiting == 7
        go.set()
        wait_until(lambda: master.stats().completed == 10, SOON, "all are done")


def test_a_handler_sees_that_its_job_was_deleted(master: Master, cluster: str, url: str) -> None:
    begun, finished = threading.Event(), threading.Event()
    worker = Worker(cluster, url=url, slots=1)

    @worker.process
    def handle(job: Job) -> None:
        begun.set()
        while not job.cancelled:
            time.sleep(0.001)
        finished.set()

    with worker:
        id = master.add_job()
        assert begun.wait(SOON)
        master.delete_job(id)
        assert finished.wait(SOON)
        wait_until(lambda: master.stats().deleting == 0, SOON, "the slot is free")


def test_a_job_deleted_before_its_handler_begins_never_begins(master: Master, cluster: str, url: str) -> None:
    begun: list[object] = []
    go = threading.Event()
    worker = Worker(cluster, url=url, slots=10)

    @worker.process(threads=1)
    def handle(job: Job) -> None:
        begun.append(job.payload)
        go.wait(SOON)

    with worker:
        ids = master.add_jobs(["a", "b", "c"])
        wait_until(lambda: begun == ["a"] and len(worker.jobs) == 3, SOON, "the first has begun, the others wait")
        master.delete_job(ids[1])
        wait_until(lambda: len(worker.jobs) == 2, SOON, "the second is gone")
        go.set()
        wait_until(lambda: master.stats().completed == 2, SOON, "the others are done")
        assert begun == ["a", "c"]


def test_a_listener_that_raises_fails_its_job_and_no_other(
    master: Master, cluster: str, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(cluster, url=url)

    @worker.on_add
    def start(job: Job) -> None:
        if job.payload == "bad":
            raise KeyError("missing")
        job.complete(job.payload)

    with worker:
        with pytest.raises(libswarm.SwarmJobFailed, match="KeyError: 'missing'"):
            master.run("bad", timeout=SOON)
        assert master.run("good", timeout=SOON) == "good"
    wait_until(lambda: "KeyError: 'missing'" in caplog.text, SOON, "the failure is logged")


def test_finished_jobs_do_not_wait_for_a_slow_neighbour(master: Master, cluster: str, url: str) -> None:
    go = threading.Event()
    worker = Worker(cluster, url=url)

    @worker.on_add
    def start(job: Job) -> None:
        if job.payload == "slow":
            go.wait(SOON)
        job.complete(job.payload)

    ids = master.add_jobs(["quick", "slow"], result=True)
    with worker:
        assert master.result(ids[0], timeout=SOON) == "quick"
        assert not go.is_set()
        go.set()


def test_a_loop_ends_when_the_worker_is_terminated(master: Master, cluster: str, url: str) -> None:
    master.add_jobs(range(5))
    worker = Worker(cluster, url=url)
    seen = []
    for job in worker:
        seen.append(job.payload)
        job.complete()
        if len(seen) == 5:
            threading.Thread(target=worker.terminate).start()
    assert seen == [0, 1, 2, 3, 4]


def test_jobs_come_once_there_is_something_that_takes_them_up(master: Master, cluster: str, url: str) -> None:
    ids = master.add_jobs(range(2000))
    with Worker(cluster, url=url) as worker:
        worker.ready()
        # Another worker may have them meanwhile.
        with Worker(cluster, url=url, slots=1) as other:
            assert next(iter(other)).complete().wait(SOON) is None
        assert (worker.jobs, master.stats().active) == ({}, 0)
        master.delete_job(ids[1])
        seen = []
        for job in worker:
            seen.append(job.payload)
            job.complete()
            if len(seen) == 1998:
                break
        assert seen == list(range(2, 2000))
    with Worker(cluster, url=url) as worker:
        master.add_jobs(["early", "late"])
        worker.ready()
        seen = []
        worker.on("add", lambda job: seen.append(job.payload))
        wait_until(lambda: seen == ["early", "late"], SOON, "both are emitted")


def test_a_full_backlog_hides_no_deletion_and_no_end(master: Master, cluster: str, url: str) -> None:
    deleted: list[str] = []
    worker = Worker(cluster, url=url)
    worker.on_delete(lambda job: deleted.append(job.id))
    with worker:
        # Asked for, and kept for the loop.
        worker.on("add", print)
        worker.off("add", print)
        ids = master.add_jobs(range(3000))
        wait_until(lambda: len(worker.jobs) >= 1000, SOON, "the backlog is full")
        jobs = iter(worker)
        assert next(jobs).id == ids[0]
        master.delete_job(ids[0])
        wait_until(lambda: ids[0] in deleted, SOON, "the deletion is reported")
        active = len(worker.jobs)
        threading.Thread(target=worker.terminate).start()
        wait_until(lambda: len(deleted) >= active, SOON, "the end is reported")


def test_two_threads_share_a_loop(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url).start()
    seen: list[int] = []

    def work() -> None:
        for job in worker:
            seen.append(job.payload)
            job.complete()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    master.add_jobs(range(200))
    wait_until(lambda: len(seen) == 200, SOON, "all are seen")
    worker.terminate()
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()
    assert sorted(seen) == list(range(200))


def test_terminate_emits_delete_and_requeues_the_jobs(master: Master, cluster: str, url: str) -> None:
    events: list[tuple[object, object]] = []
    worker = Worker(cluster, url=url)
    worker.on_delete(lambda job: events.append((job.payload, job.delete_reason)))
    worker.on_close(lambda error: events.append(("close", error)))
    worker.on_add(lambda job: None)
    worker.start()
    master.add_jobs([1, 2])
    wait_until(lambda: len(worker.jobs) == 2, SOON, "both are active")
    worker.terminate()
    assert sorted(events[:2]) == [(1, "terminated"), (2, "terminated")]
    assert events[2:] == [("close", None)]
    assert master.stats().waiting == 2
    with pytest.raises(libswarm.SwarmClosed):
        worker.terminate()
    with pytest.raises(libswarm.SwarmClosed):
        worker.start()


def test_drain_finishes_begun_jobs_and_requeues_the_rest(master: Master, cluster: str, url: str) -> None:
    begun, go = threading.Event(), threading.Event()
    worker = Worker(cluster, url=url, slots=10)

    @worker.process(threads=1)
    def handle(job: Job) -> None:
        begun.set()
        go.wait(SOON)

    with worker:
        master.add_jobs(range(5))
        assert begun.wait(SOON)
        wait_until(lambda: len(worker.jobs) == 5, SOON, "all are assigned")
        draining = threading.Thread(target=worker.drain)
        draining.start()
        wait_until(lambda: master.stats().waiting == 4, SOON, "four are requeued")
        go.set()
        draining.join(SOON)
        assert not draining.is_alive()
        assert (master.stats().completed, master.stats().waiting) == (1, 4)


def test_drain_requeues_the_rest_of_a_batch_that_is_being_emitted(master: Master, cluster: str, url: str) -> None:
    begun, second, known, go = threading.Event(), threading.Event(), threading.Event(), threading.Event()
    worker = Worker(cluster, url=url, slots=10)

    @worker.on_add
    def record(job: Job) -> None:
        if job.payload == 1:
            second.set()
            known.wait(SOON)

    @worker.process(threads=1)
    def handle(job: Job) -> None:
        begun.set()
        go.wait(SOON)

    master.pause()
    with worker:
        worker.ready()
        master.add_jobs(range(5))
        # In one batch.
        master.resume()
        # Before that the first would be requeued, too.
        assert second.wait(SOON)
        assert begun.wait(SOON)
        draining = threading.Thread(target=worker.drain)
        draining.start()
        wait_until(lambda: not any(member.free for member in master.members()), SOON, "Redis knows of the drain")
        known.set()
        wait_until(lambda: master.stats().waiting == 4, SOON, "four are requeued")
        go.set()
        draining.join(SOON)
        assert not draining.is_alive()


def test_calls_that_would_wait_for_themselves_are_refused(master: Master, cluster: str, url: str) -> None:
    caught: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    worker = Worker(cluster, url=url)

    @worker.on_add
    def start(job: Job) -> None:
        try:
            worker.terminate()
        except libswarm.SwarmInCallback as error:
            caught.put(error)

    with worker:
        master.add_job()
        assert "terminate()" in str(caught.get(timeout=SOON))


def test_a_worker_not_started_can_be_asked_nothing(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    assert (worker.incarnation, worker.jobs) == ("", {})
    with pytest.raises(libswarm.SwarmClosed, match="not started"):
        worker.health()
    worker.process(print)
    with pytest.raises(libswarm.SwarmInvalidArgument, match="handler already"):
        worker.process(print)
    with pytest.raises(libswarm.SwarmInvalidArgument, match="has a handler"):
        iter(worker)
    worker.terminate()


def test_run_raises_errors_that_need_the_user(cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, username="nobody", password="wrong")
    worker.process(print)
    with pytest.raises(libswarm.SwarmAuthFailed):
        worker.run()
    with pytest.raises(libswarm.SwarmClosed):
        worker.start()


def test_background_errors_are_emitted_or_logged(cluster: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    errors: list[libswarm.SwarmError] = []
    worker = Worker(cluster, url=url, password="wrong", username="nobody")
    worker.on_error(errors.append)
    with worker:
        wait_until(lambda: errors, SOON, "the error is emitted")
    assert isinstance(errors[0], libswarm.SwarmAuthFailed)
    with Worker(cluster, url=url, password="wrong", username="nobody"):
        wait_until(lambda: "AUTH_FAILED" in caplog.text, SOON, "the error is logged")


def test_stop_ends_run_from_anywhere(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    @worker.on_add
    def start(job: Job) -> None:
        job.complete()
        worker.stop()

    master.add_job()
    worker.run(grace=SOON)
    assert master.stats().completed == 1
    assert master.stats().members == 1


def test_jobs_move_to_another_worker_when_theirs_is_dropped(master: Master, cluster: str, url: str) -> None:
    with Worker(cluster, url=url) as first:
        first.on_add(lambda job: None)
        master.add_job("moves")
        wait_until(lambda: first.jobs, SOON, "the first has it")
        with Worker(cluster, url=url) as second:
            second.on_add(lambda job: None)
            first.terminate()
            wait_until(lambda: second.jobs, SOON, "the second has it")
