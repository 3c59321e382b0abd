"""A private PostgreSQL: on a Unix socket in a temporary folder, run by a user that is not root."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from swarm_support import wait_until

_START_S = 30.0


def _binary(name: str) -> str:
    # Debian keeps them out of PATH.
    found = [shutil.which(name), *map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    try:
        return next(path for path in found if path)
    except StopIteration:
        raise RuntimeError(f"no {name} found; run `scripts/setup.sh --guides`") from None


class Postgres:
    """As a context manager it is stopped at the end, and its folder is removed."""

    def __init__(self) -> None:
        # The path of a Unix socket has at most 107 bytes.
        self._dir = Path(tempfile.mkdtemp(prefix="swarm-pg-", dir="/tmp"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # which PostgreSQL refuses
            user = pwd.getpwnam("postgres" if any(each.pw_name == "postgres" for each in pwd.getpwall()) else "nobody")
            os.chown(self._dir, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data = self._dir / "data"
        initdb = [
            _binary("initdb"),
            "--username",
            "shop",
            "--auth",
            "trust",
            "--no-sync",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "-D",
        ]
        done = subprocess.run([*initdb, str(data)], cwd=self._dir, capture_output=True, text=True, **self._as)
        assert done.returncode == 0, done.stdout + done.stderr
        settings = {"listen_addresses": "", "unix_socket_directories": str(self._dir), "fsync": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._dir / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [_binary("postgres"), "-D", str(data), *options], cwd=self._dir, stdout=log, stderr=log, **self._as
            )

    @property
    def url(self) -> str:
        return f"postgresql:///postgres?host={self._dir}&user=shop"

    def run(self, sql: str) -> list[str]:
        """The rows of the last statement, as psql prints them."""
        command = ["psql", self.url, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", "-c", sql]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.split("\n")[:-1]

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._dir / "log").read_text("utf-8")
        try:
            return self.run("select 1") == ["1"]
        except RuntimeError:
            return False

    def __enter__(self) -> Self:
        wait_until(self._answers, _START_S, "PostgreSQL answers")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)  # ends its connections
        self._process.wait(_START_S)
        shutil.rmtree(self._dir)
