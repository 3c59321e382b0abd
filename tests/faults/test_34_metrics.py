"""Fault 34: workers in every language and Redis with `appendfsync always` are killed with -9 under load. Metrics count each
completed and each failed job once: as many as the outcomes that the producer noted."""

from collections import Counter, deque
from functools import partial
from pathlib import Path

from evidence import Evidence
from swarm_support import Driver, Language, Redis, wait_until
from team import Team

LANGUAGES = list(Language)
PAGE = 200
KILLS = 9


def counted(member: Driver, task: str) -> dict[str, int]:
    """What the history has of a task, by hours."""
    answer = member.call("metrics_history", resolution="hour", task=task)
    return {name: int(answer[name]) for name in ("completed", "failed", "deleted", "waits", "runs")}


def completions(team: Team, workers: list[Driver]) -> int:
    """How many completions the workers noted."""
    return sum(len(team.notes(worker, "completed")) for worker in workers)


def progressed(team: Team, workers: list[Driver], before: int) -> bool:
    """Whether the workers have noted more completions."""
    return completions(team, workers) > before


def test_sums_equal_the_outcomes(tmp_path: Path, evidence: Evidence) -> None:
    with (
        Redis({"appendonly": "yes", "appendfsync": "always"}) as server,
        Team(server, tmp_path, lease=2.0) as team,
    ):
        master = team.master(timeout=60_000)
        workers = [team.worker(language, behave="echo", tasks=["good"], slots=20) for language in LANGUAGES]
        alive = deque(workers)
        log: Counter[str] = Counter()
        expected = 0
        for number in range(KILLS):
            before = completions(team, workers)
            ids = team.add(master, PAGE, task="good", result=True)
            doomed = team.add(master, 10, task="doomed", total_timeout=1)
            expected += len(ids) + len(doomed)
            wait_until(partial(progressed, team, workers, before), 20, "jobs are being completed")
            if number % 3 == 2:
                server.kill()
                server.start()
            else:
                alive[0].kill()
                workers.append(team.worker(alive.popleft().language, behave="echo", tasks=["good"], slots=20))
                alive.append(workers[-1])
            log.update(master.ask("result", id=id, timeout=30_000).code or "completed" for id in ids)
            log.update(master.ask("result", id=id, timeout=30_000).code or "completed" for id in doomed)
        wait_until(lambda: all(team.stats(master)[state] == "0" for state in ("waiting", "active")), 20, "no job is left")
        good, bad, stats = counted(master, "good"), counted(master, "doomed"), team.stats(master)
        text = int(master.call("metric", name='swarm_jobs_total{task="good",outcome="completed"}')["value"])
        evidence.measured("outcomes", log.total(), at_least=expected)
        evidence.measured("completed jobs counted wrongly", abs(good["completed"] - log["completed"]), at_most=0, detail=log)
        evidence.measured(
            "failed jobs counted wrongly", abs(bad["failed"] + good["failed"] - log.total() + log["completed"]), at_most=0
        )
        evidence.measured("completions that the text counts wrongly", abs(text - int(stats["completed"])), at_most=0)
        assert good["runs"] == good["waits"] == good["completed"], good
        assert bad["runs"] == bad["waits"] == bad["completed"] == 0, bad
        team.check(master, evidence)
