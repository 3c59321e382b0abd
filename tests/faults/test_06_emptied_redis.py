"""Fault 6: Redis restarts empty. Members fence themselves and register anew within 2 s, without a storm of errors."""

import time
from pathlib import Path

from swarm_support import Language, Ledger, Redis, wait_until
from team import Team

LEASE = 5.0
PER_WORKER = 5


def test_members_register_anew_at_an_emptied_server(server: Redis, tmp_path: Path) -> None:
    with Team(server, tmp_path, LEASE) as team:
        masters = [team.master(language) for language in Language]
        workers = [team.worker(language) for language in Language]
        team.add(masters[0], PER_WORKER * len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", PER_WORKER, 5)
        before = [master.call("ready")["incarnation"] for master in masters]

        server.restart_empty()
        opened = time.monotonic()

        for worker in workers:
            again = team.wait_for_notes(worker, "ready", 2, 10)[1]
            assert again.t <= opened + 2, f"{worker.language} was back {again.t - opened:.2f} s after the server"
            # What it held exists no more: it was told so before it registered again.
            deleted, closed = team.notes(worker, "delete"), team.notes(worker, "close")
            assert len(deleted) == PER_WORKER
            assert len(closed) == 1
            assert max(note.t for note in deleted) <= closed[0].t <= again.t
        for master, old in zip(masters, before, strict=True):
            wait_until(lambda m=master, o=old: m.call("health")["incarnation"] not in ("", o), 2, "the master is back")  # type: ignore[misc]
        for member in (*masters, *workers):
            assert len(team.errors(member)) <= 2, f"{member.language} repeats its error"

        team.ledger = Ledger()
        for master in masters:
            team.add(master, len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", PER_WORKER + len(masters), 5)
        team.check(masters[0])
