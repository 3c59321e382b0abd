"""Fault 33: 32 producers in every language add jobs with a few unique keys while workers are killed with -9 and Redis restarts.
At no moment does a key outlive its job, and at no moment do two jobs exist for a key that has one at a time."""

import itertools
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from evidence import Evidence
from swarm_support import Driver, Language, Redis, wait_until
from team import CLUSTER, Team

LANGUAGES = list(Language)
PRODUCERS = 32
PAYLOAD = b'{"n":1}'
KEYS: dict[str, dict[str, object]] = {
    "drop": {"resource": "r"},
    "retried": {"retries": 3, "run_timeout": 5000},
    "prior": {"on_conflict": "replace", "priority": 3},
    "replace": {"on_conflict": "replace", "task": ""},
    "started": {"unique_until": "start", "on_conflict": "replace"},
    "latest": {"on_conflict": "latest"},
    "attach": {"on_conflict": "attach"},
    "bounced": {"debounce": 20, "max_wait": 100},
    "timed": {"unique_until": 150},
}
AT_ONCE = {"drop": 1, "retried": 1, "prior": 1, "replace": 1, "bounced": 1, "latest": 2}
"""How many jobs of a key may exist at once, of those that have a limit."""
# The ids of jobs begin with their key. In one moment: keys whose job does not exist and which are not kept for a time, and the
# ids of all jobs.
MOMENT = """
local lost = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if redis.call('HEXISTS', KEYS[2], all[i + 1]) == 0 and not redis.call('ZSCORE', KEYS[3], 'U:' .. all[i]) then
    lost[#lost + 1] = all[i]
  end
end
return { lost, redis.call('HKEYS', KEYS[2]) }
"""


class Watch:
    """Reads the keys and jobs again and again."""

    def __init__(self, server: Redis) -> None:
        self._server = server
        self.moments = 0
        self.lost: Counter[str] = Counter()
        self.beyond: Counter[str] = Counter()

    def check(self) -> None:
        """One moment."""
        keys = [f"{{{CLUSTER}}}:{part}" for part in ("unique", "jobs", "due")]
        lost, ids = self._server.command("EVAL", MOMENT, 3, *keys)
        self.moments += 1
        self.lost.update(map(_text, lost))
        jobs = Counter(_text(job).partition("-")[0] for job in ids)
        self.beyond.update(key for key, limit in AT_ONCE.items() if jobs[key] > limit)


def _text(word: bytes | str) -> str:
    return word.decode() if isinstance(word, bytes) else word


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.long)])
def test_no_key_outlives_its_job(tmp_path: Path, evidence: Evidence, kills: int) -> None:
    with (
        Redis({"appendonly": "yes", "appendfsync": "always"}) as server,
        Team(server, tmp_path, lease=2.0) as team,
        ThreadPoolExecutor(PRODUCERS) as pool,
    ):
        masters = list(pool.map(lambda n: team.master(LANGUAGES[n % len(LANGUAGES)], timeout=60_000), range(PRODUCERS)))
        observer = team.master(timeout=60_000)
        options: dict[str, Any] = {"behave": "echo", "max_crashes": 200, "slots": 4}
        alive = deque(team.worker(language, **options) for language in LANGUAGES)
        over = threading.Event()
        watch = Watch(server)

        def produce(master: Driver, producer: int) -> tuple[list[str], int]:
            new, existed = [], 0
            for number, key in zip(itertools.count(), itertools.cycle(KEYS), strict=False):
                if over.is_set():
                    break
                name = f"{key}-{producer}-{number}"
                answer = master.call("add", payload=PAYLOAD, id=name, unique=key, **KEYS[key])
                assert answer["id"].startswith(f"{key}-")
                if answer["existed"] == "true":
                    existed += 1
                else:
                    assert answer["id"] == name
                    new.append(name)
            return new, existed

        def completed() -> int:
            watch.check()
            return int(team.stats(observer)["completed"])

        def wait_for_work(enough: int) -> None:
            wait_until(lambda: completed() >= enough, 30, "work goes on")

        def idle() -> bool:
            watch.check()
            stats = team.stats(observer)
            return all(stats[state] == "0" for state in ("waiting", "active", "delayed", "blocked", "deleting"))

        loops = [pool.submit(produce, master, number) for number, master in enumerate(masters)]
        try:
            for number in range(kills):
                wait_for_work(completed() + 30)
                if number % 3 == 2:
                    server.kill()
                    server.start()
                else:
                    alive[0].kill()
                    alive.append(team.worker(alive.popleft().language, **options))
        finally:
            over.set()
        produced = [loop.result() for loop in loops]
        wait_until(idle, 20, "no job is left")
        wait_until(lambda: server.command("EXISTS", f"{{{CLUSTER}}}:unique") == 0, 5, "no key is left")

        new = [name for names, _ in produced for name in names]
        evidence.measured("jobs", len(new), at_least=kills * 30)
        evidence.measured("adds of keys that another job had", sum(existed for _, existed in produced), at_least=PRODUCERS)
        evidence.measured("moments", watch.moments, at_least=kills)
        evidence.measured("keys that outlived their job", watch.lost.total(), at_most=0, detail=str(watch.lost))
        evidence.measured("more jobs of a key than may be", watch.beyond.total(), at_most=0, detail=str(watch.beyond))
        stats = team.stats(observer)
        assert (stats["added"], stats["failures"], stats["damaged"]) == (str(len(new)), "0", "0")
        team.ledger.add(new, PAYLOAD)
        team.check(observer, evidence)
