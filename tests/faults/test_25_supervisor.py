"""Fault 25: a supervised process exits at once; ignores TERM; forks a grandchild; never gets ready in a reload; loses its
supervisor. There is a growing pause and an end to respawns, KILL after the grace, no orphan, and the reload stops at the first
that fails while the old ones serve."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from evidence import Evidence
from swarm_support import wait_until

PROGRAM = Path(__file__).parent / "programs" / "supervise.py"
QUICK = {"grace": 0.5, "backoff_delay": 0.05, "backoff_max": 0.4, "backoff_jitter": 0, "max_respawns": 4, "forward": False}
# Ignores TERM, as does the process that it starts; writes both numbers into a file once both do.
STUBBORN = """
trap '' TERM
sh -c 'trap "" TERM; echo $$ >>{0}; while :; do sleep 0.1; done' &
while [ ! -s {0} ]; do sleep 0.01; done
echo $$ >>{0}
wait
"""
# Leaves a process behind.
PARENT = """
sh -c 'echo $$ >>{0}; exec sleep 1000' &
while [ ! -s {0} ]; do sleep 0.01; done
exit 1
"""
Event = dict[str, Any]


class Supervising:
    """A process with a supervisor."""

    def __init__(self, options: dict[str, object]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.events: list[Event] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def do(self, what: str, **fields: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
        self._process.stdin.flush()

    def spawn(self, script: str, *args: str, **options: object) -> None:
        self.do("spawn", command=["/bin/sh", "-c", script, *args], options=options)
        self.wait_for("spawned")

    def of(self, *kinds: str) -> list[Event]:
        return [event for event in list(self.events) if event["event"] in kinds]

    def wait_for(self, kind: str, count: int = 1, within: float = 10) -> list[Event]:
        return wait_until(lambda: found if len(found := self.of(kind)) >= count else None, within, f"{count} times `{kind}`")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.events.append(json.loads(line))


@pytest.fixture
def supervising() -> Iterator[Callable[..., Supervising]]:
    made: list[Supervising] = []

    def make(**options: object) -> Supervising:
        made.append(Supervising({**QUICK, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def runs(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def numbers(file: Path, count: int) -> list[int]:
    """The processes that have written their numbers."""

    def written() -> list[int] | None:
        lines = file.read_text().split() if file.exists() else []
        return list(map(int, lines)) if len(lines) >= count else None

    return wait_until(written, 10, f"{count} processes run")


def test_a_process_that_exits_at_once_is_given_up(supervising: Callable[..., Supervising], evidence: Evidence) -> None:
    supervisor = supervising()
    supervisor.spawn("exit 7")
    supervisor.wait_for("gave_up")

    exits, starts = supervisor.of("exited"), supervisor.of("started")
    assert [event["respawn"] for event in exits] == [0.05, 0.1, 0.2, 0.4, None]
    pauses = [after["t"] - before["t"] for before, after in zip(exits, starts[1:], strict=False)]
    for pause, promised in zip(pauses, (0.05, 0.1, 0.2, 0.4), strict=True):
        evidence.measured("pause shorter than promised", max(promised - pause, 0), "s", at_most=0.02)
    evidence.measured("starts before it was given up", len(starts), at_most=5)


def test_one_that_ignores_term_is_killed_with_its_children(
    supervising: Callable[..., Supervising], tmp_path: Path, evidence: Evidence
) -> None:
    supervisor = supervising(grace=1)
    supervisor.spawn(STUBBORN.format(tmp_path / "pids"))
    pids = numbers(tmp_path / "pids", 2)

    asked = time.monotonic()
    supervisor.do("stop")
    (exited,) = supervisor.wait_for("exited")
    supervisor.wait_for("gone")

    evidence.measured("KILL after a grace of 1 s", exited["t"] - asked, "s", at_least=1)
    assert exited["t"] - asked < 2
    evidence.measured("orphans", sum(map(runs, pids)), at_most=0)
    assert exited["exit"]["signal"] == signal.SIGKILL


def test_a_grandchild_ends_with_the_child(supervising: Callable[..., Supervising], tmp_path: Path, evidence: Evidence) -> None:
    supervisor = supervising()
    supervisor.spawn(PARENT.format(tmp_path / "pids"))
    supervisor.wait_for("gave_up")
    pids = numbers(tmp_path / "pids", 1)
    wait_until(lambda: not any(map(runs, pids)), 5, "what it left is gone")
    evidence.measured("orphans", sum(map(runs, pids)), at_most=0)


def test_a_reload_stops_at_the_first_that_never_gets_ready(
    supervising: Callable[..., Supervising], tmp_path: Path, evidence: Evidence
) -> None:
    version = tmp_path / "version"
    version.write_text("echo >/dev/fd/$SWARM_READY_FD; exec sleep 1000")
    supervisor = supervising()
    supervisor.spawn(f". {version}", count=3, ready="explicit", ready_timeout=0.5)
    old = [event["pid"] for event in supervisor.wait_for("ready", 3)]

    version.write_text("exec sleep 1000")
    supervisor.do("reload")
    (reload,) = supervisor.wait_for("reload")
    assert reload["error"] == "TIMEOUT"
    (failed,) = supervisor.of("reload_failed")
    evidence.measured("old ones that serve on", sum(map(runs, old)), at_least=3)
    new = [event["pid"] for event in supervisor.of("started") if event["pid"] not in old]
    evidence.measured("new ones tried", len(new), at_most=1)
    assert not any(map(runs, new))
    assert failed["id"] is not None

    # The next version is taken.
    version.write_text("echo >/dev/fd/$SWARM_READY_FD; exec sleep 999")
    supervisor.do("reload")
    assert supervisor.wait_for("reload", 2)[1]["error"] is None
    assert not any(map(runs, old))


def test_nothing_outlives_a_supervisor_that_is_killed(
    supervising: Callable[..., Supervising], tmp_path: Path, evidence: Evidence
) -> None:
    supervisor = supervising()
    for name in ("a", "b", "c"):
        supervisor.spawn(STUBBORN.format(tmp_path / name))
    pids = [pid for name in ("a", "b", "c") for pid in numbers(tmp_path / name, 2)]
    assert all(map(runs, pids))

    supervisor.kill()
    killed = time.monotonic()
    try:
        wait_until(lambda: not any(map(runs, pids)), 10, "all are gone")
        evidence.measured("all gone after kill -9 of the supervisor", time.monotonic() - killed, "s", at_most=2)
    finally:
        for pid in filter(runs, pids):
            os.kill(pid, signal.SIGKILL)
