"""What the benchmark measures with: a private server, programs under measurement, CPU clocks, percentiles."""

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

DEADLINE = 300.0


def cpu_seconds(pid):
    """CPU time of a process so far, user and system, of all its threads, ended ones too.

    The same counter as utime + stime of /proc/<pid>/stat, which has it in steps of 10 ms only.
    """
    return time.clock_gettime(((~pid) << 3) | 2)


def percentile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Redis:
    """A private redis-server on the loopback interface that keeps nothing on disk."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="swarm-bench-")
        binary = os.environ.get("REDIS_SERVER") or shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            raise SystemExit("no redis-server found; install it or name it in REDIS_SERVER")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly no --daemonize no --maxclients 10000".split()
        self.process = subprocess.Popen(
            [binary, *options, "--save", "", "--dir", self.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.url = f"redis://127.0.0.1:{self.port}"
        end = time.monotonic() + 10
        while True:
            try:
                self.connection = socket.create_connection(("127.0.0.1", self.port))
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise SystemExit("redis-server did not start") from None
                time.sleep(0.02)
        self.reader = self.connection.makefile("rb")

    def call(self, *words):
        """One command; its reply as text, number, list or None."""
        out = b"*%d\r\n" % len(words)
        for word in map(str.encode, words):
            out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.connection.sendall(out)
        return self._reply()

    def _reply(self):
        kind, rest = (line := self.reader.readline())[:1], line[1:-2]
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.reader.read(length + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest.decode()

    def info(self, section):
        lines = self.call("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def flush(self):
        self.call("FLUSHALL", "SYNC")

    def close(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Program:
    """One process under measurement; see README.md for what it understands."""

    def __init__(self, command, role, url, cluster):
        self.process = subprocess.Popen([*command, role, url, cluster], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.expect("ready")

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def expect(self, word):
        line = self.process.stdout.readline().split()
        if not line or line[0] != word:
            raise SystemExit(f"{self.process.args} printed {line[:5]}, not `{word}`")
        return [int(number) for number in line[1:]]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def close(self):
        self.process.stdin.close()
        try:
            code = self.process.wait(DEADLINE)
        finally:
            self.process.stdout.close()
        if code != 0:
            raise SystemExit(f"{self.process.args} ended with {code}")


class Cpu:
    """CPU time that processes use while the block runs; in microseconds by name."""

    def __init__(self, **pids):
        self.pids = pids

    def __enter__(self):
        self.begun = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        return self

    def __exit__(self, *_):
        self.micros = {name: (cpu_seconds(pid) - self.begun[name]) * 1e6 for name, pid in self.pids.items()}


@contextlib.contextmanager
def server():
    redis = Redis()
    try:
        yield redis
    finally:
        redis.close()


class Figures:
    """All values seen, and their medians."""

    def __init__(self):
        self.values = {}

    def add(self, language, workload, metric, value, unit):
        self.values.setdefault((language, workload, metric, unit), []).append(value)

    def median(self, language, workload, metric):
        for (*key, _), values in self.values.items():
            if key == [language, workload, metric]:
                return statistics.median(values)
        return None

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "language": language,
                "workload": workload,
                "metric": metric,
                "value": round(statistics.median(values), 3),
                "unit": unit,
            }
            for (language, workload, metric, unit), values in self.values.items()
        ]
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
