"""Arguments of wrong types and values in the whole public API: a typed error at once, without an effect."""

from __future__ import annotations

import asyncio
import copy
import pickle
import queue
import weakref
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, NewJob, RetryAfter, Supervisor, SwarmInvalidArgument, SwarmTooLarge, Worker, aio

#: Values that fit no argument of the kind.
NO_TEXT: list[Any] = [None, 7, b"bytes", ["a"], object(), "half \ud83d"]
NO_TEXTS: list[Any] = ["abc", 7, [7], [b"a"], {"a": 1}, object(), ["half \ud83d"], [None]]
NO_SECONDS: list[Any] = ["5", b"5", [], object(), -1, float("nan"), float("inf"), True, 10**400]
NO_INTEGER: list[Any] = ["5", 1.5, None, [], object(), True, 10**40, -(10**40)]
NO_FLAG: list[Any] = ["true", 1, None, object()]
NO_FUNCTION: list[Any] = [None, 7, "print", object()]

#: What the options of a job cannot be.
JOB_OPTIONS: dict[str, list[Any]] = {
    "id": [7, b"a", "", "a\n", "x" * 257, "half \ud83d", object()],
    "result": NO_FLAG[:2] + NO_FLAG[3:],
    "result_ttl": [*NO_SECONDS, 0.5, 366 * 86_400],
    "priority": [n for n in NO_INTEGER if n is not None] + [2**53 + 1],
    "delay": [*NO_SECONDS, 11 * 365 * 86_400],
    "run_at": ["2026-01-01", -1, float("nan"), object(), True, datetime.max, 1e300],
    "retries": [n for n in NO_INTEGER if n is not None] + [-1, 201],
    "backoff": [
        -1,
        "fixed",
        {"type": "slow"},
        {"type": 1},
        {"delay": "1"},
        {"jitter": 2},
        {"jitter": "x"},
        {"x": 1},
        {7: 1},
        [1],
        True,
    ],
    "resource": [7, "x" * 257, "a\0", "half \ud83d"],
    "unique": [
        7,
        "",
        "x" * 257,
        {},
        {"until": "end"},
        {"key": 7},
        {"key": "k", "until": "stop"},
        {"key": "k", "until": 0},
        {"key": "k", "until": True},
        {"key": "k", "until": 366 * 86_400},
        {"key": "k", "on_conflict": "keep"},
        {"key": "k", "on_conflict": "attach", "until": "start"},
        {"key": "k", "x": 1},
        ["k"],
    ],
    "debounce": [*NO_SECONDS, 1],
    "max_wait": [*NO_SECONDS, 1],
    "task": [7, b"mail", "x" * 257],
    "headers": [["a"], "a=b", {"a": 1}, {1: "a"}, {"": "a"}, {"a": "half \ud83d"}, {"a": "x" * 40_000}],
    "timeouts": [5, {"run": 0}, {"run": "1"}, {"run": -1}, {"walk": 1}, {"total": float("nan")}, {"assign": True}],
    "ephemeral": NO_FLAG[:2] + NO_FLAG[3:],
    "durability": ["disk", 7, True],
    "colour": ["red"],
}


@pytest.fixture(scope="module")
def shared(url: str) -> Iterator[Master]:
    """A master of a cluster that stays empty."""
    with Master("arguments", url=url) as master:
        master.ready()
        yield master


def refuses(call: Callable[..., object], *arguments: Any, **options: Any) -> None:
    """The call raises a typed error with a message."""
    with pytest.raises((SwarmInvalidArgument, SwarmTooLarge)) as caught:
        call(*arguments, **options)
    assert len(str(caught.value)) > 10


def refuses_each(call: Callable[[Any], object], values: Iterable[Any]) -> None:
    """The same for each of some values."""
    for value in values:
        try:
            refuses(call, value)
        except BaseException as error:
            raise AssertionError(f"{value!r}") from error


@pytest.mark.parametrize("option", JOB_OPTIONS)
def test_options_of_jobs(option: str, shared: Master) -> None:
    for value in JOB_OPTIONS[option]:
        options: Any = {option: value}
        refuses(shared.add_job, 1, **options)
        refuses(shared.add_jobs, [NewJob(1, **options)])
        refuses(shared.run, 1, timeout=1, **options)
        if option != "id":
            refuses(shared.add_jobs, [1], **options)
            refuses(shared.run_each, [1], **options)
    assert shared.stats().added == 0


@pytest.mark.parametrize(
    "options",
    [
        {"delay": 1, "run_at": 5e9},
        {"delay": 0, "run_at": datetime(2040, 1, 1)},
    ],
    ids=str,
)
def test_options_of_jobs_that_exclude_each_other(options: Any, shared: Master, master: Master) -> None:
    refuses(shared.add_job, 1, **options)
    refuses(shared.add_jobs, [1], **options)
    refuses(shared.add_jobs, [NewJob(1, **options)])
    # One job's own goes before that of all, and a None is none.
    ids = master.add_jobs([NewJob("own", run_at=5e9), "other"], delay=60)
    own, other = master.job(ids[0]), master.job(ids[1])
    assert own is not None
    assert other is not None
    assert own.due_at == pytest.approx(5e9, abs=1)
    assert (own.state, other.state) == ("delayed", "delayed")
    master.add_job(1, delay=60, run_at=None)  # type: ignore[arg-type]


def calls(master: Any, worker: Any) -> list[tuple[str, Callable[[Any], Any], list[Any]]]:
    """Each argument of each method, and what it cannot be."""
    no_jobs: list[Any] = ["abc", b"abc", {"a": 1}, None, 7, object()]
    timeouts = NO_SECONDS
    to: list[Any] = [
        None,
        "some",
        7,
        {},
        {"group": 7},
        {"pid": "7"},
        {"pid": -1},
        {"host": "a"},
        {"group": "a", "name": "b"},
        {7: 8},
    ]
    both = [
        (f"{name}.{method}", call, bad)
        for name, member in (("master", master), ("worker", worker))
        for method, call, bad in [
            ("send to", lambda v, m=member: m.send(v, 1), to),
            ("send payload", lambda v, m=member: m.send("all", v), [{1, 2}, float("nan"), object(), "x" * 70_000]),
            ("send acknowledged", lambda v, m=member: m.send("all", 1, acknowledged=v), [*timeouts, 0]),
            ("send request", lambda v, m=member: m.send("all", 1, request=v), [*timeouts, 0]),
            ("send both", lambda v, m=member: m.send("all", 1, acknowledged=v, request=v), [1]),
            ("send to_self", lambda v, m=member: m.send("all", 1, to_self=v), NO_FLAG),
            ("kill to", lambda v, m=member: m.kill(v), to),
            ("kill code", lambda v, m=member: m.kill("all", v), NO_INTEGER),
            ("confirm", lambda v, m=member: m.confirm(v), [*NO_TEXT, "", "x" * 257]),
            ("confirmations count", lambda v, m=member: m.confirmations(v, "a"), [*NO_INTEGER, -1]),
            ("confirmations name", lambda v, m=member: m.confirmations(1, v), [*NO_TEXT, ""]),
            ("set_data", lambda v, m=member: m.set_data(v), [b"a", {1}, "x" * 5000, object()]),
            ("delete_job", lambda v, m=member: m.delete_job(v), [*NO_TEXT, "", "a\n", "x" * 257]),
            ("on event", lambda v, m=member: m.on(v, print), [None, 7, "no such event", ["ready"], {}]),
            ("on listener", lambda v, m=member: m.on("ready", v), NO_FUNCTION),
            ("off event", lambda v, m=member: m.off(v, print), [None, "no such event", []]),
            ("exit_on_kill on_kill", lambda v, m=member: m.exit_on_kill(v), NO_FUNCTION[1:]),
            ("exit_on_kill grace", lambda v, m=member: m.exit_on_kill(grace=v), [*NO_SECONDS, None, 3601]),
        ]
    ]
    return [
        *both,
        (
            "add payload",
            lambda v: master.add_job(v),
            [{1}, float("nan"), object(), 1j, {(1,): 2}, [b"x"]],
        ),
        ("add_jobs", lambda v: master.add_jobs(v), no_jobs),
        ("add_jobs ids", lambda v: master.add_jobs([1, 2, 3], ids=v), [*NO_TEXTS, ["a"], ["a", "b", ""]]),
        ("add_many", lambda v: master.add_many(v), no_jobs),
        ("run_many", lambda v: master.run_many(v), no_jobs),
        ("run_many timeout", lambda v: master.run_many([1], timeout=v), timeouts),
        ("run_many keep", lambda v: master.run_many([1], keep=v), NO_FLAG),
        ("run timeout", lambda v: master.run(1, timeout=v), timeouts),
        ("result id", lambda v: master.result(v, timeout=1), [*NO_TEXT, "", "a\n"]),
        ("result timeout", lambda v: master.result("a", timeout=v), timeouts),
        ("delete_jobs", lambda v: master.delete_jobs(v), NO_TEXTS),
        ("job", lambda v: master.job(v), [*NO_TEXT, ""]),
        ("jobs state", lambda v: master.jobs(v), [*NO_TEXT, "running"]),
        ("jobs after", lambda v: master.jobs("waiting", after=v), [7, b"a", "half \ud83d"]),
        ("jobs limit", lambda v: master.jobs("waiting", limit=v), [*NO_INTEGER, 0, -1, 1001]),
        ("pause", lambda v: master.pause(v), [7, b"a", "x" * 257]),
        ("resume", lambda v: master.resume(v), [7, b"a", "x" * 257]),
        ("choose", lambda v: master.choose(v), NO_FUNCTION),
        ("choose within", lambda v: master.choose(print, within=v), [*NO_SECONDS, 0, 3601]),
        ("choose tasks", lambda v: master.choose(print, tasks=v), NO_TEXTS),
        ("retry_failed", lambda v: master.retry_failed(v), NO_TEXTS),
        ("delete_failed", lambda v: master.delete_failed(v), NO_TEXTS),
        ("delete_completed", lambda v: master.delete_completed(v), NO_TEXTS),
        ("worker.terminate", lambda v: worker.terminate(grace=v), NO_SECONDS),
        ("worker.set_tasks", lambda v: worker.set_tasks(v), [*NO_TEXTS, None, ["x" * 257]]),
        ("worker.process", lambda v: worker.process(v), NO_FUNCTION[1:]),
    ]


def test_arguments_of_threads(shared: Master, url: str) -> None:
    # Started with a handler: more may be added.
    worker = Worker("arguments", url=url, tasks=["none"])
    worker.process({"none": print})
    with worker:
        worker.ready()
        for name, call, bad in calls(shared, worker):
            for value in bad:
                try:
                    refuses(call, value)
                except BaseException as error:
                    raise AssertionError(f"{name}: {value!r}") from error
        refuses_each(lambda threads: worker.process(print, threads=threads), (*[n for n in NO_INTEGER if n is not None], 0, -1))
        refuses(worker.run, grace=-1)
        assert worker.health().healthy
    assert (shared.stats().added, shared.queues().chooser) == (0, "")


def test_arguments_of_loops(shared: Master, url: str) -> None:
    async def handle(job: Job) -> None: ...

    async def main() -> None:
        worker = aio.Worker("arguments", url=url, tasks=["none"])
        worker.process({"none": handle})
        async with aio.Master("arguments", url=url) as master, worker:
            await worker.ready()
            for name, call, bad in calls(master, worker):
                for value in bad:
                    try:
                        answer = call(value)
                        if asyncio.isfuture(answer) or asyncio.iscoroutine(answer):
                            answer = await asyncio.wait_for(answer, SOON)
                    except (SwarmInvalidArgument, SwarmTooLarge):
                        continue
                    raise AssertionError(f"{name}: {value!r} returned {answer!r}")
            assert worker.health().healthy

    asyncio.run(main())
    assert shared.stats().added == 0


def each(names: tuple[str, ...], values: list[Any]) -> dict[str, list[Any]]:
    """The same values for some names."""
    return dict.fromkeys(names, values)


#: Options of members, and what they cannot be.
MEMBER_OPTIONS: dict[str, list[Any]] = {
    **each(("url", "host", "prefix", "name", "group", "username", "password", "eviction"), [7, b"secret", ["a"], True]),
    **each(("sentinel_master", "sentinel_username", "sentinel_password"), [7, b"secret"]),
    "port": ["6379", 1.5, True, -1, 70_000, object()],
    "db": ["0", 1.5, -1, True],
    **each(("sentinels", "nodes"), [7, [7], [b"a:1"], {"a": 1}, object()]),
    **each(("tls", "tls_verify"), [1, "true", object()]),
    **each(("tls_ca", "tls_cert", "tls_key", "socket"), [7, b"path", object()]),
    **each(("lease", "timeout"), ["15", True, float("nan"), 10**400, 0, -1, object(), 1e10]),
    "failed_ttl": ["15", True, 0.5],
    "completed_ttl": ["15", True, 0.5],
    **each(("completed_max", "completed_max_bytes"), ["5", 1.5, True, -1, 10**30]),
    **each(("max_payload", "max_pending_bytes", "max_crashes", "failed_max", "failed_max_bytes"), ["5", 1.5, True, -1, 10**30]),
    "colour": ["red"],
}
WORKER_OPTIONS: dict[str, list[Any]] = {
    "slots": ["5", 0, -1, 1.5, True, 2**40, object()],
    "tasks": ["mail", 7, [7], {"a": 1}, [b"a"], ["x" * 257]],
    "priority_slots": [7, "1:2", {"a": 1}, {1: 1.5}, {1: 2}, [(1, 2)]],
    **each(("strict_slots", "rebalance", "rejoin"), [1, "true", object()]),
    **each(("prefetch", "window"), ["5", -1, 1.5, True, 10_001]),
    "requeue": ["middle", 7, True],
    "stop_grace": ["30", True, 0.01, 90_000],
}
SUPERVISOR_OPTIONS: dict[str, list[Any]] = {
    **each(("grace", "backoff_delay", "backoff_max", "healthy", "respawn_window"), ["5", True, -1, float("nan"), 10**400]),
    "backoff": ["slow", 7],
    "backoff_jitter": ["0.1", True, 2, -1],
    **each(("max_respawns", "line_buffer"), ["5", 1.5, True, -1]),
    **each(("forward", "lines"), [1, "true"]),
    "colour": ["red"],
}


@pytest.mark.parametrize("option", [*MEMBER_OPTIONS, *WORKER_OPTIONS])
def test_options_of_members(option: str) -> None:
    for value in {**MEMBER_OPTIONS, **WORKER_OPTIONS}[option]:
        options: Any = {option: value}
        for api in (Worker, aio.Worker) if option in WORKER_OPTIONS else (Master, aio.Master, Worker, aio.Worker):
            refuses(api, "options", **options)


@pytest.mark.parametrize("option", SUPERVISOR_OPTIONS)
def test_options_of_supervisors(option: str) -> None:
    for value in SUPERVISOR_OPTIONS[option]:
        options: Any = {option: value}
        for api in (Supervisor, aio.Supervisor):
            refuses(api, **options)


def test_arguments_of_supervisors() -> None:
    with Supervisor() as supervisor:
        bad: dict[str, list[Any]] = {
            "env": ["A=B", {"A": 7}, {7: "A"}, {"A": "\0"}],
            "cwd": [7, "a\0"],
            "cpus": [7, "x", [-1], ["a"], [5000]],
            "name": [7, "", "a\n", "x" * 257],
            "count": ["2", 0, -1, 1001, 1.5, True],
            "respawn": [1, "true"],
            "ready": ["soon", True],
            "ready_timeout": ["5", -1, True],
            "colour": ["red"],
        }
        for option, values in bad.items():
            for value in values:
                refuses(supervisor.spawn, "true", **{option: value})
        for command in (None, 7, "", "a\0", ["true"]):
            refuses(supervisor.spawn, command)
            if command != "":
                refuses(supervisor.spawn, "true", command)
        refuses_each(lambda id: supervisor.kill(id), (*NO_INTEGER, -1))
        refuses_each(lambda event: supervisor.on(event, print), (None, 7, "no such event", []))
        refuses_each(lambda listener: supervisor.on("exited", listener), NO_FUNCTION)
        assert supervisor.list() == []


def test_arguments_of_jobs_and_messages(master: Master, cluster: str, url: str) -> None:
    assigned: queue.SimpleQueue[Job] = queue.SimpleQueue()
    worker = Worker(cluster, url=url)
    worker.on("add", assigned.put)
    with worker:
        id = master.add_job(result=True)
        job = assigned.get(timeout=SOON)
        refuses_each(lambda value: job.complete(value), ({1}, float("nan"), object(), "x" * (128 * 1024)))
        refuses_each(lambda value: job.progress(value), (b"a", {1}, "x" * 5000))
        refuses_each(lambda seconds: job.retry("busy", seconds), (*NO_SECONDS, None))
        refuses_each(lambda event: job.on(event, print), (None, 7, "add"))
        refuses_each(lambda listener: job.on("delete", listener), (*NO_FUNCTION, refuses_coroutine))
        for timeout in NO_SECONDS:
            refuses(job.delete_job().wait, timeout)
            break
        assert job.id == id
    refuses_each(lambda after: RetryAfter(after), (*NO_SECONDS, None))
    refuses_each(lambda level: libswarm.enable_logging(level), (None, "INFO", 1.5, True))


async def refuses_coroutine() -> None: ...


def test_numbers_of_other_libraries_are_numbers(master: Master) -> None:
    class Seven:
        def __index__(self) -> int:
            return 7

    options: Any = {"delay": Decimal(60), "priority": Seven(), "retries": Seven()}
    job = master.job(master.add_job(1, **options))
    assert job is not None
    assert (job.priority, job.retries, job.state) == (7, 7, "delayed")


def test_objects_of_a_process_are_not_copied(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()
    worker.on("add", received.put)
    worker.on("message", received.put)
    with worker, Supervisor() as supervisor:
        worker.ready()
        master.add_job()
        job = received.get(timeout=SOON)
        master.send("all", 1)
        message = received.get(timeout=SOON)
        for one in (master, worker, supervisor, job, message, job.delete_job(), aio.Worker(cluster)):
            for copying in (copy.copy, copy.deepcopy, pickle.dumps):
                with pytest.raises(TypeError, match="cannot be copied or pickled"):
                    copying(one)
            assert type(one) is libswarm.Call or weakref.ref(one)() is one
    for value in (NewJob(1, delay=2), RetryAfter(3, "busy"), libswarm.PermanentFailure("no")):
        assert repr(pickle.loads(pickle.dumps(value))) == repr(value)


def test_a_job_can_be_a_weak_key(master: Master, cluster: str, url: str) -> None:
    states: weakref.WeakKeyDictionary[Job, str] = weakref.WeakKeyDictionary()
    worker = Worker(cluster, url=url)

    @worker.on_add
    def start(job: Job) -> None:
        states[job] = "begun"

    with worker:
        master.add_job()
        wait_until(lambda: len(states) == 1, SOON, "it is active")
        next(iter(states)).complete()
        wait_until(lambda: not states, SOON, "nothing is left of it")
