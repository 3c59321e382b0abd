"""Fault 10: members cut off from Redis. For half a lease: nothing is noticed. For one and a half: the old holder stopped before
the new one started."""

import time
from pathlib import Path

from swarm_support import Driver, Language, Proxy, Redis, wait_until
from team import Team

PER_WORKER = 5


def _cut(proxy: Proxy, seconds: float) -> None:
    proxy.cut()
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 1, "the time of the partition has passed")
    proxy.heal()


def _workers(team: Team, proxy: Proxy) -> list[Driver]:
    return [team.worker(language, url=proxy.url) for language in Language]


def test_a_partition_of_half_a_lease_is_not_noticed(server: Redis, tmp_path: Path) -> None:
    with Proxy(server.port) as proxy, Team(server, tmp_path, lease=5.0) as team:
        master = team.master()
        workers = _workers(team, proxy)
        team.add(master, PER_WORKER * len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", PER_WORKER, 5)
        heir = team.worker()

        _cut(proxy, 0.5 * team.lease)

        ends = [team.lease_end(worker.call("ready")["incarnation"]) for worker in workers]
        for worker, end in zip(workers, ends, strict=True):
            incarnation = worker.call("ready")["incarnation"]
            wait_until(lambda i=incarnation, e=end: team.lease_end(i) > e + 0.5, 5, "the lease is renewed")  # type: ignore[misc]
            assert not team.notes(worker, "delete", "close"), f"{worker.language} noticed"
        assert not team.notes(heir, "add")
        team.check(master)


def test_a_partition_of_more_than_a_lease_moves_the_jobs(server: Redis, tmp_path: Path) -> None:
    with Proxy(server.port) as proxy, Team(server, tmp_path, lease=2.0) as team:
        master = team.master()
        workers = _workers(team, proxy)
        team.add(master, PER_WORKER * len(workers))
        for worker in workers:
            team.wait_for_notes(worker, "add", PER_WORKER, 5)
        heir = team.worker()

        _cut(proxy, 1.5 * team.lease)

        started = {note.job: note.t for note in team.wait_for_notes(heir, "add", PER_WORKER * len(workers), 5)}
        for worker in workers:
            stopped = team.wait_for_notes(worker, "delete", PER_WORKER, 5)
            for note in stopped:
                assert note.t < started[note.job], f"{worker.language} stopped {note.job} after it was started elsewhere"
            assert team.wait_for_notes(worker, "close", 1, 5)[0].t < min(started.values())
            team.wait_for_notes(worker, "ready", 2, 10)
        team.check(master)
