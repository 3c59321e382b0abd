"""Fault 23: the same job id from 32 producers whose replies get lost. There is one job, and every caller gets its id and
whether it existed."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evidence import Evidence
from swarm_support import Driver, Proxy, Redis
from team import Team
from test_29_lost_replies import EveryOther

PRODUCERS = 32
ROUNDS = 10


def test_one_job_whoever_adds_it(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Proxy(server.port) as proxy, Team(server, tmp_path, lease=20.0) as team:
        producers = [team.master(url=proxy.url, timeout=30_000) for _ in range(PRODUCERS)]
        observer = team.master()
        worker = team.worker()
        proxy.drop_reply = EveryOther()

        def add(producer: Driver, name: str) -> bool:
            answer = producer.call("add", payload=b"1", id=name, retries=2, resource="r")
            assert answer["id"] == name
            return answer["existed"] == "true"

        with ThreadPoolExecutor(PRODUCERS) as pool:
            for number in range(ROUNDS):
                name = f"job{number}"
                team.ledger.add([name], b"1")
                existed = list(pool.map(lambda producer, name=name: add(producer, name), producers))
                assert existed.count(False) == 1, f"{existed.count(False)} callers learnt that the job is theirs"
        evidence.measured("replies lost", proxy.dropped, at_least=PRODUCERS)
        evidence.measured("jobs made by 320 adds of 10 ids", int(team.stats(observer)["added"]), at_most=ROUNDS)
        stats = team.stats(observer)
        assert (stats["added"], stats["active"], stats["blocked"]) == (str(ROUNDS), "1", str(ROUNDS - 1))
        assert team.count(worker, "added") == 1
        team.check(observer, evidence)
