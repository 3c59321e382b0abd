"""Fault 32: 32 producers in every language add jobs of a rate and of a number of active jobs, while workers are killed with -9
and stopped with SIGSTOP. No limit is exceeded by one job, all jobs complete, and nothing of a limit is left."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Driver, Language, Note, Redis, wait_until
from team import Team

LANGUAGES = list(Language)
PRODUCERS = 32
LEASE = 1.0
RATE = 200
"""Jobs in a second."""
CONCURRENCY = 3
WORK = 20
"""Milliseconds of a job."""
SKEW = 1000
"""Microseconds by which a start may seem early: a fence is the time at which the script began, or one more than the last."""


def most_at_once(executions: list[tuple[float, float]]) -> int:
    """The largest number of executions at one time, of those that Redis accepted."""
    changes = sorted([(start, 1) for start, _ in executions] + [(end, -1) for _, end in executions])
    return max(itertools.accumulate(change for _, change in changes))


def executions(team: Team, workers: list[Driver]) -> list[Note]:
    """The starts of the executions that Redis accepted."""
    starts = []
    for worker in workers:
        begun = {note.fence: note for note in team.notes(worker, "add")}
        starts += [begun[note.fence] for note in team.notes(worker, "completed")]
    return starts


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.long)])
def test_no_limit_is_exceeded(server: Redis, tmp_path: Path, evidence: Evidence, kills: int) -> None:
    jobs = 40 * kills
    with Team(server, tmp_path, LEASE) as team, ThreadPoolExecutor(PRODUCERS) as pool:
        masters = list(pool.map(lambda n: team.master(LANGUAGES[n % len(LANGUAGES)], timeout=60_000), range(PRODUCERS)))
        observer = masters[0]
        observer.call("limit", name="rate", rate=RATE)
        observer.call("limit", name="active:*", concurrency=CONCURRENCY)

        def worker(language: Language) -> Driver:
            # Those in Rust take their time, so that jobs are active together.
            work = {"behave": "wait", "burn": WORK} if language is Language.RUST else {"behave": "echo"}
            return team.worker(language, slots=20, **work)

        workers = [worker(language) for language in (*LANGUAGES, Language.RUST)]
        alive = list(workers)

        def add(number: int) -> None:
            kind, limits = [("r", '["rate"]'), ("a", '["active:x"]'), ("b", '["active:x", "rate"]')][number % 3]
            share = range(number, jobs, PRODUCERS)
            ids = [f"{kind}{at}" for at in share]
            masters[number].call("add_many", payloads=[b"1"] * len(ids), ids=ids, limits=limits)
            team.ledger.add(ids, b"1")

        def completed(enough: int) -> bool:
            return int(team.stats(observer)["completed"]) >= enough

        list(pool.map(add, range(PRODUCERS)))
        stopped: list[Driver] = []
        for kill in range(1, kills + 1):
            wait_until(partial(completed, kill * jobs // (kills + 2)), 60, "some are completed")
            victim = alive.pop(0)
            if kill % 2:
                victim.kill()
            else:
                victim.pause()
                stopped.append(victim)
            workers.append(worker(victim.language))
            alive.append(workers[-1])
        wait_until(lambda: completed(jobs), 120, "all are completed")
        for victim in stopped:
            victim.resume()

        starts = sorted(note.fence for note in executions(team, workers) if note.job[0] in "rb")
        early = sum(later - earlier < 1_000_000 // RATE - SKEW for earlier, later in itertools.pairwise(starts))
        evidence.measured("starts before the rate allowed them", early, at_most=0)
        # The note of an end is later than the start of the next job: the time of the work is known.
        slow = executions(team, [worker for worker in workers if worker.language is Language.RUST])
        spans = [(note.t, note.t + WORK / 1000) for note in slow if note.job[0] in "ab"]
        evidence.measured("active at once", most_at_once(spans), at_most=CONCURRENCY)
        evidence.measured("workers killed or stopped", kills)
        for name in ("rate", "active:x"):
            info = observer.call("limit_info", name=name)
            assert (info["active"], info["blocked"]) == ("0", "0"), (name, info)
        left = [key for key in server.admin.scan_iter("*limit*") if b"limits" not in key and b"limit_times" not in key]
        assert not left, left
        team.check(observer, evidence)
