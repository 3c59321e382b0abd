"""The examples of the package run and print what they should."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from conftest import SOON
from libswarm import Master

EXAMPLES = Path(__file__).parents[3] / "examples" / "python"


def start(name: str, url: str) -> subprocess.Popen[str]:
    """A running example."""
    return subprocess.Popen([sys.executable, EXAMPLES / name, url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def output_of(process: subprocess.Popen[str]) -> str:
    """The rest of the output of an example that exits with 0."""
    output, _ = process.communicate(timeout=3 * SOON)
    assert process.returncode == 0, output
    return output


def test_master_and_worker(url: str) -> None:
    worker = start("worker.py", url)
    output = output_of(start("master.py", url))
    assert "added 100 jobs" in output
    assert "2 * 21 = 42" in output
    worker.send_signal(signal.SIGTERM)
    assert "ended in good order" in output_of(worker)


def test_active(url: str) -> None:
    worker = start("long_lived.py", url)
    assert worker.stdout is not None
    with Master("example-long-lived", url=url) as master:
        master.add_job("camera 1", id="camera-1")
        assert worker.stdout.readline().startswith("start camera 1 (fence ")
        master.delete_job("camera-1")
        assert worker.stdout.readline() == "stop camera 1: deleted\n"
    worker.send_signal(signal.SIGINT)
    output_of(worker)


def test_asyncio(url: str) -> None:
    output = output_of(start("asyncio_both.py", url))
    assert output == "the sum of 1,000 squares is 332833500\n1000 jobs completed\n"
