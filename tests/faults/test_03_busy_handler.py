"""Fault 3: a handler computes for 4 L so that nothing else of its language runs (the event loop is blocked, the GIL held).
Nothing is assigned again, and the lease is renewed all the while."""

from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Language, Redis, wait_until
from team import Team

LEASE = 1.0


def play(server: Redis, folder: Path, evidence: Evidence, *, language: Language, lease: float | None) -> None:
    """A handler that is busy for four leases, beside an idle worker."""
    with Team(server, folder, lease) as team:
        four_leases = 4 * team.lease_of(language)
        master = team.master()
        busy = team.worker(language, behave="burn", burn=int(four_leases * 1000))
        incarnation = busy.call("ready")["incarnation"]
        team.add(master, 1)
        team.wait_for_notes(busy, "add", 1, 5)
        idle = team.worker()

        lease_ends = set()

        def finished() -> bool:
            lease_ends.add(round(team.lease_end(incarnation), 1))
            return int(team.stats(master)["completed"]) == 1

        wait_until(finished, four_leases + 3, "the job is completed")
        evidence.measured("renewals in 4 L", len(lease_ends), at_least=8, detail=language)
        wait_until(lambda: team.count(busy, "completed") == 1, 2, "the worker noted it")
        assert (team.count(busy, "refused"), team.count(busy, "closed")) == (0, 0)
        evidence.measured("redeliveries", team.count(idle, "added"), at_most=0)
        team.check(master, evidence)


def scenarios(lease: float | None) -> dict[str, Scenario]:
    """One in each language."""
    return {language: partial(play, language=language, lease=lease) for language in Language}


DEFAULT = {f"default-{name}": scenario for name, scenario in scenarios(None).items()}
LANES = [Lane(4, scenarios(LEASE)), Lane(4, DEFAULT)]


@pytest.mark.parametrize("name", [*LANES[0].scenarios, *(pytest.param(name, marks=pytest.mark.long) for name in DEFAULT)])
def test_a_busy_handler_keeps_its_job(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
