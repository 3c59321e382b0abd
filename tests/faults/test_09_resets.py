"""Fault 9: 200 random resets of the connections of members that work. No worker stops consuming; descriptors and memory stay
flat."""

import itertools
import random
import time
from pathlib import Path

import pytest
from evidence import Evidence
from flow import Flow, first_after
from swarm_support import Driver, Language, Proxy, Redis, wait_until
from team import Team

LANGUAGES = list(Language)
RESETS = 200
RATE = 300


def used(driver: Driver) -> tuple[int, int]:
    """Open descriptors, and resident memory in KiB."""
    process = Path(f"/proc/{driver.pid}")
    memory = next(int(line.split()[1]) for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return len(list((process / "fd").iterdir())), memory


@pytest.mark.parametrize("seconds", [15, pytest.param(60, marks=pytest.mark.long)])
def test_resets_stop_no_member(server: Redis, tmp_path: Path, seconds: int, evidence: Evidence) -> None:
    with Proxy(server.port) as proxy, Team(server, tmp_path, lease=5.0) as team:
        masters = [team.master(language, url=proxy.url, timeout=30_000) for language in LANGUAGES]
        workers = [team.worker(language, behave="echo", slots=50, url=proxy.url) for language in LANGUAGES]
        observer = team.master()
        chance = random.Random(9)
        # Times at which connections are reset, sorted.
        moments = sorted(chance.uniform(0, seconds) for _ in range(RESETS))
        with Flow(team, masters[0], RATE // 2) as one, Flow(team, masters[-1], RATE // 2) as other:
            wait_until(lambda: all(len(team.notes(worker, "completed")) > 50 for worker in workers), 10, "all complete jobs")
            began = time.monotonic()
            middle: dict[Driver, tuple[int, int]] = {}
            for number, moment in enumerate(moments):
                wait_until(lambda m=moment: time.monotonic() > began + m, seconds, "it is time for the next reset")  # type: ignore[misc]
                proxy.reset_one(chance)
                if number == RESETS // 2:
                    middle = {member: used(member) for member in (*masters, *workers)}
            last = time.monotonic()
            wait_until(lambda: all(first_after(team.notes(w, "completed"), last) for w in workers), 10, "all complete jobs still")
            one.stop()
            other.stop()
        evidence.measured(f"resets in {seconds} s", RESETS)
        wait_until(lambda: team.stats(observer)["waiting"] == team.stats(observer)["active"] == "0", 20, "all is done")
        for worker in workers:
            times = [note.t for note in team.notes(worker, "completed") if note.t >= began]
            longest = max(after - before for before, after in itertools.pairwise(times))
            evidence.measured("longest pause of a worker", longest, "s", at_most=3, detail=worker.language)
            assert not team.notes(worker, "close"), f"{worker.language} lost its lease"
        for member, (descriptors, memory) in middle.items():
            name = member.language
            wait_until(lambda m=member, d=descriptors: used(m)[0] <= d + 2, 5, f"{name} has closed its descriptors")  # type: ignore[misc]
            evidence.measured("descriptors more than half way", used(member)[0] - descriptors, at_most=2, detail=name)
            evidence.measured("memory more than half way", (used(member)[1] - memory) / 1024, "MiB", at_most=40, detail=name)
        team.check(observer, evidence)
