"""Supervisors of real processes, without Redis: their events, stops and reloads, without orphan processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON, line
from libswarm import ProcessExit, Supervisor, processes
from libswarm.processes import Dropped, Exited, GaveUp, Line, Ready, Reloaded, ReloadFailed, Started, Stopped

Event = TypeVar("Event")
Programs = Callable[..., "subprocess.Popen[str]"]

QUICK: dict[str, Any] = {"grace": 0.3, "backoff_delay": 0.01, "backoff_max": 0.04, "forward": False, "lines": True}
#: A process that reports when it is ready, if it is asked to.
PYTHON_READY = "import libswarm, time; assert libswarm.ready(); time.sleep(100)"
#: Ends with its file written, if it has its grace.
GRACEFUL = "trap 'echo ended >{}; exit 0' TERM; echo up; while :; do sleep 0.02; done"
STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.1; done"


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """One that reports lines and is quick to give up."""
    with Supervisor(**QUICK) as supervisor:
        yield supervisor


@pytest.fixture
def program() -> Iterator[Programs]:
    """Starts a Python program whose output is read by lines; killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(text: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-W", "error", "-c", textwrap.dedent(text)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def sh(script: str) -> tuple[str, str, str]:
    """A command."""
    return ("/bin/sh", "-c", script)


def following(supervisor: Supervisor, kind: type[Event]) -> Event:
    """The next event of a kind."""
    return next(event for event in supervisor if isinstance(event, kind))


def runs(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_process_that_fails_is_respawned_and_given_up() -> None:
    with Supervisor(**QUICK, max_respawns=2, backoff_jitter=0) as supervisor:
        assert supervisor.spawn(*sh("exit 7"), name="fails") == [1]
        events = []
        for event in supervisor:
            events.append(event)
            if isinstance(event, GaveUp):
                break
        exits = [event for event in events if isinstance(event, Exited)]
        assert [event.respawn for event in exits] == [0.01, 0.02, None]
        assert {event.exit for event in exits} == {ProcessExit("code", 7, None, "exited with code 7")}
        pid = exits[0].pid
        assert pid is not None
        assert not runs(pid)
        assert events[:2] == [Started(1, "fails", pid), Ready(1, "fails", pid)]
        assert events[-1] == GaveUp(1, "fails")
        wait_until(lambda: supervisor.list()[0].state == "gave_up", SOON, "it is listed as given up")
        (info,) = supervisor.list()
        assert (info.id, info.name, info.pid, info.restarts) == (1, "fails", None, 2)
        assert abs(info.started_at - time.time()) < 60


@pytest.mark.parametrize(
    ("command", "reason", "success", "message"),
    [
        (sh("exit 0"), "code", True, "exited with code 0"),
        (sh("kill -KILL $$"), "signal", False, "was ended by signal 9"),
        (("/nowhere/at-all",), "not_started", False, "could not be started: /nowhere/at-all: "),
    ],
)
def test_how_a_process_ended(supervisor: Supervisor, command: tuple[str, ...], reason: str, success: bool, message: str) -> None:
    supervisor.spawn(*command)
    event = following(supervisor, Exited)
    assert (event.exit.reason, event.exit.success) == (reason, success)
    assert str(event.exit) == event.exit.message
    assert event.exit.message.startswith(message)
    assert event.exit.signal == (9 if reason == "signal" else None)
    assert (event.respawn is None) == success
    assert (event.pid is None) == (reason == "not_started")


def test_a_process_has_its_arguments_and_environment(supervisor: Supervisor, tmp_path: Path) -> None:
    cpu = max(os.sched_getaffinity(0))
    script = "echo $A $SWARM_PROCESS_NAME $SWARM_SUPERVISOR_PID ${SWARM_READY_FD-none}; pwd; "
    script += r"grep Cpus_allowed_list /proc/self/status; printf '%s\n' $1 >&2"
    ids = supervisor.spawn(
        Path("/bin/sh"), b"-c", script, "sh", b"\xff", env={"A": "b c"}, cwd=tmp_path, cpus={cpu}, name="shown", count=1
    )
    lines = []
    for event in supervisor:
        if isinstance(event, Line):
            lines.append(event)
        elif isinstance(event, Exited):
            break
    assert {(event.id, event.name) for event in lines} == {(ids[0], "shown")}
    out = [event.text for event in lines if event.stream == "stdout"]
    assert out == [f"b c shown {os.getpid()} none", str(tmp_path), f"Cpus_allowed_list:\t{cpu}"]
    (wrong,) = (event for event in lines if event.stream == "stderr")
    assert (wrong.line, wrong.text) == (b"\xff", "\ufffd")


def test_one_is_killed_for_good_and_others_run_on(supervisor: Supervisor) -> None:
    assert supervisor.spawn("sleep", "100", count=3) == [1, 2, 3]
    wait_until(lambda: [info.state for info in supervisor.list()] == ["ready"] * 3, SOON, "all run")
    supervisor.kill(2)
    assert [info.id for info in supervisor.list()] == [1, 3]
    with pytest.raises(libswarm.SwarmNotFound):
        supervisor.kill(2)
    pid = supervisor.list()[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: [info.restarts for info in supervisor.list()] == [1, 0], SOON, "another in its place")


def test_a_reload_replaces_all_or_stops_at_the_first_that_fails(supervisor: Supervisor, tmp_path: Path) -> None:
    version = tmp_path / "version"
    version.write_text("libswarm.ready(); time.sleep(100)")
    code = f"import libswarm, time; exec(open({str(version)!r}).read())"
    supervisor.spawn(sys.executable, "-c", code, count=2, ready="explicit", ready_timeout=SOON)
    old = {following(supervisor, Ready).pid, following(supervisor, Ready).pid}
    supervisor.reload()
    following(supervisor, Reloaded)
    new = {info.pid for info in supervisor.list()}
    assert len(new) == 2
    assert not new & old
    version.write_text("exit(9)")
    with pytest.raises(libswarm.SwarmUnavailable, match="exited with code 9") as raised:
        supervisor.reload()
    event = following(supervisor, ReloadFailed)
    assert (event.id, type(event.error), str(event.error)) == (1, raised.type, str(raised.value))
    assert {info.pid for info in supervisor.list()} == new


def test_one_that_is_not_ready_in_time_has_failed(supervisor: Supervisor) -> None:
    supervisor.spawn("sleep", "100", ready="explicit", ready_timeout=0.05, respawn=False)
    assert following(supervisor, Exited).exit == ProcessExit("not_ready", None, None, "was not ready in time")


def test_ready_is_reported_once_and_only_where_it_is_awaited(supervisor: Supervisor) -> None:
    code = "import libswarm, os; print(libswarm.ready(), libswarm.ready(), 'SWARM_READY_FD' in os.environ)"
    supervisor.spawn(sys.executable, "-c", code, ready="explicit")
    assert following(supervisor, Line).text == "True False False"
    supervisor.spawn(sys.executable, "-c", code)
    assert following(supervisor, Line).text == "False False False"


@pytest.mark.parametrize("number", ["", "x", "2", "999", "-1"])
def test_a_wrong_descriptor_is_refused(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_READY_FD", number)
    with pytest.raises(libswarm.SwarmInvalidArgument, match="SWARM_READY_FD"):
        libswarm.ready()
    assert not libswarm.ready()


@pytest.mark.parametrize(
    "options",
    [
        {"grace": 3601},
        {"grace": -1},
        {"grace": float("nan")},
        {"grace": "soon"},
        {"backoff": "linear"},
        {"backoff_delay": 0},
        {"backoff_max": 0.01},
        {"backoff_jitter": 1.5},
        {"max_respawns": -1},
        {"respawn_window": 0},
        {"lines": 1},
        {"line_buffer": 1},
        {"tasks": ["a"]},
        {"colour": "red"},
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument):
        Supervisor(**options)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ([""], {}),
        ([7], {}),
        (["a", 7], {}),
        (["a\0b"], {}),
        (["a", "\udfff\ud800"], {}),
        (["a"], {"env": ["A=b"]}),
        (["a"], {"env": {"A=": "b"}}),
        (["a"], {"env": {"A": 1}}),
        (["a"], {"cwd": 1}),
        (["a"], {"cpus": 1}),
        (["a"], {"cpus": [1024]}),
        (["a"], {"cpus": [-1]}),
        (["a"], {"cpus": "3-1"}),
        (["a"], {"name": ""}),
        (["a"], {"count": 0}),
        (["a"], {"count": 1001}),
        (["a"], {"respawn": 1}),
        (["a"], {"ready": "never"}),
        (["a"], {"ready_timeout": 0}),
        (["a"], {"dir": "/"}),
        (["a"], {"arg": "b"}),
    ],
    ids=str,
)
def test_bad_programs_are_refused(supervisor: Supervisor, command: list[Any], options: dict[str, Any]) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument):
        supervisor.spawn(*command, **options)
    assert supervisor.list() == []


def test_a_stop_has_emitted_all_events_when_it_returns_and_none_after(supervisor: Supervisor) -> None:
    events: list[processes.SupervisorEvent] = []
    up = threading.Event()
    for name in ("started", "exited", "stopped"):
        supervisor.on(name, events.append)
    supervisor.on("line", lambda event: up.set())
    supervisor.spawn(*sh(STUBBORN), count=2)
    assert up.wait(SOON)
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began >= 0.3
    assert [type(event) for event in events[-3:]] == [Exited, Exited, Stopped]
    assert not [event for event in events if isinstance(event, Started) and runs(event.pid)]
    assert supervisor.list() == []
    assert not [thread for thread in threading.enumerate() if thread.name == "libswarm-supervisor"]
    for call in (lambda: supervisor.spawn("a"), lambda: supervisor.kill(1), supervisor.reload, supervisor.handle_signals):
        with pytest.raises(libswarm.SwarmClosed):
            call()
    supervisor.stop()
    assert len(events) == 5


def test_a_loop_receives_all_events_after_a_stop(supervisor: Supervisor) -> None:
    supervisor.spawn("sleep", "100")
    following(supervisor, Ready)
    supervisor.stop()
    assert [type(event) for event in supervisor] == [Exited, Stopped]
    assert list(supervisor) == []


def test_a_listener_may_begin_a_stop_but_not_wait_for_it(supervisor: Supervisor) -> None:
    raised: list[Exception] = []
    stopped = threading.Event()

    def started(event: Started) -> None:
        try:
            supervisor.stop()
        except libswarm.SwarmInCallback as error:
            raised.append(error)
        supervisor.stop(wait=False)
        raise ValueError("this is logged, and ends nothing")

    supervisor.on("started", started)
    supervisor.on("stopped", lambda event: stopped.set())
    supervisor.spawn("sleep", "100")
    assert stopped.wait(SOON)
    assert len(raised) == 1


def test_events_go_to_listeners_or_to_a_loop(supervisor: Supervisor) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match="gave_up"):
        supervisor.on("given_up", print)
    listener = supervisor.on("started", lambda event: None)
    with pytest.raises(libswarm.SwarmInvalidArgument):
        iter(supervisor)
    supervisor.off("started", listener)
    with Supervisor(**QUICK) as other:
        iter(other)
        with pytest.raises(libswarm.SwarmInvalidArgument):
            other.on("started", print)


def test_lines_that_are_not_taken_are_counted() -> None:
    with Supervisor(**QUICK, line_buffer=64 * 1024) as supervisor:
        supervisor.spawn("seq", "10000")
        wait_until(lambda: not supervisor.list(), SOON, "its end")
        supervisor.stop()
        events = list(supervisor)
        lines = [event for event in events if isinstance(event, Line)]
        assert [event.text for event in lines[:3]] == ["1", "2", "3"]
        assert len(lines) + sum(event.lines for event in events if isinstance(event, Dropped)) == 10_000


def test_a_supervisor_that_is_dropped_stops_its_processes(tmp_path: Path) -> None:
    supervisor = Supervisor(**{**QUICK, "grace": SOON})
    supervisor.spawn(*sh(GRACEFUL.format(tmp_path / "file")))
    pid = following(supervisor, Line).pid
    del supervisor
    wait_until(lambda: not runs(pid), SOON, "its end")
    assert (tmp_path / "file").exists()


def test_nothing_is_left_of_many_supervisors() -> None:
    def used() -> tuple[int, int]:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    def supervise() -> None:
        with Supervisor(**QUICK) as supervisor:
            supervisor.on("line", print)
            supervisor.spawn("sleep", "100", count=2)

    # What is made once in a process.
    supervise()
    before = used()
    for _ in range(20):
        supervise()

    def as_before() -> bool:
        return all(now <= then for now, then in zip(used(), before, strict=True))

    wait_until(as_before, SOON, "as many threads and descriptors as before")


def test_a_program_that_ends_stops_its_processes_with_their_grace(program: Programs, tmp_path: Path) -> None:
    process = program(f"""
        from libswarm import Supervisor
        supervisor = Supervisor(forward=False, lines=True, grace=20)
        supervisor.spawn("/bin/sh", "-c", {GRACEFUL.format(tmp_path / "file").replace("echo ended", "sleep 2.5; echo ended")!r})
        print(next(event.pid for event in supervisor if event.event == "line"))
    """)
    pid = int(line(process))
    assert process.wait(SOON) == 0
    assert not runs(pid)
    assert (tmp_path / "file").exists()
    assert process.stderr is not None
    assert process.stderr.read() == ""


LEFT_OPEN = {
    "a supervisor": "",
    "a listener at work": """
        begun = threading.Event()
        supervisor.on("ready", lambda event: (begun.set(), time.sleep(1000)))
        assert begun.wait(10)
    """,
    "a loop in a thread": """
        threading.Thread(target=lambda: list(supervisor), daemon=True).start()
    """,
    "a wait in a thread": """
        (id,) = supervisor.spawn("sleep", "100", ready="explicit")
        threading.Thread(target=supervisor.reload, daemon=True).start()
        starts = (event for event in supervisor if event.event == "started" and event.id == id)
        next(starts), next(starts)
    """,
    "a listener that waits": """
        begun = threading.Event()
        supervisor.on("ready", lambda event: (begun.set(), supervisor.kill(event.id)))
        assert begun.wait(10)
    """,
    "an event loop that is gone": """
        async def main():
            inner = aio.Supervisor(forward=False)
            await inner.spawn("sleep", "100")
            asyncio.ensure_future(inner.reload())
            inner.on("started", lambda event: None)
            left.append(inner)

        left = []
        asyncio.run(main())
    """,
}


@pytest.mark.parametrize("name", LEFT_OPEN)
def test_a_program_ends_by_itself_without_output(name: str, program: Programs) -> None:
    process = program(
        "import asyncio, threading, time\nfrom libswarm import Supervisor, aio\nsupervisor = Supervisor(forward=False)\n"
        + "supervisor.spawn('/bin/sh', '-c', 'exec sleep 100', count=2)\n"
        + textwrap.dedent(LEFT_OPEN[name])
    )
    out, err = process.communicate(timeout=2 * SOON)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_program_that_is_killed_leaves_no_process(program: Programs) -> None:
    process = program(f"""
        from libswarm import Supervisor
        supervisor = Supervisor(forward=False, lines=True)
        supervisor.spawn("/bin/sh", "-c", "trap '' TERM; (while :; do sleep 0.1; done) & echo $! $$; wait; " + {STUBBORN!r})
        print(next(event.text for event in supervisor if event.event == "line"))
        next(event for event in supervisor if event.event == "stopped")
    """)
    pids = [int(pid) for pid in line(process).split()]
    process.kill()
    wait_until(lambda: not any(runs(pid) for pid in pids), SOON, "no process is left")


SIGNALS = """
from libswarm import Supervisor
with Supervisor(grace=5, forward=False) as supervisor:
    supervisor.handle_signals()
    supervisor.spawn("sleep", "100")
    for event in supervisor:
        if event.event in ("signal", "reloaded", "stopped", "ready"):
            print(f"{event.event} {getattr(event, 'signal', '')}".strip())
print("end")
"""

SIGNALS_AIO = """
import asyncio
from libswarm.aio import Supervisor

async def main():
    async with Supervisor(grace=5, forward=False) as supervisor:
        supervisor.handle_signals()
        await supervisor.spawn("sleep", "100")
        async for event in supervisor:
            if event.event in ("signal", "reloaded", "stopped", "ready"):
                print(f"{event.event} {getattr(event, 'signal', '')}".strip())

asyncio.run(asyncio.sleep(0))
asyncio.run(main())
print("end")
"""


@pytest.mark.parametrize(
    "text", [SIGNALS, SIGNALS_AIO, SIGNALS_AIO.replace('print("end")', SIGNALS)], ids=["threads", "asyncio", "again"]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reload_and_stop(text: str, number: int, program: Programs) -> None:
    process = program(text)

    for _ in range(text.count("handle_signals")):
        assert line(process) == "ready"
        process.send_signal(signal.SIGHUP)
        assert [line(process) for _ in range(3)] == ["signal 1", "ready", "reloaded"]
        process.send_signal(number)
        assert [line(process) for _ in range(2)] == [f"signal {int(number)}", "stopped"]
    assert line(process) == "end"
    assert process.wait(SOON) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_lines_are_forwarded_to_where_they_belong(program: Programs) -> None:
    process = program("""
        from libswarm import Supervisor
        with Supervisor() as supervisor:
            supervisor.spawn("/bin/sh", "-c", "echo out; echo err >&2", name="child")
            next(event for event in supervisor if event.event == "exited")
    """)
    out, err = process.communicate(timeout=SOON)
    assert re.fullmatch(r"\[child \d+\] out\n", out)
    assert re.fullmatch(r"\[child \d+\] err\n", err)


def test_a_forked_child_is_refused_and_has_pythons_signals(program: Programs) -> None:
    process = program("""
        import os, signal, time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import libswarm
        from libswarm import Supervisor
        with Supervisor() as supervisor:
            supervisor.handle_signals()
            supervisor.spawn("sleep", "100")
            for number in (signal.SIGTERM, signal.SIGINT):
                child = os.fork()
                if child == 0:
                    code = 1
                    try:
                        for call in (supervisor.list, supervisor.stop, supervisor.reload, lambda: supervisor.spawn("a")):
                            try:
                                call()
                            except libswarm.SwarmForked:
                                continue
                            os._exit(2)
                        with Supervisor(forward=False) as own:
                            own.spawn("true")
                            next(event for event in own if event.event == "exited")
                        os.kill(os.getpid(), number)
                        time.sleep(100)
                    except KeyboardInterrupt:
                        code = 0
                    finally:
                        os._exit(code)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            assert len(supervisor.list()) == 1
    """)
    assert (line(process), line(process)) == ("-15", "0")
    assert process.wait(SOON) == 0
