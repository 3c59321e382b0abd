"""A Redis Cluster of three masters, with or without replicas."""

import subprocess
from types import TracebackType
from typing import Self

from .redis_server import Redis
from .waiting import wait_until


class Cluster:
    """Three masters that share the hash slots, and `replicas` of each. A replica follows a master that is gone for 2 s."""

    MASTERS = 3

    def __init__(self, replicas: int = 0) -> None:
        config = {"cluster-enabled": "yes", "cluster-node-timeout": "2000", "repl-diskless-sync-delay": "0"}
        self._replicas = replicas
        self.nodes = [Redis(config) for _ in range(self.MASTERS * (1 + replicas))]
        hosts = [f"127.0.0.1:{node.port}" for node in self.nodes]
        options = ["--cluster-replicas", str(replicas), "--cluster-yes"]
        done = subprocess.run(["redis-cli", "--cluster", "create", *hosts, *options], capture_output=True, text=True)
        if done.returncode != 0:
            self.close()
            raise RuntimeError(f"redis-cli --cluster create failed:\n{done.stdout}{done.stderr}")
        wait_until(self._is_ok, 20, "every node finds the cluster complete")
        wait_until(self._is_replicated, 20, "the replicas are in sync")

    @property
    def url(self) -> str:
        """All nodes, as the url option takes them."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def owner(self, key: str) -> Redis:
        """The master that has the slot of `key`."""
        by_port = {node.port: node for node in self.nodes if node.running}
        slot = int(next(iter(by_port.values())).command("CLUSTER", "KEYSLOT", key))
        for low, high, (_, port, *_), *_ in next(iter(by_port.values())).command("CLUSTER", "SLOTS"):
            if low <= slot <= high and port in by_port:
                return by_port[port]
        raise LookupError(f"no node that runs has slot {slot}")

    def kill_owner(self, key: str) -> Redis:
        """Kills the master that has the slot of `key` with -9, waits until a replica serves the slot and answers that one."""
        self.owner(key).kill()

        def promoted() -> Redis | None:
            try:
                owner = self.owner(key)
            except LookupError:
                # The others still take the killed one for the owner.
                return None
            return owner if all(self._finds_ok(node) for node in self.nodes if node.running) else None

        return wait_until(promoted, 30, "a replica was promoted")

    def all_keys(self) -> list[bytes]:
        """The keys of all nodes."""
        return [key for node in self.nodes for key in node.command("KEYS", "*")]

    def close(self) -> None:
        """Stops all nodes."""
        for node in self.nodes:
            node.close()

    def _is_ok(self) -> bool:
        return all(self._finds_ok(node) for node in self.nodes)

    def _is_replicated(self) -> bool:
        roles = [node.command("ROLE") for node in self.nodes]
        replicas = [role for role in roles if role[0] == b"slave"]
        return len(replicas) == self.MASTERS * self._replicas and all(role[3] == b"connected" for role in replicas)

    @staticmethod
    def _finds_ok(node: Redis) -> bool:
        return b"cluster_state:ok" in bytes(node.command("CLUSTER", "INFO"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
