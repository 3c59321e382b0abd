"""Fault 2: SIGSTOP a worker for 2 L, then SIGCONT. Within 1 s its jobs are told `delete` and it is told `close`; all its late
completions are refused."""

import time
from pathlib import Path

import pytest
from swarm_support import Language, Redis, wait_until
from team import Team

JOBS = 20
LEASE = 1.5


@pytest.mark.parametrize("language", list(Language))
def test_a_worker_that_slept_too_long_gives_up_its_jobs(server: Redis, tmp_path: Path, language: Language) -> None:
    with Team(server, tmp_path, LEASE) as team:
        master = team.master()
        sleeper = team.worker(language, behave="late")
        ids = set(team.add(master, JOBS))
        team.wait_for_notes(sleeper, "add", JOBS, 10)
        heir = team.worker()

        sleeper.pause()
        paused = time.monotonic()
        team.wait_for_notes(heir, "add", JOBS, LEASE + 5)
        wait_until(lambda: time.monotonic() >= paused + 2 * LEASE, 2 * LEASE + 1, "it slept for two leases")
        sleeper.resume()
        resumed = time.monotonic()

        closed = team.wait_for_notes(sleeper, "close", 1, 10)
        refused = team.wait_for_notes(sleeper, "refused", JOBS, 10)
        deleted = team.notes(sleeper, "delete")
        assert {note.job for note in deleted} == ids
        late = [note.t - resumed for note in (*deleted, *closed) if note.t > resumed + 1]
        assert not late, f"told up to {max(late):.2f} s after it went on"
        assert {note.job for note in refused} == ids
        assert {note.fields["code"] for note in refused} == {"STALE_FENCE"}
        assert not team.notes(sleeper, "completed")
        # It registers anew and is of use again.
        readied = team.wait_for_notes(sleeper, "ready", 2, 10)
        assert readied[0].fields["incarnation"] != readied[1].fields["incarnation"]
        team.check(master)
