"""Driver processes: a member of a cluster in each language, which obeys commands line by line (tests/conformance/README.md)."""

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

from .wall_clock import WallClock

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / "target" / "conformance"

# A command that takes longer than this has hung; every command has a shorter limit of its own.
_ANSWER_S = 40.0


class Language(StrEnum):
    """The languages with a driver."""

    RUST = "rust"
    C = "c"
    PYTHON = "python"
    NODE = "node"

    @property
    def command(self) -> list[str]:
        """How to start the driver. `make build-drivers` makes what has to be built."""
        sources = ROOT / "tests" / "conformance"
        match self:
            case Language.RUST:
                return [str(BUILT / "driver-rust")]
            case Language.C:
                return [str(BUILT / "driver-c")]
            case Language.PYTHON:
                return [str(ROOT / ".venv" / "bin" / "python"), str(sources / "driver-python" / "driver.py")]
            case Language.NODE:
                return ["node", str(sources / "driver-node" / "driver.mjs")]


class DriverFailure(AssertionError):
    """A driver crashed, hung or answered with something else than a line of the protocol."""


@dataclass(frozen=True)
class Answer:
    """One answer line: `ok name=value ...` or `error code=NAME message=...`."""

    ok: bool
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The kind of the error, such as `TIMEOUT`; empty if the answer is ok."""
        return "" if self.ok else self.fields["code"]

    def __getitem__(self, name: str) -> str:
        return self.fields[name]

    def get(self, name: str) -> str | None:
        """The value of a field that need not be there."""
        return self.fields.get(name)

    def list(self, name: str) -> list[str]:
        """The items of a field that is a list."""
        return [unquote(item) for item in self.fields[name].split(",")] if self.fields[name] else []

    @classmethod
    def parse(cls, line: str) -> "Answer":
        """Reads a line. Lists keep the encoding of their items, which `list` removes."""
        verdict, *words = line.split()
        if verdict not in ("ok", "error"):
            raise DriverFailure(f"the driver answered `{line[:500]}`")
        pairs = (word.split("=", 1) for word in words)
        return cls(verdict == "ok", {name: value if name in _LISTS else unquote(value) for name, value in pairs})


_LISTS = {"ids", "existed_each", "events", "outcomes", "queues", "paused", "members", "headers"}


class Driver:
    """One driver process. It plays one member at a time: a master or a worker. `clock` is the wall clock that it sees, if not the
    machine's."""

    def __init__(self, language: Language, clock: WallClock | None = None) -> None:
        self.language = language
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the driver)
        self._process = subprocess.Popen(
            language.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "RUST_BACKTRACE": "1", **(clock.environment if clock else {})},
        )
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._last = ""
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, command: str, **fields: object) -> None:
        """Sends a command without waiting for its answer."""
        self._last = command
        line = " ".join([command, *(f"{name}={_encoded(value)}" for name, value in fields.items() if value is not None)])
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise DriverFailure(self._report(f"is gone ({error})")) from error

    def answer(self, within: float = _ANSWER_S) -> Answer:
        """The answer to the oldest command without one."""
        try:
            line = self._answers.get(timeout=within)
        except queue.Empty:
            raise DriverFailure(self._report(f"did not answer within {within:g} s")) from None
        if line is None:
            raise DriverFailure(self._report("ended"))
        return Answer.parse(line)

    def ask(self, command: str, **fields: object) -> Answer:
        """Sends a command and waits for its answer, whatever it is."""
        self.send(command, **fields)
        return self.answer()

    def call(self, command: str, **fields: object) -> Answer:
        """Sends a command whose answer must be ok."""
        answer = self.ask(command, **fields)
        if not answer.ok:
            raise AssertionError(f"{self.language} answered `{command}` with {answer.fields}")
        return answer

    def event(self, within: float = 5.0) -> Answer | None:
        """The member's next event, or None if none came in time."""
        answer = self.call("event", timeout=int(within * 1000))
        return None if answer["event"] == "none" else answer

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def quit(self, within: float = 10.0) -> int:
        """Closes the driver's input, upon which it must end by itself; answers its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise DriverFailure(self._report(f"did not exit within {within:g} s of its input's end")) from None
        finally:
            self.close()

    def exited(self, within: float = 10.0) -> int:
        """Waits for the end of the process; answers its exit status."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise DriverFailure(self._report(f"did not exit within {within:g} s")) from None
        finally:
            self.close()

    def close(self) -> None:
        """Kills the process, whatever it is doing."""
        if self._process.poll() is None:
            self.kill()
        self._errors.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._answers.put(line.decode())
        self._answers.put(None)

    def _report(self, what: str) -> str:
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace")[-3000:]
        return f"the {self.language} driver {what}, after `{self._last}`, exit status {self._process.poll()}; its stderr:\n{text}"


def _encoded(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.hex()
        case list():
            return ",".join(_encoded(item) for item in value)
        case _:
            return quote(str(value), safe="")


def json_bytes(value: object) -> bytes:
    """`value` as compact JSON, as the drivers write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
