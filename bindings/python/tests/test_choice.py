"""Masters that choose the workers of jobs, by threads and in an event loop."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from swarm_support import Redis, add_acl_user, wait_until

import libswarm
from conftest import SOON, Script
from libswarm import Candidate, Job, JobInfo, Master, NewJob, Worker, aio
from test_aio import in_loop, until

#: So long that no job is ever assigned by default.
NEVER = 3600.0


class Listening:
    """A worker and its jobs."""

    def __init__(self, cluster: str, url: str, **options: Any) -> None:
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.worker = Worker(cluster, url=url, **options)
        self.worker.on("add", self.jobs.put)
        self.worker.start().ready()

    def next(self) -> Job:
        return self.jobs.get(timeout=SOON)

    def ids(self, count: int) -> list[str]:
        return [self.next().id for _ in range(count)]


@pytest.fixture
def start(cluster: str, url: str) -> Iterator[Any]:
    """Starts workers, which are there when it returns."""
    started: list[Listening] = []

    def one(**options: Any) -> Listening:
        started.append(Listening(cluster, url, **options))
        return started[-1]

    yield one
    for listening in started:
        listening.worker.terminate(grace=0.0)


def named(workers: list[Candidate], name: str) -> Candidate | None:
    """The worker of this name, if it is there."""
    return next((worker for worker in workers if worker.name == name), None)


def first(job: JobInfo, workers: list[Candidate]) -> Candidate:
    """Chooses the least loaded."""
    return workers[0]


def choosers() -> list[threading.Thread]:
    """The threads that ask callbacks."""
    return [thread for thread in threading.enumerate() if thread.name == "libswarm-chooser"]


def test_the_callback_chooses_among_workers_with_free_slots(master: Master, start: Any) -> None:
    ann = start(name="ann", group="g", slots=2)
    bob = start(name="bob", slots=4, priority_slots={5: 1}, tasks=["", "t"])
    asked: queue.SimpleQueue[tuple[JobInfo, list[Candidate]]] = queue.SimpleQueue()

    def choose(job: JobInfo, workers: list[Candidate]) -> Candidate | None:
        asked.put((job, list(workers)))
        chosen = None if job.id.startswith("x") else named(workers, "bob")
        workers.clear()
        return chosen

    master.choose(choose, within=NEVER)
    assert master.queues().chooser == master.incarnation
    master.add_job({"n": 1}, id="first", headers={"a": "b"})
    job = bob.next()
    seen, workers = asked.get(timeout=SOON)
    assert (seen.id, seen.state, seen.payload, seen.headers) == ("first", "waiting", {"n": 1}, {"a": "b"})
    assert [(worker.name, worker.active, worker.room) for worker in workers] == [("bob", 0, 3), ("ann", 0, 2)]
    info = next(member for member in master.members() if member.name == "ann")
    assert workers[1] == Candidate(ann.worker.incarnation, "ann", "g", info.host, info.pid, [""], 0, 2)
    master.add_jobs([NewJob(id=id) for id in ("x", "a", "b", "c")] + [NewJob(id="high", priority=7)])
    assert bob.ids(3) == ["high", "a", "b"]
    wait_until(lambda: master.stats().waiting == 2, SOON, "x and c wait")
    assert ann.jobs.empty()
    job.complete().wait(SOON)
    assert bob.ids(1) == ["c"]
    # The choice is over.
    master.stop_choosing()
    assert master.queues().chooser == ""
    assert ann.ids(1) == ["x"]
    while not asked.empty():
        asked.get()
    master.add_job(id="later")
    assert ann.ids(1) == ["later"]
    assert asked.empty()
    master.stop_choosing()


def test_free_slots_shrink_with_each_choice_of_a_list(master: Master, start: Any) -> None:
    ann = start(name="ann", slots=2)
    bob = start(name="bob", slots=4, priority_slots={5: 1}, tasks=["", "t"])
    shown: dict[str, list[tuple[str, int, int]]] = {}
    kept: list[Candidate] = []

    def choose(job: JobInfo, workers: list[Candidate]) -> Candidate | str | None:
        shown.setdefault(job.id, [(worker.name, worker.active, worker.room) for worker in workers])
        kept.extend(workers)
        # An incarnation will do, and one that was shown before.
        return named(workers, "ann") or named(kept, "bob") if job.id != "d" else bob.worker.incarnation

    master.pause()
    master.add_jobs([NewJob(id=id) for id in "abcdef"] + [NewJob(id="high", priority=9), NewJob(id="t", task="t", priority=-3)])
    master.choose(choose, within=NEVER)
    master.resume()
    assert (ann.ids(2), bob.ids(3)) == (["high", "a"], ["b", "c", "d"])
    wait_until(lambda: master.stats().waiting == 3, SOON, "the others wait, and were not asked for")
    assert shown == {
        "high": [("bob", 0, 4), ("ann", 0, 2)],
        "a": [("bob", 0, 3), ("ann", 1, 1)],
        "b": [("bob", 0, 3)],
        "c": [("bob", 1, 2)],
        "d": [("bob", 2, 1)],
    }


def test_an_error_of_the_callback_is_logged_and_the_job_waits(
    master: Master, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ann = start(name="ann")
    good = threading.Event()

    def choose(job: JobInfo, workers: list[Candidate]) -> Any:
        if good.is_set() or job.id == "good":
            return workers[0]
        if job.id == "exits":
            raise SystemExit(1)
        return {"number": 3, "stranger": "nobody-1", "set": {1}}[job.id]

    with caplog.at_level(logging.ERROR, "libswarm"):
        master.choose(choose, within=NEVER)
        master.add_jobs([NewJob(id=id) for id in ("raises", "exits", "number", "stranger", "set", "good")])
        assert ann.ids(1) == ["good"]
        wait_until(lambda: len({record.args for record in caplog.records}) == 5, SOON, "all were logged")
    raised = {str(record.args): record.exc_info[0] for record in caplog.records if record.exc_info}
    invalid = libswarm.SwarmInvalidArgument
    expected = {"raises": KeyError, "exits": SystemExit, "number": invalid, "stranger": invalid, "set": invalid}
    assert raised == {f"('{id}',)": error for id, error in expected.items()}
    good.set()
    # There is something new.
    master.add_job(id="new")
    assert sorted(ann.ids(6)) == ["exits", "new", "number", "raises", "set", "stranger"]


def test_a_str_that_cannot_be_an_incarnation_is_refused(master: Master, start: Any, caplog: pytest.LogCaptureFixture) -> None:
    ann = start(name="ann")
    with caplog.at_level(logging.ERROR, "libswarm"):
        master.choose(lambda job, workers: "\ud800" if job.id == "odd" else workers[0], within=NEVER)
        master.add_job(id="odd")
        wait_until(lambda: caplog.records, SOON, "it is logged")
    # The job is offered again whenever the workers or the queue change, and the refusal is logged each time.
    logged = {record.exc_info[0] for record in caplog.records if record.exc_info}
    assert logged == {libswarm.SwarmInvalidArgument}
    master.add_job(id="good")
    assert ann.ids(1) == ["good"]


def test_jobs_go_by_default_when_no_choice_comes(master: Master, start: Any) -> None:
    ann = start(tasks=["", "t", "u"], lease=3.0)
    asked, go = threading.Event(), threading.Event()

    def choose(job: JobInfo, workers: list[Candidate]) -> Candidate:
        asked.set()
        go.wait(SOON)
        return workers[0]

    master.choose(choose, within=0.2, tasks=["", "t"])
    master.add_job(id="u", task="u")
    assert ann.ids(1) == ["u"]
    assert not asked.is_set()
    master.add_job(id="t", task="t")
    assert ann.ids(1) == ["t"]
    assert asked.is_set()
    go.set()
    master.add_job(id="next")
    assert ann.ids(1) == ["next"]


def test_bad_arguments_and_a_closed_master_raise_at_once(master: Master, cluster: str, url: str) -> None:
    for within in (0.001, 3601, -1, float("nan")):
        with pytest.raises(libswarm.SwarmInvalidArgument):
            master.choose(first, within=within)
    with pytest.raises(libswarm.SwarmInvalidArgument):
        master.choose(first, tasks=["two\nlines"])
    with pytest.raises(libswarm.SwarmInvalidArgument, match="one str"):
        master.choose(first, tasks="mail")
    assert master.queues().chooser == ""
    closed = Master(cluster, url=url)
    closed.close()
    with pytest.raises(libswarm.SwarmClosed):
        closed.choose(first)
    with pytest.raises(libswarm.SwarmClosed):
        closed.stop_choosing()


def test_again_it_replaces_the_callback_also_from_within(master: Master, start: Any) -> None:
    ann = start(name="ann")
    asked: list[str] = []

    def second(job: JobInfo, workers: list[Candidate]) -> Candidate:
        asked.append(f"second: {job.id}")
        return workers[0]

    def replaces(job: JobInfo, workers: list[Candidate]) -> Candidate | None:
        asked.append(f"first: {job.id}")
        master.choose(second, within=NEVER)
        return None

    master.choose(replaces, within=NEVER)
    # A bad one changes nothing.
    with pytest.raises(libswarm.SwarmInvalidArgument):
        master.choose(first, within=0)
    master.add_job(id="a")
    assert ann.ids(1) == ["a"]
    assert asked == ["first: a", "second: a"]
    master.choose(replaces, within=NEVER)
    master.choose(second, within=NEVER)
    master.add_job(id="b")
    assert ann.ids(1) == ["b"]
    assert asked[2:] == ["second: b"]

    def stops(job: JobInfo, workers: list[Candidate]) -> Candidate | None:
        master.stop_choosing()
        asked.append(f"stopped: {job.id}")
        return None

    master.choose(stops, within=NEVER)
    master.add_job(id="c")
    assert ann.ids(1) == ["c"]
    assert master.queues().chooser == ""
    wait_until(lambda: asked[3:] == ["stopped: c"], SOON, "the callback has returned")


def test_no_callback_and_no_thread_after_close(master: Master, start: Any, cluster: str, url: str) -> None:
    ann = start()
    leaving = Master(cluster, url=url)
    begun, go, asked = threading.Event(), threading.Event(), []

    def choose(job: JobInfo, workers: list[Candidate]) -> Candidate:
        asked.append(job.id)
        begun.set()
        go.wait(SOON)
        return workers[0]

    leaving.choose(choose, within=NEVER)
    leaving.choose(choose, within=NEVER)
    wait_until(lambda: len(choosers()) == 1, SOON, "one thread chooses")
    master.add_jobs([1, 2], ids=["a", "b"])
    assert begun.wait(SOON)
    leaving.close()
    assert ann.ids(2) == ["a", "b"]
    go.set()
    wait_until(lambda: not choosers(), SOON, "its thread has ended")
    assert asked == ["a"]
    # With nothing to choose, it has ended when this returns.
    idle = Master(cluster, url=url)
    idle.choose(choose)
    idle.stop_choosing()
    assert not choosers()
    idle.choose(choose)
    idle.close()
    assert not choosers()


def test_the_newest_of_several_choosers_counts(master: Master, start: Any, cluster: str, url: str) -> None:
    ann, bob = start(name="ann"), start(name="bob")
    master.choose(lambda job, workers: named(workers, "ann"), within=NEVER)
    with Master(cluster, url=url) as other:
        other.choose(lambda job, workers: named(workers, "bob"), within=NEVER)
        assert master.queues().chooser == other.incarnation
        master.add_job(id="a")
        assert bob.ids(1) == ["a"]
        master.choose(lambda job, workers: named(workers, "ann"), within=NEVER)
        master.add_job(id="b")
        assert ann.ids(1) == ["b"]


def test_a_permission_lost_later_is_an_error_event(cluster: str) -> None:
    with Redis() as server, Master(cluster, url=server.url) as adder:
        ann = Listening(cluster, server.url, lease=3.0)
        add_acl_user(server, "chooser", "secret", cluster)
        with Master(cluster, url=server.url, username="chooser", password="secret") as master:
            errors: queue.SimpleQueue[libswarm.SwarmError] = queue.SimpleQueue()
            master.on("error", errors.put)
            master.choose(lambda job, workers: None, within=0.5)
            server.command("ACL", "SETUSER", "chooser", "-evalsha", "-eval")
            # No master chooses, so it is assigned by default.
            adder.add_job(id="a")
            assert ann.ids(1) == ["a"]
            assert type(errors.get(timeout=SOON)) is libswarm.SwarmPermissionDenied
            wait_until(lambda: not choosers(), SOON, "its thread has ended")
            server.command("ACL", "SETUSER", "chooser", "+evalsha", "+eval")
            master.choose(first, within=NEVER)
            adder.add_job(id="b")
            assert ann.ids(1) == ["b"]
        ann.worker.terminate(grace=0.0)


def test_a_callback_chooses_on_after_redis_was_away(cluster: str) -> None:
    with Redis() as server, Master(cluster, url=server.url, lease=1.0) as master:
        ann = Listening(cluster, server.url, lease=1.0)
        asked: list[str] = []

        def choose(job: JobInfo, workers: list[Candidate]) -> Candidate:
            asked.append(job.id)
            return workers[0]

        master.choose(choose, within=NEVER)
        before = master.incarnation
        server.stop()
        server.start()
        wait_until(lambda: master.incarnation != before and master.health().healthy, SOON, "it is registered again")
        wait_until(lambda: master.queues().chooser == master.incarnation, SOON, "it chooses again")
        master.add_job(id="a")
        assert ann.ids(1) == ["a"]
        assert asked == ["a"]
        ann.worker.terminate(grace=0.0)


def test_a_forked_child_has_no_chooser(script: Script) -> None:
    done = script(
        """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads, which is the point here
import libswarm
from libswarm import Master
master = Master(cluster, url=url)
choose = lambda job, workers: workers[0]
master.choose(choose)
if os.fork() == 0:
    for refused in (lambda: master.choose(choose), master.stop_choosing, master.close):
        try:
            refused()
        except libswarm.SwarmForked:
            continue
        os._exit(1)
    with Master(cluster, url=url) as own:
        own.choose(choose)
        own.stop_choosing()
    raise SystemExit(0)
assert os.wait()[1] == 0
assert master.stats().members == 1
master.stop_choosing()
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@in_loop
async def test_functions_and_coroutine_functions_choose_in_a_loop(cluster: str, url: str) -> None:
    async with (
        aio.Master(cluster, url=url) as master,
        aio.Worker(cluster, url=url, name="ann") as ann,
        aio.Worker(cluster, url=url, name="bob") as bob,
    ):
        for worker in (ann, bob):
            worker.on("add", lambda job: None)
            await worker.ready()

        async def slowly(job: JobInfo, workers: list[Candidate]) -> str | None:
            await asyncio.sleep(0)
            chosen = named(workers, str(job.payload))
            return None if chosen is None else chosen.incarnation

        await master.choose(slowly, within=NEVER)
        assert (await master.queues()).chooser == master.incarnation
        await master.add_jobs(["bob", "ann", "bob", "nobody"], ids=["a", "b", "c", "d"])
        await until(lambda: set(bob.jobs) == {"a", "c"} and set(ann.jobs) == {"b"}, "each has its own")
        assert (await master.stats()).waiting == 1
        await master.choose(lambda job, workers: named(workers, "bob"), within=NEVER, tasks=[""])
        await until(lambda: set(bob.jobs) == {"a", "c", "d"}, "the other chooses")
        with pytest.raises(libswarm.SwarmInvalidArgument):
            await master.choose(slowly, within=0.001)
        with pytest.raises(libswarm.SwarmInvalidArgument, match="one str"):
            await master.choose(slowly, tasks="mail")
        await master.stop_choosing()
        assert (await master.queues()).chooser == ""
    with pytest.raises(libswarm.SwarmClosed):
        await master.choose(slowly)


@in_loop
async def test_an_error_of_a_coroutine_is_logged(cluster: str, url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with aio.Master(cluster, url=url) as master, aio.Worker(cluster, url=url) as worker:
        worker.on("add", lambda job: None)
        await worker.ready()

        async def choose(job: JobInfo, workers: list[Candidate]) -> Any:
            await asyncio.sleep(0)
            if job.id == "cancelled":
                raise asyncio.CancelledError
            if job.id == "raises":
                raise ValueError("no")
            return workers[0] if job.id == "good" else job

        with caplog.at_level(logging.ERROR, "libswarm"):
            await master.choose(choose, within=NEVER)
            await master.add_jobs([NewJob(id=id) for id in ("cancelled", "raises", "odd", "good")])
            await until(lambda: set(worker.jobs) == {"good"}, "the good one is assigned")
            await until(lambda: len({record.args for record in caplog.records}) == 3, "the others are logged")


@in_loop
async def test_a_callback_under_way_is_cancelled(cluster: str, url: str) -> None:
    async with aio.Master(cluster, url=url) as adder, aio.Worker(cluster, url=url) as worker:
        worker.on("add", lambda job: None)
        await worker.ready()
        ended: list[str] = []
        begun = asyncio.Event()

        async def choose(job: JobInfo, workers: list[Candidate]) -> Candidate | None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                # One that goes on is asked no more either.
                ended.append(job.id)
            return workers[0]

        async def first_choice(*jobs: str) -> aio.Master:
            begun.clear()
            master = aio.Master(cluster, url=url)
            await master.choose(choose, within=NEVER)
            await adder.add_jobs(jobs, ids=jobs)
            await begun.wait()
            return master

        master = await first_choice("a", "b")
        await master.stop_choosing()
        await until(lambda: set(worker.jobs) == {"a", "b"}, "they go by default")
        assert ended == ["a"]
        await master.close()
        master = await first_choice("c", "d")
        await master.close()
        await until(lambda: set(worker.jobs) == {"a", "b", "c", "d"}, "they go by default")
        assert ended == ["a", "c"]


@in_loop
async def test_a_coroutine_may_stop_or_replace_or_close(cluster: str, url: str) -> None:
    async with aio.Worker(cluster, url=url) as worker:
        worker.on("add", lambda job: None)
        await worker.ready()
        master = aio.Master(cluster, url=url)
        done: list[str] = []

        async def replaces(job: JobInfo, workers: list[Candidate]) -> None:
            await master.choose(stops, within=NEVER)
            done.append("replaced")

        async def stops(job: JobInfo, workers: list[Candidate]) -> None:
            # In a task of its own in Python 3.11.
            await asyncio.wait_for(master.stop_choosing(), SOON)

        async def closes(job: JobInfo, workers: list[Candidate]) -> None:
            await master.close()
            done.append("closed")

        await master.choose(replaces, within=NEVER)
        await master.add_job(id="a")
        await until(lambda: set(worker.jobs) == {"a"}, "no master chooses")
        await master.choose(closes, within=NEVER)
        await master.add_job(id="b")
        await until(lambda: set(worker.jobs) == {"a", "b"}, "no master chooses")
        await until(lambda: done == ["replaced", "closed"], "both have returned")


@in_loop
async def test_a_cancelled_start_leaves_no_chooser(cluster: str) -> None:
    with Redis() as server:
        async with aio.Master(cluster, url=server.url) as master, aio.Worker(cluster, url=server.url) as worker:
            worker.on("add", lambda job: None)
            await worker.ready()
            # Redis knows the scripts from here on: what is sent once has its effect.
            await master.choose(first)
            await master.stop_choosing()
            server.pause()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(master.choose(first, within=NEVER), 0.2)
            server.resume()
            await master.add_job(id="a")
            await until(lambda: set(worker.jobs) == {"a"}, "no master chooses")
            assert (await master.queues()).chooser == ""
