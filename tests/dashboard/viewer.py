"""The program `swarm`, a dashboard that it serves, and a page of it in a browser."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from swarm_support import Redis, wait_until

ROOT = Path(__file__).parents[2]
SWARM = ROOT / "target" / "release" / "swarm"
CLUSTER = "mail"


class Swarm:
    """The program `swarm` at one server."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.environment = {**os.environ, "SWARM_REDIS_URL": redis.url, "SWARM_CLUSTER": CLUSTER}
        self._running: list[subprocess.Popen[str]] = []

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run([SWARM, *arguments], env=self.environment, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A program that runs until the end of the test."""
        process = subprocess.Popen(
            [SWARM, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        return process

    def stats(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self("--json", "status"))["stats"]
        return counts

    def close(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.communicate(timeout=20)


class Dashboard:
    """A dashboard and its address."""

    def __init__(self, swarm: Swarm, *arguments: str) -> None:
        self.process = swarm.start("--json", "dashboard", "--listen", "127.0.0.1:0", *arguments)
        assert self.process.stdout
        self.url: str = json.loads(self.process.stdout.readline())["url"]

    def request(self, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON document of an answer."""
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=data, headers=named)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def get(self, path: str) -> Any:
        status, document = self.request(path)
        assert status == 200, document
        return document


class Page:
    """A page in a browser."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver, self.url = driver, url

    def open(self, path: str) -> None:
        self.driver.get(f"{self.url}#/{path}")

    def text(self) -> str:
        return str(self.driver.execute_script("return document.body.innerText"))

    def shows(self, *parts: str, within: float = 15) -> None:
        """Waits until the page has all these texts."""
        wait_until(lambda: all(part in self.text() for part in parts), within, f"{parts} on the page, which has:\n{self.text()}")

    def click(self, name: str, within: float = 10) -> None:
        """Clicks the button or link with this text; in a question, if one is open."""
        root = "(document.querySelector('dialog[open]') ?? document)"
        # In one call: the page may be drawn anew between two.
        click = f"""
            const found = [...{root}.querySelectorAll('button, a')].find((one) => one.innerText === arguments[0]);
            found?.click();
            return Boolean(found);
        """
        wait_until(lambda: bool(self.driver.execute_script(click, name)), within, f"`{name}` to click")

    def press(self, keys: Iterable[str]) -> None:
        for key in keys:
            script = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))"
            self.driver.execute_script(script, key)

    def problems(self) -> list[str]:
        """What the browser complained of: violated policies, errors in scripts."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
