"""Help for the tests of programs, and a sample project that uses it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conftest import SOON
from libswarm import (
    Job,
    RetryAfter,
    SwarmClosed,
    SwarmInvalidArgument,
    SwarmStaleFence,
    SwarmTimeout,
    SwarmUnavailable,
    aio,
    testing,
)
from libswarm.aio import testing as aio_testing
from libswarm.types import Input

HOUR = 3600.0


def test_delays_and_retries_pass_without_waiting(swarm: testing.TestCluster) -> None:
    attempts = []

    def handle(job: Job) -> None:
        attempts.append(job.attempt)
        if job.attempt < 3:
            raise RetryAfter(60.0)

    swarm.worker(handle)
    master = swarm.master()
    master.add_job(1, delay=HOUR, retries=5)
    swarm.settled()
    assert master.stats().delayed == 1
    assert attempts == []
    swarm.advance(HOUR)
    swarm.settled()
    assert attempts == [1]
    swarm.advance(120)
    swarm.settled()
    assert attempts == [1, 2, 3]
    assert master.stats().completed == 1


def test_schedules_fire_at_their_times(swarm: testing.TestCluster) -> None:
    slots = []
    swarm.worker(lambda job: slots.append(job.scheduled_for))
    swarm.master().schedule("daily", cron="0 3 * * *")
    swarm.advance(7 * 24 * HOUR)
    swarm.settled()
    assert len(slots) == 7
    assert all(later - earlier == 24 * 3_600_000 for earlier, later in itertools.pairwise(slots))


def test_a_killed_worker_is_replaced_and_living_members_stay(swarm: testing.TestCluster) -> None:
    program = f"""
from libswarm import Worker
for job in Worker({swarm.name!r}, url={swarm.url!r}):
    print(job.id, flush=True)
"""
    master = swarm.master(lease=20.0)
    id = master.add_job(7, result=True)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline().strip() == id
        victim.send_signal(signal.SIGKILL)
    swarm.worker(lambda job: job.crashes)
    swarm.advance(16)
    assert master.result(id, timeout=SOON) == 1
    swarm.advance(30 * 24 * HOUR)
    assert master.health().registrations == 1


def test_unfinished_jobs_are_named(swarm: testing.TestCluster) -> None:
    release = threading.Event()
    swarm.worker({"slow": lambda job: release.wait(SOON)})
    master = swarm.master()
    master.add_job(1, id="busy", task="slow")
    master.add_job(1, id="nobody")
    try:
        with pytest.raises(SwarmTimeout, match=r"1 waiting .*`nobody`.*1 active .*`busy` of task `slow`"):
            swarm.settled(0.3)
    finally:
        release.set()
    master.delete_job("nobody")
    swarm.settled()


def test_a_run_timeout_passes_for_a_handler_that_hangs(swarm: testing.TestCluster) -> None:
    stopped = threading.Event()

    def hang(job: Job) -> None:
        job.on("delete", stopped.set)
        assert stopped.wait(SOON)

    swarm.worker(hang)
    master = swarm.master()
    id = master.add_job(1, timeouts={"run": 60.0})
    wait_until(lambda: master.stats().active == 1)
    swarm.advance(60)
    swarm.settled()
    found = master.job(id)
    assert found is not None
    assert found.state == "failed"
    assert found.error is not None


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + SOON
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_asyncio_has_the_same() -> None:
    async def run() -> None:
        done = []

        async def handle(job: Job) -> None:
            await asyncio.sleep(0)
            done.append(job.payload)

        async with aio_testing.cluster() as swarm:
            await swarm.worker(handle)
            master = await swarm.master()
            await master.add_job("late", delay=HOUR)
            await master.add_job("now")
            await swarm.settled()
            assert done == ["now"]
            await swarm.advance(HOUR)
            await swarm.settled()
            assert done == ["now", "late"]
            with pytest.raises(SwarmInvalidArgument):
                await swarm.advance(0)

    asyncio.run(run())


def test_members_of_the_same_name_belong_to_it(swarm: testing.TestCluster) -> None:
    assert swarm.name.startswith("swarm-testing-")

    async def add() -> None:
        async with aio.Master(swarm.name, url=swarm.url) as master:
            await master.add_job(1, delay=HOUR)

    asyncio.run(add())
    swarm.advance(HOUR)
    assert swarm.master().stats().waiting == 1


def test_another_cluster_has_no_clock_that_moves(cluster: str, swarm_url: str) -> None:
    with testing.cluster(cluster, url=swarm_url) as swarm:
        swarm.settled()
        with pytest.raises(SwarmInvalidArgument, match="swarm-testing-"):
            swarm.advance(1)
    with pytest.raises(SwarmClosed):
        swarm.master()


def test_a_job_for_a_handler_records_what_it_does() -> None:
    def handle(job: Job) -> int:
        job.progress(0.25)
        job.progress({"done": 0.5})
        job.checkpoint([job.last_checkpoint, job.attempt])
        job.log("half")
        assert job.inputs().wait()["a"].result == 3
        return int(job.payload["user"]) * 2

    test = testing.TestJob(
        {"user": 21},
        attempt=2,
        crashes=1,
        last_checkpoint=5,
        inputs={"a": Input("completed", 3, None, None)},
        id="j",
        task="mail",
        headers={"trace": "t"},
        retries=3,
    )
    job = test.job
    assert isinstance(job, Job)
    assert (job.id, job.task, job.attempt, job.crashes, job.retries_left) == ("j", "mail", 2, 1, 2)
    assert job.headers == {"trace": "t"}
    assert handle(job) == 42
    assert (test.progress, test.checkpoints, test.log, test.finish) == ([0.25, {"done": 0.5}], [[5, 2]], ["half"], None)
    job.retry("later", 60.0).wait()
    assert test.finish == testing.Finish("retry", "later", 60.0)
    with pytest.raises(SwarmStaleFence):
        job.complete(1).wait()
    with pytest.raises(SwarmClosed):
        job.delete_job().wait()


def test_a_job_can_be_completed_and_cancelled() -> None:
    test = testing.TestJob(b"raw")
    assert test.job.payload == b"raw"
    test.job.complete({"a": 1}).wait()
    assert test.finish == ("complete", {"a": 1}, None)

    test = testing.TestJob()
    reasons = []
    test.job.on("delete", lambda: reasons.append(test.job.delete_reason))
    assert not test.job.cancelled
    test.cancel()
    assert test.job.cancelled
    assert reasons == ["deleted"]
    with pytest.raises(SwarmInvalidArgument, match="attempt"):
        testing.TestJob(attempt=0)
    with pytest.raises(SwarmInvalidArgument, match="retries"):
        testing.TestJob(retries=-1)


def test_a_job_for_a_coroutine() -> None:
    async def handle(job: Job) -> object:
        await job.rate_limited(5.0, "api")
        return await job.inputs()

    test = testing.TestJob(1)
    assert asyncio.run(handle(test.job)) == {}
    assert test.finish == ("rate_limited", "api", 5.0)


#: A project as users have it: 100 tests with a cluster each.
PROJECT = """
import pytest
from libswarm import RetryAfter

@pytest.mark.parametrize("number", range(100))
def test_mail(swarm, number):
    sent = []

    def send(job):
        if job.attempt == 1:
            raise RetryAfter(60.0)
        sent.append(job.payload)

    swarm.worker({"mail": send})
    master = swarm.master()
    master.add_job(number, task="mail", retries=1, delay=3600)
    swarm.advance(3600)
    swarm.advance(60)
    swarm.settled()
    assert sent == [number]
"""


def pytest_of(project: Path, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs the tests of a project, with a private server of its own."""
    (project / "test_project.py").write_text(text)
    usual = {name: value for name, value in os.environ.items() if not name.startswith("SWARM_REDIS")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project)],
        capture_output=True,
        text=True,
        timeout=120,
        env=usual | env,
        check=False,
    )


def test_a_project_of_a_hundred_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.monotonic()
    done = pytest_of(tmp_path, PROJECT)
    took = time.monotonic() - begun
    assert "100 passed" in done.stdout, done.stdout + done.stderr
    with capsys.disabled():
        print(f"\n100 tests with a cluster each took {took:.1f} s with the start of Python and Redis; the guide promises 5 s")


def test_the_server_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    program = """
from libswarm.testing import private_redis
print(private_redis(), flush=True)
import time
time.sleep(60)
"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SWARM_REDIS")} | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        socket = Path(url.removeprefix("unix://"))
        assert socket.is_socket()
        process.kill()
    wait_until(lambda: not socket.parent.exists())
    wait_until(lambda: not processes_with(str(socket)))


def processes_with(argument: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if argument in text:
            found.append(text)
    return found


def test_without_a_server_the_error_says_what_to_install(tmp_path: Path) -> None:
    done = pytest_of(tmp_path, "def test_it(swarm): pass\n", PATH="/nowhere")
    assert "install Redis" in done.stdout
    assert "SWARM_REDIS_URL" in done.stdout
    done = pytest_of(tmp_path, "def test_it(swarm): pass\n", SWARM_REDIS_SERVER=sys.executable)
    assert "did not start" in done.stdout
    done = pytest_of(tmp_path, "def test_it(swarm): pass\n", SWARM_REDIS_SERVER="/no/server")
    assert SwarmUnavailable.__name__ in done.stdout
    assert "`/no/server`" in done.stdout
