"""Credentials that change while members run."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from swarm_support import Redis

from conftest import SOON
from libswarm import Master, SwarmAuthFailed, SwarmInvalidArgument, Worker, aio
from libswarm._options import ConnectionOptions


@pytest.fixture
def server() -> Iterator[Redis]:
    """A server of its own, whose users change."""
    with Redis() as server:
        for user, password in (("old", "p1"), ("new", "p2")):
            server.command("ACL", "SETUSER", user, "on", f">{password}", "~*", "+@all")
        yield server


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def users(server: Redis) -> list[str]:
    """The users of the members' connections."""
    lines = str(server.command("CLIENT", "LIST")).splitlines()
    found = [part.removeprefix("user=") for line in lines for part in line.split() if part.startswith("user=")]
    return sorted(user for user in found if user != "default")


def test_a_function_rotates_the_user_without_a_lost_job(server: Redis, cluster: str) -> None:
    current = {"username": "old", "password": "p1"}
    options: ConnectionOptions = {
        "url": server.url,
        "credentials": lambda: dict(current),
        "credentials_interval": 0.1,
        "lease": 3.0,
    }
    worker = Worker(cluster, **options)
    worker.process(lambda job: job.payload)
    with Master(cluster, **options) as master, worker:
        assert master.run(1, timeout=SOON) == 1
        current.update(username="new", password="p2")
        until(lambda: set(users(server)) == {"new"}, "all connections have the new user")
        server.command("ACL", "DELUSER", "old")
        server.command("CLIENT", "KILL", "USER", "new")
        assert master.run_many(list(range(100)), timeout=SOON) == list(range(100))
        assert worker.health().registrations == 1


def test_a_file_and_its_problems(server: Redis, cluster: str, tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"username": "old", "password": "p1"}))
    errors: list[BaseException] = []
    with Master(cluster, url=server.url, credentials_file=file, credentials_interval=0.1) as master:
        master.on_error(errors.append)
        master.ready()
        file.write_text("p2")
        until(lambda: any(isinstance(error, SwarmAuthFailed) for error in errors), "the problem is an error event")
        assert master.health().error == "AUTH_FAILED"
        assert "credentials.json" in str(errors[-1])
        master.add_job(1)
        file.write_text(json.dumps({"username": "new", "password": "p2"}))
        until(lambda: "new" in users(server), "the file is read again")
        until(lambda: not master.health().error, "the problem has gone")


def test_a_function_that_raises(server: Redis, cluster: str) -> None:
    def credentials() -> dict[str, str]:
        raise RuntimeError("the vault is sealed")

    with (
        Master(cluster, url=server.url, credentials=credentials) as master,
        pytest.raises(SwarmAuthFailed, match="the vault is sealed"),
    ):
        master.ready()
    with (
        Master(cluster, url=server.url, credentials=lambda: {"user": "x"}) as master,
        pytest.raises(SwarmAuthFailed, match="no dict"),
    ):
        master.ready()


def test_asyncio_has_the_same(server: Redis, cluster: str) -> None:
    async def run() -> None:
        current = {"username": "old", "password": "p1"}

        async def echo(job: object) -> int:
            return 7

        options: ConnectionOptions = {"url": server.url, "credentials": lambda: dict(current), "credentials_interval": 0.1}
        worker = aio.Worker(cluster, **options)
        worker.process(echo)
        async with aio.Master(cluster, **options) as master, worker:
            assert await master.run(1, timeout=SOON) == 7

    asyncio.run(run())


def test_invalid_credentials_options_are_refused(cluster: str, url: str, tmp_path: Path) -> None:
    async def coroutine() -> dict[str, str]:
        return {}

    for wrong in (
        {"credentials": "old:p1"},
        {"credentials": coroutine},
        {"credentials": dict, "password": "p"},
        {"credentials": dict, "credentials_file": tmp_path / "c.json"},
        {"credentials_file": tmp_path / "c.json", "username": "old"},
        {"credentials_file": tmp_path / "c.json", "credentials_interval": 0.01},
    ):
        with pytest.raises(SwarmInvalidArgument, match="credentials"):
            Master(cluster, url=url, **wrong)
