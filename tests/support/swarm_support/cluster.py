"""A Redis Cluster of three masters."""

import subprocess
from types import TracebackType
from typing import Self

from .redis_server import Redis
from .waiting import wait_until


class Cluster:
    """Three masters that share the hash slots."""

    def __init__(self) -> None:
        self.nodes = [Redis({"cluster-enabled": "yes", "cluster-node-timeout": "2000"}) for _ in range(3)]
        hosts = [f"127.0.0.1:{node.port}" for node in self.nodes]
        done = subprocess.run(["redis-cli", "--cluster", "create", *hosts, "--cluster-yes"], capture_output=True, text=True)
        if done.returncode != 0:
            self.close()
            raise RuntimeError(f"redis-cli --cluster create failed:\n{done.stdout}{done.stderr}")
        wait_until(self._is_ok, 20, "every node finds the cluster complete")

    @property
    def url(self) -> str:
        """All nodes, as the url option takes them."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def all_keys(self) -> list[bytes]:
        """The keys of all nodes."""
        return [key for node in self.nodes for key in node.command("KEYS", "*")]

    def close(self) -> None:
        """Stops all nodes."""
        for node in self.nodes:
            node.close()

    def _is_ok(self) -> bool:
        return all(b"cluster_state:ok" in bytes(node.command("CLUSTER", "INFO")) for node in self.nodes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
