"""A Redis to test with, and clusters of one test each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from swarm_support import Redis

from libswarm import Master

#: Seconds within which anything that works happens, on a slow machine.
SOON = 10.0


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The server of `with_redis`, or one of this run's own."""
    url = os.environ.get("SWARM_REDIS_URL")
    if url:
        yield url
    else:
        with Redis() as server:
            yield server.url


@pytest.fixture
def cluster() -> str:
    """A cluster that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def master(cluster: str, url: str) -> Iterator[Master]:
    """A master of the test's cluster."""
    with Master(cluster, url=url) as master:
        yield master


# Started in the background of a shell, this process ignores Ctrl-C, and so would the programs that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def script(cluster: str, url: str) -> Script:
    """Runs a Python program to its end, with `cluster` and `url` defined."""

    def run(program: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", prelude(cluster, url) + textwrap.dedent(program)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def background(cluster: str, url: str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a Python program whose output is read by lines; killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", prelude(cluster, url) + textwrap.dedent(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    """The next line of its output; empty if it ended, or printed nothing in time and was killed."""
    assert process.stdout is not None
    late = threading.Timer(SOON, process.kill)
    late.start()
    try:
        return process.stdout.readline().strip()
    finally:
        late.cancel()


def prelude(cluster: str, url: str) -> str:
    """The first lines of a test's program."""
    return f"cluster, url = {cluster!r}, {url!r}\n"
