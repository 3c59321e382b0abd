"""Fault 6: Redis loses all its data. Members fence themselves and register again within 2 s of its return, 5 s of a FLUSHALL,
without a storm of errors, and idle workers get jobs as soon."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from at_once import Lane, Played, Scenario
from evidence import Evidence
from swarm_support import Language, Ledger, Redis, wait_until
from team import Team

LANGUAGES = list(Language)
LEASE = 5.0
PER_WORKER = 5
# How the data is lost, and within how many seconds members are back.
LOSSES: dict[str, tuple[Callable[[Redis], object], float]] = {
    "restart": (Redis.restart_empty, 2.0),
    "flushall": (lambda server: server.command("FLUSHALL"), 5.0),
}


def play_busy(server: Redis, folder: Path, evidence: Evidence, *, loss: str, lease: float | None) -> None:
    """Workers in every language have active jobs when the data is lost."""
    lose, within = LOSSES[loss]
    with Team(server, folder, lease) as team:
        masters = [team.master(language) for language in LANGUAGES]
        workers = [team.worker(language) for language in LANGUAGES]
        team.add(masters[0], PER_WORKER * len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", PER_WORKER, 5)
        before = [master.call("ready")["incarnation"] for master in masters]

        lose(server)
        lost = time.monotonic()

        for worker in workers:
            again = team.wait_for_notes(worker, "ready", 2, within + 5)[1]
            evidence.measured(
                f"busy workers registered again after the {loss}", again.t - lost, "s", at_most=within, detail=worker.language
            )
            # What it ran exists no more: it was notified before it registered again.
            deleted, closed = team.notes(worker, "delete"), team.notes(worker, "close")
            assert len(deleted) == PER_WORKER
            assert len(closed) == 1
            assert max(note.t for note in deleted) <= closed[0].t <= again.t
        for master, old in zip(masters, before, strict=True):
            wait_until(lambda m=master, o=old: m.call("health")["incarnation"] not in ("", o), within + 1, "it is registered")  # type: ignore[misc]
        for member in (*masters, *workers):
            assert len(team.errors(member)) <= 2, f"{member.language} repeats its error"

        team.ledger = Ledger()
        for master in masters:
            team.add(master, len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", PER_WORKER + len(masters), 5)
        team.check(masters[0], evidence)


def play_idle(server: Redis, folder: Path, evidence: Evidence, *, loss: str, language: Language, lease: float | None) -> None:
    """An idle worker and an idle master; the master adds a job as soon as the data is lost."""
    lose, within = LOSSES[loss]
    with Team(server, folder, lease) as team:
        master = team.master(language)
        worker = team.worker(language, behave="echo")

        lose(server)
        lost = time.monotonic()
        team.add(master, 1)

        (started,) = team.wait_for_notes(worker, "add", 1, within + team.lease_of(language))
        evidence.measured(f"an idle worker's next job after the {loss}", started.t - lost, "s", at_most=within, detail=language)
        team.wait_for_notes(worker, "completed", 1, 5)
        team.check(master, evidence)


def scenarios(lease: float | None) -> dict[str, Scenario]:
    """Each loss, with workers that have active jobs, and with idle ones in each language."""
    found: dict[str, Scenario] = {}
    for loss in LOSSES:
        found[f"{loss}-busy"] = partial(play_busy, loss=loss, lease=lease)
        for language in LANGUAGES:
            found[f"{loss}-idle-{language}"] = partial(play_idle, loss=loss, language=language, lease=lease)
    return found


LANES = [Lane(3, scenarios(LEASE))]


@pytest.mark.parametrize("name", LANES[0].scenarios)
def test_members_register_again_at_an_emptied_server(name: str, played: Played, evidence: Evidence) -> None:
    played.outcome(name, evidence)
