"""Fault 28: a newer protocol version takes over the Redis of running members. The older ones refuse with a typed error and change
nothing; with the version that they know back, they go on and nothing is lost."""

from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Driver, Language, Redis, wait_until
from team import CLUSTER, Team

JOBS = 20
META = f"{{{CLUSTER}}}:meta"


def contents(server: Redis) -> dict[str, bytes]:
    """All there is, as Redis would write it to its disk."""
    keys = [key.decode() for key in server.command("KEYS", "*")]
    return {key: server.command("DUMP", key) for key in sorted(keys)}


@pytest.mark.parametrize("language", list(Language))
def test_an_older_version_refuses_and_loses_nothing(
    server: Redis, tmp_path: Path, language: Language, evidence: Evidence
) -> None:
    with Team(server, tmp_path, lease=2.0) as team:
        master = team.master(language)
        worker = team.worker(language)
        team.add(master, JOBS)
        team.wait_for_notes(worker, "add", JOBS, 5)
        known = server.command("HGET", META, "protocol")

        server.command("HSET", META, "protocol", int(known) + 1)
        before = contents(server)
        # Calls of members that run, their renewals for more than a lease, and new members.
        assert master.ask("add", payload=b"1").code == "PROTOCOL_VERSION"
        assert master.ask("stats").code == "PROTOCOL_VERSION"
        refused = 2
        for role in ("master", "worker"):
            late = Driver(language)
            try:
                answer = late.ask(role, cluster=CLUSTER, url=server.url)
                answer = late.ask("ready") if answer.ok else answer
                assert answer.code == "PROTOCOL_VERSION", answer.fields
                refused += 1
            finally:
                late.close()
        team.wait_for_notes(worker, "close", 1, team.lease + 2)
        wait_until(lambda: worker.call("health")["error"] == "PROTOCOL_VERSION", 5, "health() has the error")
        assert len(team.notes(worker, "delete")) == JOBS, "it has stopped its jobs: it cannot renew its right to them"
        changed = {key for key, value in contents(server).items() if before.get(key) != value}
        evidence.measured("calls refused", refused, at_least=4)
        evidence.measured("keys changed by the older version", len(changed), at_most=0, detail=changed)

        server.command("HSET", META, "protocol", known)
        team.wait_for_notes(worker, "ready", 2, 5)
        back = team.wait_for_notes(worker, "add", 2 * JOBS, team.lease + 5)
        lost = set(team.ledger.added) - {note.job for note in back[JOBS:]}
        evidence.measured("jobs lost", len(lost), at_most=0)
        team.check(master, evidence)
