"""Fault 26: idle workers of 100 clusters in 4 processes, one of each language, with default options. Each sends at most 1
command a second, and a process uses less than half a percent of a CPU."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Language, Redis, wait_until

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
COMMANDS = {
    Language.RUST: [str(ROOT / "target" / "conformance" / "idle-rust")],
    Language.C: [str(ROOT / "target" / "conformance" / "idle-c")],
    Language.PYTHON: [sys.executable, str(PROGRAMS / "idle.py")],
    Language.NODE: ["node", str(PROGRAMS / "idle.mjs")],
}
CLUSTERS = 25
# What follows a start is over after this: the first renewal of a lease of 15 s, and the memory that V8 collects some 8 s later.
SETTLED_S = 15.0
WINDOW_S = 15.0
WINDOWS = 3
MOST_CPU = 0.5


@pytest.fixture
def idle(server: Redis) -> Iterator[dict[Language, subprocess.Popen[str]]]:
    running = {
        language: subprocess.Popen(
            [*command, server.url, language, str(CLUSTERS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for language, command in COMMANDS.items()
    }
    for language, process in running.items():
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", f"{language} did not start its workers"
    yield running
    for process in running.values():
        process.kill()
        process.communicate()


def cpu(process: subprocess.Popen[str]) -> float:
    """Seconds for which its threads have run."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def shares(idle: dict[Language, subprocess.Popen[str]]) -> dict[Language, float]:
    """Percent of one CPU that each process uses during a window."""
    began = time.monotonic()
    used = {language: cpu(process) for language, process in idle.items()}
    wait_until(lambda: time.monotonic() > began + WINDOW_S, WINDOW_S + 1, "they were watched for long enough")
    return {language: 100 * (cpu(process) - used[language]) / (time.monotonic() - began) for language, process in idle.items()}


def commands(server: Redis) -> dict[str, int]:
    """Calls of each command. Those that scripts make are among them."""
    return {name: int(counts["calls"]) for name, counts in server.admin.info("commandstats").items()}


def test_idle_workers_use_next_to_nothing(server: Redis, idle: dict[Language, subprocess.Popen[str]], evidence: Evidence) -> None:
    registered = sum(server.command("SCARD", key) for key in server.command("KEYS", "*:members"))
    assert registered == CLUSTERS * len(idle)
    settled = time.monotonic() + SETTLED_S
    wait_until(lambda: time.monotonic() > settled, SETTLED_S + 1, "the start is over")

    # Others on the machine can double the time that the same work takes, by emptying its caches. A worker that polls is busy in
    # every window.
    quietest = dict.fromkeys(idle, 100.0)
    began, calls = time.monotonic(), commands(server)
    for _ in range(WINDOWS):
        for language, share in shares(idle).items():
            quietest[language] = min(quietest[language], share)
        if max(quietest.values()) <= MOST_CPU:
            break
    for language, share in quietest.items():
        evidence.measured(f"CPU of {CLUSTERS} workers in one process", share, "%", at_most=MOST_CPU, detail=language)
    after = commands(server)
    sent = sum(
        after.get(f"cmdstat_{name}", 0) - calls.get(f"cmdstat_{name}", 0)
        for name in ("evalsha", "eval", "xread", "zscore", "ping")
    )
    rate = sent / (time.monotonic() - began) / registered
    evidence.measured("commands of a worker", rate, "per s", at_most=1)
