"""The guide to Docker and systemd: the units are valid, and what the units and the Dockerfile start runs and ends cleanly.

No image is built, as that needs an engine: the instructions are read, and the commands run here.
"""

import configparser
import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from running import EXAMPLES, PYTHON, Running, address, copied
from swarm_support import Redis

FILES = EXAMPLES / "deployment"
UNITS = ["shop-web.service", "shop-worker@.service"]
INSTRUCTIONS = {"FROM", "WORKDIR", "ENV", "COPY", "RUN", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage of the Dockerfile."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in (FILES / "Dockerfile").read_text("utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, name = rest.split(" AS ")
            found[name] = list(found.get(base, []))
        elif word and not word.startswith("#"):
            assert word in INSTRUCTIONS, line
            found[name].append((word, rest))
    return found


def command(stage: str, instruction: str) -> list[str]:
    """The words of its CMD or HEALTHCHECK, which are in brackets."""
    text = dict(stages()[stage])[instruction]
    words: list[str] = json.loads(text[text.index("[") :])
    return words


def unit(name: str) -> configparser.SectionProxy:
    """The section [Service]; systemd's keys have upper case letters."""
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(FILES / name, "utf-8")
    assert parser.sections() == ["Unit", "Service", "Install"]
    return parser["Service"]


def ends_cleanly(worker: list[str], web: list[str], url: str, folder: Path, server: Redis) -> int:
    """Answers the exit status of the web service."""
    with Running(worker, folder, REDIS_URL=server.url) as working, Running(web, folder, REDIS_URL=server.url) as serving:
        serving.serves(f"{url}/health")
        assert working.end() == 0, working.output
        return serving.end()


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    text = (FILES / name).read_text("utf-8").replace("/srv/shop/venv/bin", str(PYTHON.parent)).replace("/srv/shop", str(tmp_path))
    (tmp_path / name).write_text(text, "utf-8")
    service = unit(name)
    assert set(service) <= {
        "WorkingDirectory",
        "Environment",
        "ExecStart",
        "Restart",
        "RestartSec",
        "TimeoutStopSec",
        "KillMode",
        "DynamicUser",
    }
    if shutil.which("systemd-analyze"):
        instance = name.replace("@", "@1")
        (tmp_path / instance).write_text(text, "utf-8")
        done = subprocess.run(["systemd-analyze", "verify", tmp_path / instance], capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_the_units_start_runs_and_ends_cleanly(server: Redis) -> None:
    port, url = address()
    web, worker = (unit(name)["ExecStart"].replace("/srv/shop/venv/bin/", "").split() for name in UNITS)
    with copied("fastapi") as folder:
        assert ends_cleanly(worker, [str(port) if word == "8000" else word for word in web], url, folder, server) == 0


def test_what_the_dockerfile_starts_runs_and_ends_cleanly(server: Redis) -> None:
    port, url = address()
    with copied("fastapi") as folder:
        for files in [rest for word, rest in stages()["web"] if word == "COPY"]:
            *sources, target = files.split()
            assert target == "./"
            assert all((folder / source).is_file() for source in sources)
        web = [str(port) if word == "8000" else word for word in command("web", "CMD")]
        check = [word.replace("8000", str(port)) for word in command("web", "HEALTHCHECK")]
        assert ends_cleanly(command("worker", "CMD"), web, url, folder, server) == -signal.SIGTERM
        with Running(web, folder, REDIS_URL=server.url) as serving:
            with Running(check, folder) as early:
                assert early.ended() in (0, 1)
            serving.serves(f"{url}/health")
            with Running(check, folder) as healthy:
                assert healthy.ended() == 0, healthy.output
        with Running(check, folder) as late:
            assert late.ended() == 1
