"""Fault 14: a server that may evict keys. Members are refused at the start with a message that names the fix; with
`eviction=warn` they work."""

from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Driver, Language, Redis
from team import CLUSTER, Team

# The policies that can take a key of ours; those of `volatile-` take only keys with a time to live, and none has one.
POLICIES = ["allkeys-lru", "allkeys-lfu", "allkeys-random"]


@pytest.mark.parametrize("language", list(Language))
def test_a_server_that_evicts_is_refused(tmp_path: Path, language: Language, evidence: Evidence) -> None:
    refused = 0
    with Redis({"maxmemory": "64mb"}) as server:
        for policy in POLICIES:
            server.command("CONFIG", "SET", "maxmemory-policy", policy)
            for role in ("master", "worker"):
                driver = Driver(language)
                try:
                    answer = driver.ask(role, cluster=CLUSTER, url=server.url)
                    if answer.ok:
                        answer = driver.ask("ready")
                    assert answer.code == "EVICTION_POLICY", answer.fields
                    assert policy in answer["message"], "the message names the policy"
                    assert "noeviction" in answer["message"], "the message names the fix"
                    refused += 1
                finally:
                    driver.close()
        assert server.command("DBSIZE") == 0, "nothing was written to it"

        with Team(server, tmp_path, lease=10.0) as team:
            master = team.master(language, eviction="warn")
            worker = team.worker(language, eviction="warn", behave="echo")
            team.add(master, 10)
            team.wait_for_notes(worker, "completed", 10, 5)
            team.check(master, evidence)
    evidence.measured("starts refused", refused, at_least=2 * len(POLICIES))
