"""Fault 27: forks, threads made and terminated, exits with work in flight. A typed error or a working client; never a hang, a
leak or a crash. The packages' own tests have more of each (a free inside a callback in tests/c, for one)."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Language, Redis, wait_until
from team import Team

PROGRAMS = Path(__file__).parent / "programs"
THREADS = 1000


@pytest.mark.parametrize("language", list(Language))
def test_exit_with_work_in_flight(server: Redis, tmp_path: Path, language: Language, evidence: Evidence) -> None:
    with Team(server, tmp_path, lease=1.0) as team:
        master = team.master()
        leaver = team.worker(language)
        ids = set(team.add(master, 100))
        team.wait_for_notes(leaver, "add", 100, 5)
        adder = team.master(language)
        heir = team.worker()
        adder.send("flood", count=2000, payload=b'{"n":1}')

        # The end of its input stops a driver with its worker at work, and with its master's adds answered or not.
        assert leaver.quit() == 0
        assert adder.quit() == 0

        def moved() -> bool:
            return ids <= {note.job for note in team.notes(heir, "add")}

        ended = time.monotonic()
        wait_until(moved, team.lease + 5, "all jobs have moved")
        evidence.measured("jobs of a program that ended start elsewhere", time.monotonic() - ended, "s", at_most=team.lease + 1)


def test_children_of_a_preloaded_server(server: Redis) -> None:
    done = subprocess.run([sys.executable, str(PROGRAMS / "preload.py"), server.url], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("count", [THREADS // 4, pytest.param(THREADS, marks=pytest.mark.long)])
def test_many_worker_threads(server: Redis, count: int, evidence: Evidence) -> None:
    command = ["node", "--expose-gc", str(PROGRAMS / "threads.mjs"), server.url, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    middle, end = json.loads(done.stdout)
    evidence.measured("worker_threads made and terminated", count)
    evidence.measured("descriptors more than half way", end["descriptors"] - middle["descriptors"], at_most=5)
    evidence.measured("memory more than half way", end["memory"] - middle["memory"], "MiB", at_most=60 * count // THREADS)
