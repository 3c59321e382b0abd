"""The programs of the guides, run as a user runs them: copied to a folder of their own, with real servers and signals."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from libswarm import Master
from swarm_support import Redis, wait_until
from swarm_support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "guides"
#: What `scripts/setup.sh --guides` installs.
INSTALLED = ROOT / "target" / "guides"
PYTHON = INSTALLED / "venv" / "bin" / "python"

# A server that is not up, or a program that has not ended by then, hangs.
_START_S = 30.0
_END_S = 30.0


@contextmanager
def copied(name: str) -> Iterator[Path]:
    """A copy of the folder `name` of the examples, below the packages that were installed."""
    with tempfile.TemporaryDirectory(prefix=f"{name.replace('/', '-')}-", dir=INSTALLED) as folder:
        copy = Path(folder) / "program"
        shutil.copytree(EXAMPLES / name, copy, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        yield copy


class Running:
    """One process of a program. Its output goes to a file, which `output` reads."""

    def __init__(self, command: Sequence[str | Path], folder: Path, **environment: str) -> None:
        self._log = Path(tempfile.mkstemp(dir=folder, prefix="output-")[1])
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **environment}
        # As in an activated venv.
        env["PATH"] = f"{PYTHON.parent}:{env['PATH']}"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        # With what it has started, if anything is left.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def output(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def printed(self, text: str) -> None:
        """Waits until the program has printed this."""

        def found() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            return text in self.output

        self._wait(found, f"{text!r} is printed")

    def serves(self, url: str) -> None:
        """Waits until a server answers with 200."""

        def up() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output}"
            try:
                return request(url)[0] == 200
            except OSError:
                return False

        self._wait(up, f"{url} answers")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        try:
            wait_until(condition, _START_S, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}; the output:\n{self.output}") from error

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Signals the process and answers its exit status."""
        self.process.send_signal(by)
        return self.ended()

    def ended(self) -> int:
        """Waits for its end; answers the exit status."""
        try:
            return self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end:\n{self.output}") from None


def output_of(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """What a program prints that runs to its end."""
    with Running(command, folder, **environment) as program:
        assert program.ended() == 0, program.output
        return program.output


def address() -> tuple[int, str]:
    """A free port, and the address of a server there."""
    port = free_port()
    return port, f"http://127.0.0.1:{port}"


def request(url: str, body: object = None, **headers: str) -> tuple[int, Any]:
    """The status and the JSON of an answer; posts `body` if there is one."""
    call = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    if body is not None:
        call.data = json.dumps(body).encode()
        call.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(call, timeout=_END_S) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        try:
            return error.code, json.loads(text or "null")
        except ValueError:
            return error.code, text


def an_active_job(server: Redis, completed: int = 0) -> None:
    """Waits until a worker of the cluster `shop` runs a job, and so many have been completed before."""
    with Master("shop", url=server.url) as master:

        def active() -> bool:
            stats = master.stats()
            return (stats.active, stats.completed) == (1, completed)

        wait_until(active, _START_S, "a job is active")
