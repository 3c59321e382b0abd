"""Fault 10: members cut off from Redis. For half a lease: nothing is noticed. For one and a half: the old holder stopped before
the new one started."""

import time
from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Driver, Language, Proxy, Redis, wait_until
from team import DEFAULT_LEASES, Team

PER_WORKER = 5


def _cut(proxy: Proxy, seconds: float) -> None:
    proxy.cut()
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 1, "the time of the partition has passed")
    proxy.heal()


def _workers(team: Team, proxy: Proxy, languages: list[Language]) -> list[Driver]:
    return [team.worker(language, url=proxy.url) for language in languages]


def play_half(server: Redis, folder: Path, evidence: Evidence, *, languages: list[Language], lease: float | None) -> None:
    """A partition of half a lease; the languages must have the same."""
    with Proxy(server.port) as proxy, Team(server, folder, lease) as team:
        master = team.master()
        workers = _workers(team, proxy, languages)
        team.add(master, PER_WORKER * len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", PER_WORKER, 5)
        heir = team.worker()

        _cut(proxy, 0.5 * team.lease_of(languages[0]))

        ends = [team.lease_end(worker.call("ready")["incarnation"]) for worker in workers]
        moved = sum(len(team.notes(worker, "delete", "close")) for worker in workers)
        for worker, end in zip(workers, ends, strict=True):
            incarnation = worker.call("ready")["incarnation"]
            within = team.lease_of(worker.language) / 2 + 3
            wait_until(lambda i=incarnation, e=end: team.lease_end(i) > e + 0.5, within, "the lease is renewed")  # type: ignore[misc]
            moved = max(moved, len(team.notes(worker, "delete", "close")))
        evidence.measured("jobs moved after 0.5 L", moved + len(team.notes(heir, "add")), at_most=0)
        team.check(master, evidence)


def play_more(server: Redis, folder: Path, evidence: Evidence, *, languages: list[Language], lease: float | None) -> None:
    """A partition of one and a half leases; the languages must have the same."""
    with Proxy(server.port) as proxy, Team(server, folder, lease) as team:
        master = team.master()
        workers = _workers(team, proxy, languages)
        team.add(master, PER_WORKER * len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", PER_WORKER, 5)
        heir = team.worker()

        _cut(proxy, 1.5 * team.lease_of(languages[0]))

        started = {note.job: note.t for note in team.wait_for_notes(heir, "add", PER_WORKER * len(workers), 5)}
        for worker in workers:
            stopped = team.wait_for_notes(worker, "delete", PER_WORKER, 5)
            apart = min(started[note.job] - note.t for note in stopped)
            evidence.measured(
                "stopped before the new holder started, after 1.5 L", apart, "s", at_least=0, detail=worker.language
            )
            # Other workers renewed at other times, and their jobs may have moved before.
            first = min(started[note.job] for note in stopped)
            assert team.wait_for_notes(worker, "close", 1, 5)[0].t < first
            team.wait_for_notes(worker, "ready", 2, 10)
        team.check(master, evidence)


def scenarios(half: float | None, more: float | None) -> dict[str, Scenario]:
    """Both lengths, for all languages whose members have the same lease at once."""
    found: dict[str, Scenario] = {}
    for play, lease, name in ((play_half, half, "half"), (play_more, more, "more")):
        leases = {language: lease or DEFAULT_LEASES[language] for language in Language}
        for each in sorted(set(leases.values())):
            languages = [language for language in Language if leases[language] == each]
            found[f"{name}-{'-'.join(languages)}"] = partial(play, languages=languages, lease=lease)
    return found


LANES = [Lane(2, scenarios(5.0, 2.0))]


@pytest.mark.parametrize("name", LANES[0].scenarios)
def test_jobs_of_members_that_are_cut_off(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
