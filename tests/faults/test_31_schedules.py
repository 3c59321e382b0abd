"""Fault 31: 32 processes in every language set the same schedule in a loop while workers and Redis are killed with -9. Each slot
adds one job, which completes once; none is missing, and the schedule keeps its phase."""

import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Driver, Language, Redis, wait_until
from team import Team

LANGUAGES = list(Language)
MASTERS = 32
EVERY = 200
PAYLOAD = b'{"n":1}'
SCHEDULE = {"id": "s", "every": EVERY, "overlap": "allow", "catch_up": "all", "payload": PAYLOAD}
PAUSE = 8
"""Slots between two kills."""


def added(member: Driver) -> int:
    """How many jobs the slots have added."""
    return int(member.call("schedule_info", id="s")["added"])


def wait_for_slots(member: Driver, count: int) -> None:
    """Waits until the slots have added so many jobs."""
    wait_until(lambda: added(member) >= count, 30, f"{count} slots have come")


@pytest.mark.parametrize("kills", [6, pytest.param(300, marks=pytest.mark.long)])
def test_each_slot_runs_once(tmp_path: Path, evidence: Evidence, kills: int) -> None:
    with (
        Redis({"appendonly": "yes", "appendfsync": "always"}) as server,
        Team(server, tmp_path, lease=2.0) as team,
        ThreadPoolExecutor(MASTERS) as pool,
    ):
        masters = list(pool.map(lambda n: team.master(LANGUAGES[n % len(LANGUAGES)], timeout=60_000), range(MASTERS)))
        observer = team.master(timeout=60_000)
        workers = [team.worker(language, behave="echo") for language in LANGUAGES]
        alive = deque(workers)
        over = threading.Event()

        def upsert(master: Driver) -> Counter[str]:
            answers: Counter[str] = Counter()
            while not over.is_set():
                answers[master.call("schedule", **SCHEDULE)["how"]] += 1
            return answers

        loops = [pool.submit(upsert, master) for master in masters]
        try:
            wait_until(lambda: observer.call("schedule_info", id="s")["id"], 20, "the schedule exists")
            for number in range(kills):
                wait_for_slots(observer, added(observer) + PAUSE)
                if number % 3 == 2:
                    server.kill()
                    server.start()
                else:
                    alive[0].kill()
                    workers.append(team.worker(alive.popleft().language, behave="echo"))
                    alive.append(workers[-1])
        finally:
            over.set()
        answers = sum((loop.result() for loop in loops), Counter[str]())
        observer.call("pause_schedule", id="s")
        wait_until(lambda: all(team.stats(observer)[state] == "0" for state in ("waiting", "active")), 20, "no job is left")

        info = observer.call("schedule_info", id="s")
        runs = Counter(note.job for worker in workers for note in team.notes(worker, "completed"))
        slots = sorted(int(note.job.split("@")[1]) for worker in workers for note in team.notes(worker, "add"))
        expected = range(slots[0], int(info["last_at"]) + 1, EVERY)
        evidence.measured("upserts", answers.total(), at_least=MASTERS)
        evidence.measured("of them changed something", answers["created"] + answers["changed"], at_most=1)
        evidence.measured("slots", len(expected), at_least=kills * PAUSE)
        evidence.measured("slots that did not run", len(set(expected) - set(slots)), at_most=0)
        evidence.measured("jobs of no slot", len(set(slots) - set(expected)), at_most=0)
        evidence.measured("jobs that completed twice", sum(number > 1 for number in runs.values()), at_most=0)
        stats = team.stats(observer)
        assert (info["added"], stats["added"], stats["completed"]) == (str(len(expected)),) * 3
        assert observer.call("unschedule", id="s")["existed"] == "true"
        team.ledger.add([f"s@{slot}" for slot in expected], PAYLOAD)
        team.check(observer, evidence)
