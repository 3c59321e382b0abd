"""A private redis-server that a test may configure, pause, kill and start again."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from .ports import free_port
from .tls import Certificates
from .waiting import wait_until
from .wall_clock import WallClock

_START_S = 10.0


def server_binary() -> str:
    """The server under test: `REDIS_SERVER`, else redis-server or valkey-server from the path. Its absence is a failure."""
    found = os.environ.get("REDIS_SERVER") or shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        raise RuntimeError("no redis-server found; run `make setup`, or name one in REDIS_SERVER")
    return found


class Redis:
    """One server on a free port of 127.0.0.1 and on a Unix socket, with its files in a folder of its own.

    `config` has settings as in redis.conf. Nothing is persisted unless `config` enables it. With `certificates` the port speaks
    only TLS and asks for a client certificate. `clock` is the wall clock that it sees, if not the machine's. As a context manager
    it is stopped at the end.
    """

    def __init__(
        self,
        config: dict[str, str] | None = None,
        *,
        certificates: Certificates | None = None,
        sentinel: bool = False,
        clock: WallClock | None = None,
    ) -> None:
        self.config = {"save": "", "appendonly": "no", **(config or {})}
        self.certificates = certificates
        self._sentinel = sentinel
        self._environment = {**os.environ, **(clock.environment if clock else {})}
        self.dir = Path(tempfile.mkdtemp(prefix="swarm-redis-"))
        self.socket = self.dir / "redis.sock"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: redis.Redis | None = None
        self.start()

    @property
    def url(self) -> str:
        """The address over TCP; `rediss://` with certificates."""
        return f"{'rediss' if self.certificates else 'redis'}://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """The address over the Unix socket."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server was started and not stopped since."""
        return self._process is not None

    @property
    def admin(self) -> redis.Redis:
        """A client of the test's own, over the Unix socket, for reading keys and sending server commands."""
        if self._admin is None:
            self._admin = redis.Redis(unix_socket_path=str(self.socket), password=self.config.get("requirepass"))
        return self._admin

    def command(self, *words: str | bytes | int) -> Any:
        """The reply to one command."""
        return self.admin.execute_command(*words)  # type: ignore[no-untyped-call]

    def start(self) -> None:
        """Starts the server and waits until it answers; on the same port and files as before, if it ran before."""
        assert self._process is None, "the server is running already"
        log = (self.dir / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [server_binary(), str(self._write_config()), *(["--sentinel"] if self._sentinel else [])],
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        try:
            wait_until(self._answers, _START_S, "redis-server answers PING")
        except TimeoutError as error:
            raise RuntimeError(f"redis-server did not start:\n{(self.dir / 'log').read_text()[-2000:]}") from error

    def stop(self) -> None:
        """Stops the server in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kills the server with -9."""
        self._end(signal.SIGKILL)

    def restart_empty(self) -> None:
        """Kills the server and starts it on the same port without any data."""
        self.kill()
        shutil.rmtree(self.dir / "appendonlydir", ignore_errors=True)
        for name in ("dump.rdb", "appendonly.aof"):
            (self.dir / name).unlink(missing_ok=True)
        self.start()

    def copy_of_disk(self) -> Path:
        """The content of its append-only file now, for `lose_power`."""
        copy = self.dir / f"disk-{time.monotonic_ns()}"
        shutil.copytree(self.dir / "appendonlydir", copy)
        return copy

    def lose_power(self, disk: Path) -> None:
        """Kills the server and puts an older state of its disk in place; `start` goes on from there."""
        self.kill()
        shutil.rmtree(self.dir / "appendonlydir")
        disk.rename(self.dir / "appendonlydir")

    def pause(self) -> None:
        """Stops the process where it is; its connections stay open and silent."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stops the server, if it runs, and removes its files."""
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _write_config(self) -> Path:
        path = self.dir / "redis.conf"
        # A Sentinel writes its own state into this file, which must survive its restart.
        if self._sentinel and path.exists():
            return path
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "unixsocket": str(self.socket),
            "dir": str(self.dir),
            **self.config,
        }
        if self._sentinel:
            del settings["save"], settings["appendonly"]
        if self.certificates:
            own = self.certificates
            settings |= {"port": "0", "tls-port": str(self.port), "tls-cert-file": str(own.server_cert)}
            settings |= {"tls-key-file": str(own.server_key), "tls-ca-cert-file": str(own.ca), "tls-auth-clients": "yes"}
        path.write_text("".join(f"{name} {_quoted(name, value)}\n" for name, value in settings.items()))
        return path

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise TimeoutError("redis-server ended")
        try:
            return bool(self.admin.ping())
        except redis.RedisError:
            return False

    def _end(self, how: signal.Signals) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
                # A paused process acts on a signal only once it goes on.
                self._process.send_signal(signal.SIGCONT)
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)


def _quoted(name: str, value: str) -> str:
    # Settings of several words, such as `sentinel monitor`, are written as they are.
    return value if value and " " in name else value or '""'
