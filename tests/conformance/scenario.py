"""Reads the scenario files and plays them.

A step names a handle and a command of the driver protocol: `{ m = "add", payload = "1", expect = { existed = false } }`. Handles
that begin with `m` are played by drivers of the producer's language, those with `w` by the worker's. `redis = "..."` gives a
command to the server instead, with `answer` until it answers so. All other fields are the command's, but for:

  expect   fields that the answer must have; "*" stands for any text that is not empty
  error    the code that the answer must have
  save     variable = field: keeps fields of the answer; a value "$variable", or "{variable}" in one, stands for what was kept
  later    do not wait for the answer; the step `{ m = "answer" }` does
  within   seconds in which the answer must become as expected; the command is repeated
  kind     of `event`: the event to wait for; earlier `ready` events are skipped

Payloads: `payload` is JSON text, `bytes` hexadecimal, `zeros` so many zero bytes. `{port}` is the server's, `{cluster}` the
name of the test's cluster. The command `kill` ends a driver with -9; `exited` waits until it has ended by itself, with the exit
code `code`.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarm_support import Answer, Driver, Language, Redis, wait_until

SCENARIOS = Path(__file__).parent / "scenarios"
_HANDLE = re.compile(r"[mw]\d?")
_META = {"expect", "error", "save", "later", "within", "kind"}
_ADDRESS = {"url", "host", "port", "socket", "sentinels", "nodes"}


@dataclass(frozen=True)
class Scenario:
    """One file."""

    name: str
    tags: list[str]
    """`basic` ones are played over every transport, too."""
    server: dict[str, str]
    """Settings of the redis-server that it needs."""
    options: dict[str, object]
    """Options of every member."""
    exempt: dict[str, str]
    """Languages it does not apply to, with the reason."""
    steps: list[dict[str, Any]]

    @property
    def pairs(self) -> list[tuple[Language, Language]]:
        """The languages of producer and worker it is played in."""
        handles = {handle_of(step)[0] for step in self.steps if "redis" not in step}
        languages = [language for language in Language if language.value not in self.exempt]
        if handles == {"m", "w"}:
            return [(producer, worker) for producer in languages for worker in languages]
        return [(language, language) for language in languages]


def load() -> list[Scenario]:
    """All scenarios, in the order of their names."""
    return [_read(path) for path in sorted(SCENARIOS.glob("*.toml"))]


def _read(path: Path) -> Scenario:
    data = tomllib.loads(path.read_text())
    unknown = set(data) - {"summary", "tags", "server", "options", "exempt", "steps"}
    assert not unknown, f"{path.name}: unknown fields {unknown}"
    assert data["summary"], f"{path.name} has an empty summary"
    empty: dict[str, Any] = {}
    return Scenario(
        path.stem,
        data.get("tags", []),
        data.get("server", empty),
        data.get("options", empty),
        data.get("exempt", empty),
        data["steps"],
    )


def handle_of(step: dict[str, Any]) -> str:
    """The handle that a step is for."""
    (handle,) = (name for name in step if _HANDLE.fullmatch(name))
    return handle


class Drivers:
    """Driver processes that are used again by the next scenario."""

    def __init__(self) -> None:
        self._idle: dict[Language, list[Driver]] = {language: [] for language in Language}

    def take(self, language: Language) -> Driver:
        """An idle driver or a new one."""
        idle = self._idle[language]
        return idle.pop() if idle else Driver(language)

    def give_back(self, driver: Driver) -> None:
        """Ends the driver's member and keeps the process."""
        driver.call("reset")
        self._idle[driver.language].append(driver)

    def close(self) -> None:
        """Ends all idle processes in good order and checks that they do end."""
        for drivers in self._idle.values():
            while drivers:
                assert drivers.pop().quit() == 0


class Player:
    """Plays one scenario in one pair of languages."""

    def __init__(
        self,
        scenario: Scenario,
        drivers: Drivers,
        server: Redis,
        cluster: str,
        languages: tuple[Language, Language],
        address: dict[str, str],
    ) -> None:
        self._scenario = scenario
        self._drivers = drivers
        self._server = server
        self._cluster = cluster
        self._languages = languages
        self._address = address
        self._used: dict[str, Driver] = {}
        self._kept: dict[str, str] = {}

    def play(self) -> None:
        """Plays all steps; raises `AssertionError` naming the first that went otherwise than expected."""
        try:
            for number, step in enumerate(self._scenario.steps, 1):
                try:
                    self._step(step)
                except (AssertionError, TimeoutError) as error:
                    raise AssertionError(f"step {number}, {json.dumps(step)}: {error}") from error
        except BaseException:
            for driver in self._used.values():
                driver.close()
            raise
        for driver in self._used.values():
            self._drivers.give_back(driver)

    def _step(self, step: dict[str, Any]) -> None:
        if "redis" in step:
            words = self._value(step["redis"]).split()
            if "answer" in step:
                wait_until(lambda: self._server.command(*words) == step["answer"], 5, f"Redis answers {step['answer']}")
            else:
                self._server.command(*words)
            return
        handle = handle_of(step)
        command = step[handle]
        if command == "kill":
            self._used.pop(handle).kill()
            return
        if command == "exited":
            code = self._used.pop(handle).exited()
            assert code == step["code"], f"the exit code is {code}"
            return
        if handle not in self._used:
            self._used[handle] = self._drivers.take(self._languages[handle[0] == "w"])
        driver = self._used[handle]
        fields = self._fields(step, command)
        if step.get("later"):
            driver.send(command, **fields)
            return

        def ask() -> Answer:
            if command == "answer":
                return driver.answer()
            if command == "event":
                return _event(driver, fields, step.get("kind"))
            return driver.ask(command, **fields)

        answer = ask()
        if "within" in step:
            last = answer
            try:
                wait_until(lambda: not self._wrong(step, last := ask()), step["within"], "the answer is as expected")
            except TimeoutError:
                raise AssertionError(f"not within {step['within']} s; {self._wrong(step, last)}") from None
        else:
            wrong = self._wrong(step, answer)
            assert not wrong, wrong
        for variable, field in step.get("save", {}).items():
            self._kept[variable] = answer[field]

    def _fields(self, step: dict[str, Any], command: str) -> dict[str, object]:
        fields: dict[str, object] = {}
        for name, value in step.items():
            match name:
                case "payload":
                    fields["payload"] = value.encode()
                case "bytes":
                    fields |= {"payload": bytes.fromhex(value), "type": "bytes"}
                case "zeros":
                    fields |= {"payload": bytes(value), "type": "bytes"}
                case "payloads":
                    fields["payloads"] = [text.encode() for text in value]
                case _ if name not in _META and not _HANDLE.fullmatch(name):
                    fields[name] = self._value(value)
        if command in ("master", "worker"):
            address = {} if _ADDRESS & set(fields) else self._address
            fields = {"cluster": self._cluster, "lease": 5000, **address, **self._scenario.options, **fields}
        elif command in ("event", "result", "run", "run_many", "drained"):
            fields = {"timeout": 5000, **fields}
        elif command == "terminate":
            fields = {"grace": 1000, **fields}
        return fields

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if not isinstance(value, str):
            return value
        if value.startswith("$"):
            return self._kept[value[1:]]
        for name, kept in {"port": str(self._server.port), "cluster": self._cluster, **self._kept}.items():
            value = value.replace(f"{{{name}}}", kept)
        return value

    def _wrong(self, step: dict[str, Any], answer: Answer) -> str:
        """What in the answer is not as expected, or an empty text."""
        if answer.code != step.get("error", ""):
            return f"expected {step.get('error', 'no error')}, got {answer.code or 'no error'}: {answer.fields}"
        for name, value in step.get("expect", {}).items():
            if not self._matches(name, value, answer):
                return f"expected {name} to be {value!r}, the answer is {answer.fields}"
        return ""

    def _matches(self, name: str, expected: Any, answer: Answer) -> bool:
        match name:
            case "payload":
                return answer["type"] == "json" and json.loads(bytes.fromhex(answer["payload"])) == json.loads(expected)
            case "bytes":
                return answer["type"] == "bytes" and answer["payload"] == expected
            case "zeros":
                return answer["type"] == "bytes" and answer["payload"] == "00" * expected
        if isinstance(expected, list):
            return answer.list(name) == [_text(self._value(item)) for item in expected]
        if expected == "*":
            return bool(answer[name])
        return answer.get(name) == _text(self._value(expected))


def _event(driver: Driver, fields: dict[str, object], kind: str | None) -> Answer:
    while True:
        answer = driver.ask("event", **fields)
        if answer.get("event") != "ready" or kind == "ready":
            return answer


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
