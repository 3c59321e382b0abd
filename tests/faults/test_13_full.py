"""Fault 13: Redis reaches `maxmemory` with `noeviction`. Adding fails with STORE_FULL, while renewals, completions and deletions
succeed; adding works again by itself once there is memory."""

import time
from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Driver, Language, Redis, wait_until
from team import Team

LEASE = 2.0
ACTIVE = 40
PAYLOAD = b'"' + b"x" * 100_000 + b'"'


def fill(team: Team, master: Driver) -> int:
    """Adds until Redis is full; answers how many it took."""
    count = 0
    while (answer := master.ask("add", payload=PAYLOAD, task="later")).ok:
        team.ledger.add([answer["id"]], PAYLOAD)
        count += 1
    assert answer.code == "STORE_FULL", answer.fields
    return count


def play(server: Redis, folder: Path, evidence: Evidence, *, language: Language) -> None:
    """A master and a worker in one language at a full server."""
    with Team(server, folder, LEASE) as team:
        master = team.master(language)
        worker = team.worker(language)
        active = team.add(master, ACTIVE)
        team.wait_for_notes(worker, "add", ACTIVE, 5)
        used = int(server.admin.info("memory")["used_memory"])
        server.command("CONFIG", "SET", "maxmemory", used + 8 * 2**20)

        filled = fill(team, master)
        # It stays full for two leases, in which renewals and finishes succeed.
        full = time.monotonic()
        refused = 0

        def still_full() -> bool:
            nonlocal refused, filled
            # Jobs that finished before, and inboxes that are trimmed, free memory for a while.
            filled += fill(team, master)
            refused += 1
            return time.monotonic() > full + 2 * LEASE

        for note in team.notes(worker, "add")[: ACTIVE // 2]:
            worker.call("complete", fence=note.fence, payload=b"1")
        for job in active[ACTIVE // 2 : ACTIVE - 5]:
            assert master.call("delete", id=job)["existed"] == "true"
            team.ledger.deleted.add(job)
        team.wait_for_notes(worker, "delete", ACTIVE // 2 - 5, 5)
        wait_until(still_full, 2 * LEASE + 5, "it was full for two leases")
        evidence.measured("adds refused with STORE_FULL", refused, at_least=10)
        lost = len(team.notes(worker, "close")) + len(team.notes(worker, "delete")) - (ACTIVE // 2 - 5)
        evidence.measured("leases and jobs lost meanwhile", lost, at_most=0)
        stats = team.stats(master)
        assert (stats["completed"], stats["active"], stats["deleting"]) == (str(ACTIVE // 2), "5", "0")

        # Jobs that finish free memory. `later` has no worker yet, `relief` takes what waits there.
        before = time.monotonic()
        server.command("CONFIG", "SET", "maxmemory", used + 64 * 2**20)
        (added,) = team.add(master, 1)
        evidence.measured("adding again", time.monotonic() - before, "s", at_most=2)
        relief = team.worker(language, behave="echo", tasks=["later"])
        wait_until(lambda: team.count(relief, "completed") == filled, 20, "all that was added is done")
        assert added in {note.job for note in team.wait_for_notes(worker, "add", ACTIVE + 1, 5)}
        assert team.errors(relief) == []
        team.check(master, evidence)


SCENARIOS: dict[str, Scenario] = {language: partial(play, language=language) for language in Language}
LANES = [Lane(2, SCENARIOS)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_full_server_refuses_new_jobs_and_finishes_stored_ones(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
