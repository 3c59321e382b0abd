"""A master with replicas, watched by three Sentinels."""

from types import TracebackType
from typing import Self

from .redis_server import Redis
from .waiting import wait_until


class Sentinels:
    """One master, `replicas` replicas and three Sentinels that fail over half a second after the master fell silent."""

    NAME = "swarm-main"

    def __init__(self, replicas: int = 1) -> None:
        self.master = Redis({"repl-diskless-sync-delay": "0"})
        self.replicas = [
            Redis({"replicaof": f"127.0.0.1 {self.master.port}", "repl-diskless-sync-delay": "0"}) for _ in range(replicas)
        ]
        self.sentinels = [
            Redis(
                {
                    f"sentinel monitor {self.NAME}": f"127.0.0.1 {self.master.port} 2",
                    f"sentinel down-after-milliseconds {self.NAME}": "500",
                    f"sentinel failover-timeout {self.NAME}": "3000",
                },
                sentinel=True,
            )
            for _ in range(3)
        ]
        wait_until(self._is_settled, 30, "replicas are in sync and the Sentinels know them and each other")

    @property
    def url(self) -> str:
        """The Sentinels and the master's name, as the url option takes them."""
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{node.port}" for node in self.sentinels) + f"/{self.NAME}"

    def kill_master(self) -> Redis:
        """Kills the master with -9, waits until a replica has taken its place and answers that one."""
        self.master.kill()
        return wait_until(self._promoted, 30, "a replica was promoted")

    def close(self) -> None:
        """Stops all servers."""
        for server in (*self.sentinels, *self.replicas, self.master):
            server.close()

    def _promoted(self) -> Redis | None:
        for replica in self.replicas:
            if replica.command("ROLE")[0] == b"master":
                return replica
        return None

    def _is_settled(self) -> bool:
        if any(replica.command("ROLE")[3] != b"connected" for replica in self.replicas):
            return False
        return all(
            len(node.command("SENTINEL", "REPLICAS", self.NAME)) == len(self.replicas)
            and len(node.command("SENTINEL", "SENTINELS", self.NAME)) == len(self.sentinels) - 1
            for node in self.sentinels
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
