"""The guides to moving from another queue: the old program, with the real old library, and the new one print the same.

The program starts before its worker, so that its jobs are seen with the commands by which the guide shows what is left.
"""

from pathlib import Path

import pytest
from pages import parsed
from running import ROOT, Running, copied
from swarm_support import Redis, wait_until

#: How the workers of the old and of the new program are started.
WORKERS = {
    "celery": ("celery --app tasks worker --loglevel INFO --concurrency 2", "python tasks.py"),
    "rq": ("rq worker --with-scheduler --url {url}", "python jobs.py"),
    "bullmq": ("node worker.js", "node worker.js"),
    "bee-queue": ("node worker.js", "node worker.js"),
}


def left(queue: str, server: Redis) -> int:
    """The jobs that the old queue still has, by the commands of the guide."""
    page = parsed(ROOT / "docs" / "guides" / f"from-{queue}.md")
    lines = next(block.code for block in page.blocks if block.code.startswith("redis-cli")).splitlines()
    return sum(int(server.command(*line.partition("#")[0].split()[1:])) for line in lines)


def run(program: Path, worker: str, server: Redis, queue: str = "") -> str:
    """What the program prints while its worker runs, which a SIGTERM then ends cleanly."""
    main = ["node", "main.js"] if (program / "main.js").exists() else ["python", "main.py"]
    with Running(main, program, REDIS_URL=server.url) as adding:
        if queue:
            wait_until(lambda: left(queue, server), 30, f"a job waits; the output:\n{adding.output}")
        with Running(worker.format(url=server.url).split(), program, REDIS_URL=server.url) as working:
            assert adding.ended() == 0, adding.output + working.output
            assert working.end() == 0, working.output
        return adding.output


@pytest.mark.parametrize("queue", WORKERS)
def test_the_old_and_the_new_program_print_the_same(queue: str, server: Redis) -> None:
    old_worker, new_worker = WORKERS[queue]
    with copied(f"{queue}/before") as before, copied(f"{queue}/after") as after:
        old = run(before, old_worker, server, queue)
        assert left(queue, server) == 0
        new = run(after, new_worker, server)
    assert "a.jpg, 50 wide" in old
    assert new == old
